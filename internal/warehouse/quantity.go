package warehouse

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// ParseQuantity reads one figure of a report. Blank text is an unknown quantity. A decimal is floored towards
// negative infinity, and floored says that something was lost (12.0 loses nothing). A sign and an exponent
// (1.2e3, as JSON may write it) are fine. Anything that could be read in two ways, like 1,234, is an error, as is what lies
// beyond MinQuantity and MaxQuantity; the error says how to mend it (spec sections 1 and 6).
func ParseQuantity(text string) (q Quantity, floored bool, err error) {
	text = strings.TrimSpace(text)
	if text == "" {
		return Quantity{}, false, nil
	}
	digits, point, negative, ok := decimal(text)
	switch {
	case !ok && strings.Contains(text, ","):
		return Quantity{}, false, fmt.Errorf("%s is ambiguous: write it without a comma, decimals with a point", Excerpt(text))
	case !ok:
		return Quantity{}, false, fmt.Errorf("%s is not a number: write a whole number such as 12", Excerpt(text))
	case point > len("2147483648"):
		return Quantity{}, false, outOfRange(text)
	}
	whole, fraction := "0", digits
	if point > 0 {
		digits += strings.Repeat("0", max(0, point-len(digits)))
		whole, fraction = digits[:point], digits[point:]
	}
	units, err := strconv.ParseInt(whole, 10, 64)
	if err != nil {
		return Quantity{}, false, fmt.Errorf("%s: %w", Excerpt(text), err)
	}
	floored = strings.Trim(fraction, "0") != ""
	if negative {
		units = -units
		if floored {
			units--
		}
	}
	if units < MinQuantity || units > MaxQuantity {
		return Quantity{}, false, outOfRange(text)
	}
	return Units(units), floored, nil
}

func outOfRange(text string) error {
	return fmt.Errorf("%s is out of range: a quantity lies between %d and %d", Excerpt(text), MinQuantity, MaxQuantity)
}

// decimal takes a number apart: its value is 0.digits × 10^point, and digits has no leading zero (none at all for
// zero). The exponent is bounded, so that 1e999999999 costs nothing.
func decimal(text string) (digits string, point int, negative, ok bool) {
	if text[0] == '+' || text[0] == '-' {
		negative = text[0] == '-'
		text = text[1:]
	}
	mantissa, exponent := text, 0
	if i := strings.IndexAny(text, "eE"); i >= 0 {
		e, err := strconv.Atoi(text[i+1:])
		if err != nil && !errors.Is(err, strconv.ErrRange) {
			return "", 0, false, false
		}
		mantissa, exponent = text[:i], min(max(e, -1<<30), 1<<30)
	}
	whole, fraction, _ := strings.Cut(mantissa, ".")
	digits = whole + fraction
	if digits == "" || strings.Trim(digits, "0123456789") != "" {
		return "", 0, false, false
	}
	significant := strings.TrimLeft(digits, "0")
	if significant == "" {
		return "", 0, negative, true
	}
	return significant, len(whole) + exponent - (len(digits) - len(significant)), negative, true
}

// Excerpt quotes what a warehouse sent for a message, its first 40 characters at most.
func Excerpt(text string) string {
	if r := []rune(text[:min(len(text), 200)]); len(text) > 200 || len(r) > 40 {
		return strconv.Quote(string(r[:min(len(r), 40)])) + "…"
	}
	return strconv.Quote(text)
}

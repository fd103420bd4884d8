package inventory

import (
	"fmt"
	"strconv"
	"strings"
)

// Percentage is an exact percentage with two decimals: hundredths of a per cent, from
// 0 to MaxPercentage (spec 4.7).
type Percentage int32

// MaxPercentage is 100 per cent.
const MaxPercentage Percentage = 100_00

// ParsePercentage reads plain decimal notation from 0 to 100, without sign, exponent or
// space: "10", "12.5", "33.33". It refuses more than two decimals, even zeros.
func ParsePercentage(s string) (Percentage, error) {
	whole, decimals, point := strings.Cut(s, ".")
	if whole != "" && len(decimals) <= 2 && point == (decimals != "") {
		hundredths, err := strconv.ParseUint(whole+(decimals + "00")[:2], 10, 64)
		if err == nil && hundredths <= uint64(MaxPercentage) {
			return Percentage(hundredths), nil
		}
	}
	return 0, fmt.Errorf("percentage %q: write a number from 0 to 100 with at most two decimals, like 33.33", s)
}

// String is the shortest notation that ParsePercentage reads back: "10", "12.5", "33.33".
func (p Percentage) String() string {
	whole, hundredths := p/100, p%100
	switch {
	case hundredths == 0:
		return strconv.Itoa(int(whole))
	case hundredths%10 == 0:
		return fmt.Sprintf("%d.%d", whole, hundredths/10)
	}
	return fmt.Sprintf("%d.%02d", whole, hundredths)
}

// ceilOf is ⌈n × p ÷ 100⌉ for n ≥ 0, without a product that could overflow.
func (p Percentage) ceilOf(n int64) int64 {
	const whole = int64(MaxPercentage)
	share := min(max(int64(p), 0), whole)
	return n/whole*share + (n%whole*share+whole-1)/whole
}

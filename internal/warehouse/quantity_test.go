package warehouse

import (
	"math/big"
	"strings"
	"testing"
)

// spec 1: quantities are whole, a reported decimal is floored. spec 6: not a number, or beyond ±2³¹, is refused.
func TestQuantityIsFlooredOrRefused(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		text    string
		want    int64
		floored bool
		err     string // part of it
	}{
		{text: "12", want: 12}, {text: " 12\t", want: 12}, {text: "\u00a012", want: 12}, {text: "+5", want: 5}, {text: "-5", want: -5},
		{text: "0", want: 0}, {text: "-0", want: 0}, {text: "007", want: 7}, {text: "000", want: 0},
		{text: "12.0", want: 12}, {text: "12.", want: 12}, {text: "-12.000", want: -12}, {text: "0.0", want: 0},
		{text: "2.5", want: 2, floored: true}, {text: "-2.5", want: -3, floored: true}, {text: ".5", want: 0, floored: true},
		{text: "-0.5", want: -1, floored: true}, {text: "0.001", want: 0, floored: true},
		{text: "2.99999999999999999999", want: 2, floored: true}, // a float would round it up
		{text: "1e3", want: 1000}, {text: "1.25E+2", want: 125}, {text: "125e-2", want: 1, floored: true}, {text: "0.002e3", want: 2},
		{text: "-1e-400", want: -1, floored: true}, {text: "0e999999999999999999", want: 0}, {text: "1e-999999999999999999", want: 0, floored: true},
		{text: "2147483647", want: MaxQuantity}, {text: "2147483647.9", want: MaxQuantity, floored: true}, {text: "-2147483648", want: MinQuantity},
		{text: "2147483648", err: "out of range"}, {text: "-2147483648.1", err: "out of range"}, {text: "-2147483649", err: "out of range"},
		{text: "99999999999999999999999999", err: "out of range"}, {text: "1e10", err: "out of range"}, {text: "1e999999999999999999", err: "out of range"},
		{text: "1,234", err: "ambiguous"}, {text: "1,5", err: "ambiguous"}, {text: "1.234,5", err: "ambiguous"},
		{text: "abc", err: "not a number"}, {text: "-", err: "not a number"}, {text: ".", err: "not a number"}, {text: "+-5", err: "not a number"},
		{text: "--5", err: "not a number"}, {text: "1 234", err: "not a number"}, {text: "1.2.3", err: "not a number"}, {text: "5 pcs", err: "not a number"},
		{text: "0x10", err: "not a number"}, {text: "1_000", err: "not a number"}, {text: "e5", err: "not a number"}, {text: "1e", err: "not a number"},
		{text: "1e2.5", err: "not a number"}, {text: "NaN", err: "not a number"}, {text: "Infinity", err: "not a number"}, {text: "null", err: "not a number"},
		{text: "٣", err: "not a number"}, {text: "−5", err: "not a number"}, {text: "(5)", err: "not a number"}, {text: "5-", err: "not a number"},
	} {
		q, floored, err := ParseQuantity(tt.text)
		switch {
		case tt.err != "":
			if err == nil || !strings.Contains(err.Error(), tt.err) || q.Known {
				t.Errorf("%q = %v, %v; want an error that says %q", tt.text, q, err, tt.err)
			}
		case err != nil || q != Units(tt.want) || floored != tt.floored:
			t.Errorf("%q = %v, floored %v, %v; want %d, %v", tt.text, q, floored, err, tt.want, tt.floored)
		}
	}
	for _, blank := range []string{"", " ", "\t\u00a0"} {
		if q, floored, err := ParseQuantity(blank); q.Known || floored || err != nil {
			t.Errorf("%q = %v, %v, %v; want unknown", blank, q, floored, err)
		}
	}
}

// FuzzParseQuantity holds every accepted number against exact arithmetic.
func FuzzParseQuantity(f *testing.F) {
	f.Fuzz(func(t *testing.T, text string) {
		q, floored, err := ParseQuantity(text)
		if err != nil || !q.Known {
			if q.Known || floored {
				t.Fatalf("%q = %v, %v, %v", text, q, floored, err)
			}
			return
		}
		if q.Units < MinQuantity || q.Units > MaxQuantity {
			t.Fatalf("%q = %d", text, q.Units)
		}
		text = strings.TrimSpace(text)
		if i := strings.IndexAny(text, "eE"); i >= 0 && len(text)-i > 5 {
			return // too large a power for exact arithmetic
		}
		exact, ok := new(big.Rat).SetString(text)
		if !ok {
			t.Fatalf("%q = %d, but it is no number", text, q.Units)
		}
		rest := exact.Sub(exact, big.NewRat(q.Units, 1))
		if rest.Sign() < 0 || rest.Cmp(big.NewRat(1, 1)) >= 0 || floored != (rest.Sign() > 0) {
			t.Fatalf("%q = %d, floored %v", text, q.Units, floored)
		}
	})
}

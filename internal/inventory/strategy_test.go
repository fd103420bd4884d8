package inventory

import (
	"math"
	"math/big"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

func TestPercentage(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]Percentage{
		"0": 0, "0.01": 1, "0.1": 10, "0.10": 10, "1": 100, "12.5": 1250, "33.33": 3333, "99.99": 9999, "100": 10000, "100.00": 10000, "007": 700,
	} {
		if got, err := ParsePercentage(text); err != nil || got != want {
			t.Errorf("%q reads as %d: %v", text, got, err)
		}
	}
	for _, text := range []string{
		"", ".", "5.", ".5", "-1", "+1", "-0", "100.01", "101", "33.333", "1.000", "1e1", " 1", "1 ", "1,5", "1.2.3", "0x1", "1_0", "1.-1", "1.+1", "٣", "NaN",
		"99999999999999999999999",
	} {
		if got, err := ParsePercentage(text); err == nil || !strings.Contains(err.Error(), "from 0 to 100") {
			t.Errorf("%q reads as %d: %v", text, got, err)
		}
	}
	for p := range MaxPercentage + 1 {
		if got, err := ParsePercentage(p.String()); err != nil || got != p {
			t.Fatalf("%d is written %s, which reads as %d: %v", p, p, got, err)
		}
	}
}

// TestDivisionIsExact holds the buffer of spec 4.7 and the shares of spec 4.8 against
// arithmetic without bounds.
func TestDivisionIsExact(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		d := division{sellable: rapid.Int64Range(0, math.MaxInt64).Draw(t, "sellable")}
		s := Strategy{
			Buffer:       Buffer{Kind: PercentageBuffer, Percentage: Percentage(rapid.Int32Range(0, int32(MaxPercentage)).Draw(t, "percentage"))},
			Distribution: Weighted, Remainder: HoldBack,
		}
		weights := rapid.SliceOfN(rapid.Uint64Range(0, MaxWeight), 1, 6).Draw(t, "weights")
		sum := new(big.Int)
		for _, w := range weights {
			d.takers = append(d.takers, drawer{terms: terms{weight: w}})
			sum.Add(sum, new(big.Int).SetUint64(w))
		}
		d.divide(&s)
		held, over := new(big.Int).DivMod(times(d.sellable, uint64(s.Buffer.Percentage)), big.NewInt(100_00), new(big.Int))
		if over.Sign() > 0 {
			held.Add(held, big.NewInt(1))
		}
		if held.Cmp(big.NewInt(d.buffer)) != 0 || d.distributable != d.sellable-d.buffer {
			t.Fatalf("%d of %d is held back, want %v", d.buffer, d.sellable, held)
		}
		var shared int64
		for i, w := range weights {
			want := new(big.Int)
			if sum.Sign() > 0 {
				want.Div(times(d.distributable, w), sum)
			}
			if want.Cmp(big.NewInt(d.shares[i])) != 0 {
				t.Fatalf("share %d is %d, want %v", i, d.shares[i], want)
			}
			shared += d.shares[i]
		}
		left := d.distributable - shared
		s.Remainder = Spread
		d.divide(&s)
		for _, share := range d.shares {
			shared -= share
		}
		if sum.Sign() > 0 && shared != -left {
			t.Fatalf("%d of %d left over are spread", -shared, left)
		}
	})
}

func times(a int64, b uint64) *big.Int {
	return new(big.Int).Mul(big.NewInt(a), new(big.Int).SetUint64(b))
}

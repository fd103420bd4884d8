package inventory

import (
	"cmp"
	"math"
	"math/bits"
	"slices"
)

// Strategy says how a warehouse's stock is split among the stores that take part
// (spec 4.7, 4.8). Its zero value splits everything equally.
type Strategy struct {
	Buffer               Buffer
	MinimumDistributable int64 // units; less than this after the buffer: every store gets 0
	Distribution         Distribution
	Remainder            Remainder
	Shares               []Share // at most one per store
}

// Distribution is how the distributable units are divided (spec 4.8).
type Distribution string

// Distributions; the zero value stands for Equal.
const (
	Equal      Distribution = "EQUAL"
	Weighted   Distribution = "WEIGHTED"
	InPriority Distribution = "PRIORITY"
	Fixed      Distribution = "FIXED"
)

// Remainder is what becomes of units that EQUAL and WEIGHTED leave over (spec 4.8).
type Remainder string

// Remainders; the zero value stands for Spread.
const (
	Spread   Remainder = "SPREAD"
	HoldBack Remainder = "HOLD_BACK"
)

// BufferKind tells which field of a Buffer counts.
type BufferKind string

// Kinds of buffer; the zero value holds nothing back.
const (
	NoBuffer            BufferKind = ""
	PercentageBuffer    BufferKind = "PERCENTAGE"
	FixedQuantityBuffer BufferKind = "FIXED_QUANTITY"
)

// Buffer is the part of the sellable units that no store gets (spec 4.7).
type Buffer struct {
	Kind       BufferKind
	Percentage Percentage // for PercentageBuffer
	Quantity   int64      // units, ≥ 0, for FixedQuantityBuffer
}

func (b Buffer) of(sellable int64) int64 {
	switch b.Kind {
	case PercentageBuffer:
		return b.Percentage.ceilOf(sellable)
	case FixedQuantityBuffer:
		return min(max(b.Quantity, 0), sellable)
	}
	return 0
}

// MaxWeight is the largest weight; a larger one counts as this much, so that the weights
// of 2²⁴ stores sum within 64 bits.
const MaxWeight = 1 << 40

// Share is one store's terms in a strategy. Nil is the default of spec 4.8.
type Share struct {
	Store    int64
	Weight   *int64 // for WEIGHTED: 0 to MaxWeight; nil: 1
	Cap      *int64 // for PRIORITY: units, ≥ 0; nil: all that is left
	Quantity *int64 // for FIXED: units, ≥ 0; nil: 0
}

// terms are a Share as the arithmetic wants it.
type terms struct {
	weight uint64 // for EQUAL and WEIGHTED
	most   int64  // units, for PRIORITY and FIXED
}

func (s *Strategy) terms(store int64) terms {
	if s == nil {
		return terms{}
	}
	var share Share
	if i := slices.IndexFunc(s.Shares, func(x Share) bool { return x.Store == store }); i >= 0 {
		share = s.Shares[i]
	}
	t := terms{weight: 1}
	switch {
	case s.Distribution == Weighted && share.Weight != nil:
		t.weight = uint64(min(max(*share.Weight, 0), MaxWeight))
	case s.Distribution == InPriority && share.Cap == nil:
		t.most = math.MaxInt64
	case s.Distribution == InPriority:
		t.most = max(*share.Cap, 0)
	case s.Distribution == Fixed && share.Quantity != nil:
		t.most = max(*share.Quantity, 0)
	}
	return t
}

// division is one unit of partition and what becomes of it.
type division struct {
	facility      string
	whole         bool     // the unit is the warehouse's total, not a facility (spec 4.9)
	rows          []row    // the levels it is made of
	sellable      int64    // not below 0
	buffer        int64    // held back
	distributable int64    // sellable − buffer
	tooFew        bool     // distributable is below the strategy's minimum
	takers        []drawer // that take part, in order of priority, then age
	shares        []int64  // of the takers

	fractions []fraction // scratch
}

type fraction struct {
	taker int
	units uint64 // over the sum of the weights
}

// divide works out the rest of d from sellable and takers (spec 4.7, 4.8). Without a
// strategy every taker gets all.
func (d *division) divide(s *Strategy) {
	d.buffer, d.tooFew = 0, false
	d.shares = slices.Grow(d.shares[:0], len(d.takers))[:len(d.takers)]
	if s == nil {
		d.distributable = d.sellable
		for i := range d.shares {
			d.shares[i] = d.sellable
		}
		return
	}
	d.buffer = s.Buffer.of(d.sellable)
	d.distributable = d.sellable - d.buffer
	d.tooFew = d.distributable < s.MinimumDistributable
	switch {
	case d.tooFew:
		clear(d.shares)
	case s.Distribution == InPriority || s.Distribution == Fixed:
		left := d.distributable
		for i := range d.takers {
			d.shares[i] = min(d.takers[i].most, left)
			left -= d.shares[i]
		}
	default:
		d.byWeight(s.Remainder != HoldBack)
	}
}

// byWeight gives each taker ⌊d × wᵢ ÷ Σw⌋, and with spread the units left over to the
// largest fractions. Where all weights are 0 nobody gets any, nor is anything spread.
func (d *division) byWeight(spread bool) {
	var sum uint64
	for i := range d.takers {
		sum += d.takers[i].weight
	}
	if sum == 0 {
		clear(d.shares)
		return
	}
	left := d.distributable
	d.fractions = d.fractions[:0]
	for i := range d.takers {
		// The product may need 128 bits; the quotient is at most the distributable.
		high, low := bits.Mul64(uint64(d.distributable), d.takers[i].weight)
		share, over := bits.Div64(high, low, sum)
		d.shares[i] = int64(share)
		left -= int64(share)
		d.fractions = append(d.fractions, fraction{taker: i, units: over})
	}
	if !spread || left == 0 {
		return
	}
	slices.SortStableFunc(d.fractions, func(a, b fraction) int { return cmp.Compare(b.units, a.units) })
	for _, f := range d.fractions[:left] {
		d.shares[f.taker]++
	}
}

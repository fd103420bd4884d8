package inventory_test

import (
	"testing"

	"pgregory.net/rapid"

	"stockbridge/internal/inventory"
)

func TestExplanationAddsUp(t *testing.T) {
	t.Parallel()
	rapid.Check(t, explanationAddsUp)
}

// explanationAddsUp works every target of a drawn world out again from its explanation,
// and holds each unit's shares against spec 4.7 and 4.8.
func explanationAddsUp(t *rapid.T) {
	w := drawWorld(t)
	rules := inventory.NewRules(w.setup)
	for _, target := range w.plan(nil) {
		e, found := rules.Explain(w.catalog, w.levels, target.Store, target.Location, target.ChannelSKU)
		if !found || e.Target != target {
			t.Fatalf("%+v is explained as %+v", target, e.Target)
		}
		var sum int64
		for _, c := range e.Contributions {
			if quantity := contributed(t, target.Store, c); quantity != c.Quantity {
				t.Fatalf("%+v: the stock makes %d of %+v", target, quantity, c)
			}
			sum += c.Quantity
		}
		quantity := sum
		if e.Max != nil {
			quantity = min(sum, *e.Max)
		}
		if sum != e.Sum || quantity != target.Quantity {
			t.Fatalf("%+v: the contributions sum to %d, which makes %d", target, sum, quantity)
		}
	}
}

func contributed(t *rapid.T, store int64, c inventory.Contribution) int64 {
	least, limiting := int64(-1), 0
	for _, s := range c.Stock {
		var share int64
		for _, u := range s.Units {
			checkUnit(t, store, c, u)
			share += u.Share
		}
		if share != s.Share {
			t.Fatalf("the units sum to %d of %+v", share, s)
		}
		if s.PerBundle > 0 {
			share /= s.PerBundle
			if share != s.Bundles {
				t.Fatalf("%d bundles of %+v", share, s)
			}
		}
		if s.Limiting {
			limiting++
			if s.Bundles != c.Quantity {
				t.Fatalf("%+v is not what limits %d", s, c.Quantity)
			}
		}
		if least < 0 || share < least {
			least = share
		}
	}
	if bundle := c.Stock[0].PerBundle > 0; bundle != (limiting > 0) {
		t.Fatalf("%d components limit %+v", limiting, c)
	}
	return least
}

func checkUnit(t *rapid.T, store int64, c inventory.Contribution, u inventory.Unit) {
	var sum, own int64
	for _, x := range u.Stores {
		if x.Share < 0 {
			t.Fatalf("share below 0 in %+v", u)
		}
		sum += x.Share
		if x.Store == store {
			own = x.Share
		}
	}
	if own != u.Share || u.Sellable < 0 || u.Sellable-u.Buffer != u.Distributable || u.Distributable < 0 {
		t.Fatalf("%d does not add up in %+v", own, u)
	}
	s := c.Strategy
	if s == nil {
		if u.Share != u.Sellable || u.TooFew {
			t.Fatalf("without strategy %+v gives only a part", u)
		}
		return
	}
	if sum > u.Distributable || u.TooFew && sum > 0 || u.TooFew != (u.Distributable < s.MinimumDistributable) {
		t.Fatalf("%d shared out of %+v", sum, u)
	}
	equal := s.Distribution == "" || s.Distribution == inventory.Equal
	if left := u.Distributable - sum; equal && !u.TooFew && (s.Remainder != inventory.HoldBack && left > 0 || left >= int64(len(u.Stores))) {
		t.Fatalf("%d left over of %+v", left, u)
	}
}

func TestNothingToExplain(t *testing.T) {
	t.Parallel()
	w := world{
		setup: feeding(1, 2, nil, connect(1, 1, 1)),
		catalog: inventory.Catalog{Listings: []inventory.Listing{
			list(1, 1, "A", "X"), {ID: 2, Store: 1, SKU: "B", ChannelSKU: "Y"},
		}},
		levels: []inventory.Level{available(1, "", "A", 1), available(1, "", "B", 1), available(1, "", "C", 1)},
	}
	rules := inventory.NewRules(w.setup)
	for _, p := range []place{
		{1, "", "A"}, {1, "", "B"}, {1, "", "Y"}, {1, "", "D"}, {1, "L1", "C"}, {2, "", "C"}, {3, "", "C"},
	} {
		if e, found := rules.Explain(w.catalog, w.levels, p.store, p.location, p.channelSKU); found {
			t.Errorf("%+v is explained as %+v", p, e)
		}
	}
}

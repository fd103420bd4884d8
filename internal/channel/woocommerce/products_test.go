package woocommerce_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"stockbridge/internal/channel"
	"stockbridge/internal/channel/onhand/onhandtest"
)

// wire.md: variations are written by their product; ≤ 100 a request; products are looked up once.
func TestProductsAndVariationsGoEachTheirWay(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.woo.root = "/blog"
	b.st = connect(t, b.srv.URL+"/blog/wp-json/", b.srv.Options())
	b.woo.parents = map[string]int64{"SKU-1": 7, "SKU-2": 8, "SKU-3": 7}
	b.woo.types = map[string]string{"SKU-3": "subscription_variation"}
	for _, from := range []int{20, 60} {
		levels := onhandtest.Levels(5, from)
		for i, o := range b.push(t, levels...) {
			if o.Verdict != channel.Acknowledged || b.has(levels[i].SKU) != levels[i].Quantity {
				t.Errorf("%+v: %+v", levels[i], o)
			}
		}
		lookUps, batches := b.did()
		if want := []string{"/products/batch 100 104", "/products/7/variations/batch 101 103", "/products/8/variations/batch 102"}; !slices.Equal(batches, want) {
			t.Errorf("written %q", batches)
		}
		if (len(lookUps) == 1) != (from == 20) {
			t.Errorf("looked up %q", lookUps)
		}
	}
}

// An item is remembered for an hour.
func TestProductsAreLookedUpAgainAfterAWhile(t *testing.T) {
	t.Parallel()
	b := setup(t)
	opts := b.srv.Options()
	clock := opts.Retry.Clock
	for n, wait := range []time.Duration{0, 59 * time.Minute, 2 * time.Minute} {
		if err := clock.Pause(t.Context(), wait); err != nil {
			t.Fatal(err)
		}
		b.push(t, onhandtest.Levels(1, 5)...)
		if lookUps, _ := b.did(); (len(lookUps) == 1) != (n != 1) {
			t.Errorf("after %s looked up %q", wait, lookUps)
		}
	}
}

// A product made anew has another id, and a SKU may move to another product: both are found within the same push.
func TestProductThatMovedIsFoundAgain(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.woo.parents["SKU-3"] = 7
	b.push(t, onhandtest.Levels(5, 20)...)
	b.did()
	b.shop.Remove("item-1") // made anew
	b.shop.Add("SKU-1", map[string]onhandtest.Shelf{})
	b.woo.mu.Lock()
	b.woo.parents["SKU-2"] = 7 // a product became a variation
	b.woo.parents["SKU-3"] = 9 // a variation came to another product
	b.woo.mu.Unlock()
	b.shop.Change("item-4", func(it *onhandtest.Item) { it.SKU = "OTHER" }) // moved
	b.shop.Add("SKU-4", map[string]onhandtest.Shelf{})
	levels := onhandtest.Levels(5, 30)
	for i, o := range b.push(t, levels...) {
		if o.Verdict != channel.Acknowledged || b.has(levels[i].SKU) != levels[i].Quantity {
			t.Errorf("%+v: %+v, the shop has %d", levels[i], o, b.has(levels[i].SKU))
		}
	}
	if lookUps, _ := b.did(); len(lookUps) != 1 || len(strings.Split(lookUps[0], ",")) != 4 {
		t.Errorf("looked up %q, and not only what moved", lookUps)
	}
	b.shop.Remove("item-0")
	if o := b.push(t, onhandtest.Levels(1, 40)...)[0]; o.Verdict != channel.Refused || o.Code != "SKU_NOT_FOUND" {
		t.Errorf("a product that is gone: %+v", o)
	}
}

// wire.md: SKUs are compared exactly, as MySQL does not, and never guessed; products without stock of their own are told.
func TestSKUsThatLeadToNoStock(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.shop.Add("sku-0", map[string]onhandtest.Shelf{})
	b.shop.Add("SKU-1", map[string]onhandtest.Shelf{})
	b.shop.Add("A,B", map[string]onhandtest.Shelf{})
	b.shop.Add("A", map[string]onhandtest.Shelf{})
	b.shop.Add("Ä & 1 + 1", map[string]onhandtest.Shelf{})
	b.woo.types = map[string]string{"SKU-2": "variable", "SKU-3": "grouped", "SKU-4": "external", "SKU-5": "variable-subscription", "SKU-6": "bundle"}
	b.woo.unmanned["SKU-7"] = true
	tests := []struct{ sku, code, words string }{
		{"SKU-0", "", ""},
		{"sku-0", "", ""},
		{"SKU-1", "SKU_AMBIGUOUS", `2 items with SKU "SKU-1" (101, 111)`},
		{"SKU-2", "PRODUCT_KEEPS_NO_STOCK", "give each variation a SKU"},
		{"SKU-3", "PRODUCT_KEEPS_NO_STOCK", "grouped product"},
		{"SKU-4", "PRODUCT_KEEPS_NO_STOCK", "external product"},
		{"SKU-5", "PRODUCT_KEEPS_NO_STOCK", "variable product"},
		{"SKU-6", "", ""},
		{"SKU-7", "STOCK_NOT_MANAGED", "manage_stock false"},
		{"Sku-8", "SKU_NOT_FOUND", `"Sku-8"`},
		{"A,B", "", ""},
		{"B,A", "SKU_NOT_FOUND", ""},
		{"Ä & 1 + 1", "", ""},
	}
	var levels []channel.Level
	for i, c := range tests {
		levels = append(levels, channel.Level{SKU: c.sku, Quantity: int64(i + 10)})
	}
	for i, o := range b.push(t, levels...) {
		c := tests[i]
		if c.code == "" && (o.Verdict != channel.Acknowledged || b.has(c.sku) != levels[i].Quantity) || c.code != "" && (o.Verdict != channel.Refused || o.Code != c.code || !strings.Contains(o.Message, c.words)) {
			t.Errorf("%s: %+v, want %s", c.sku, o, c.code)
		}
	}
	if o := b.push(t, channel.Level{SKU: "SKU-1", Quantity: 1})[0]; o.Code != "SKU_AMBIGUOUS" {
		t.Errorf("asked again: %+v", o)
	}
	if b.has("A") != 0 {
		t.Errorf("A has %d", b.has("A"))
	}
	lookUps, _ := b.did()
	if slices.Sort(lookUps); !slices.Contains(lookUps, "A,B") || !slices.Contains(lookUps, "B,A") || len(lookUps) != 4 {
		t.Errorf("looked up %q", lookUps)
	}
}

// SKUs too long for one address.
func TestLongLookUpsAreParted(t *testing.T) {
	t.Parallel()
	b := setup(t)
	var levels []channel.Level
	for i := range 100 {
		levels = append(levels, channel.Level{SKU: fmt.Sprintf("Long-%d-%s", i, strings.Repeat("é", 30)), Quantity: 3})
		b.shop.Add(levels[i].SKU, map[string]onhandtest.Shelf{})
	}
	for i, o := range b.push(t, levels...) {
		if o.Verdict != channel.Acknowledged || b.has(levels[i].SKU) != 3 {
			t.Fatalf("%+v: %+v", levels[i], o)
		}
	}
	if lookUps, batches := b.did(); len(lookUps) < 5 || len(batches) != 1 {
		t.Errorf("%d look-ups, %d batches", len(lookUps), len(batches))
	}
}

// More products than a page has: the right ones are on the last.
func TestLookUpsAreReadToTheirEnd(t *testing.T) {
	t.Parallel()
	b := setup(t)
	var levels []channel.Level
	for _, spelling := range []string{"pg-%d", "PG-%d", "Pg-%d"} {
		levels = nil
		for i := range 100 {
			levels = append(levels, channel.Level{SKU: fmt.Sprintf(spelling, i), Quantity: 3})
			b.shop.Add(levels[i].SKU, map[string]onhandtest.Shelf{})
		}
	}
	for i, o := range b.push(t, levels...) {
		if o.Verdict != channel.Acknowledged || b.has(levels[i].SKU) != 3 {
			t.Fatalf("%+v: %+v", levels[i], o)
		}
	}
	if lookUps, _ := b.did(); len(lookUps) != 4 { // the third page is full
		t.Errorf("%d look-ups", len(lookUps))
	}
}

package shopify

import (
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"stockbridge/internal/channel"
	"stockbridge/internal/channel/shopify/shopifytest"
)

func TestLevelsArriveWhereTheyBelong(t *testing.T) {
	t.Parallel()
	w := setup(t, 3, shopifytest.Config{}, Config{})
	w.pushed(t, batch(
		channel.Level{SKU: "SKU-1", Quantity: 7}, channel.Level{SKU: "SKU-1", Location: "2", Quantity: 8},
		channel.Level{SKU: "SKU-2", Location: "gid://shopify/Location/2", Quantity: 0}, channel.Level{SKU: "SKU-3", Quantity: 1_000_000_000},
	))
	w.shows(t, 1, 1, 7)
	w.shows(t, 1, 2, 8)
	w.shows(t, 2, 2, 0)
	w.shows(t, 3, 1, 1_000_000_000)
	if got := w.operations(); slices.Index(got, "Set") < 0 || slices.Index(got, "Set") != len(got)-1 {
		t.Errorf("set with more than one request: %v", got)
	}
	if outcomes, err := w.store.Push(t.Context(), batch()); outcomes != nil || err != nil {
		t.Errorf("no levels: %v, %v", outcomes, err)
	}
}

// wire.md: "≤ 250 quantities"; one look-up and one request to set are all that a full batch costs.
func TestFullBatchIsTwoRequests(t *testing.T) {
	t.Parallel()
	w := setup(t, 250, shopifytest.Config{}, Config{})
	w.pushed(t, batchOf(250))
	w.pushed(t, batchOf(250))
	if got := w.operations(); !slices.Equal(got, []string{"Stocked", "Set", "Set"}) {
		t.Errorf("%v", got)
	}
	if caps := w.store.Capabilities(); caps.MaxBatch != 250 || caps.Semantics != channel.Available {
		t.Errorf("%+v", caps)
	}
	// A batch beyond the bound is none that is asked of a sink, but is sent all the same.
	w.store.items.Purge()
	w.AddItem(251, "SKU-251", 1)
	w.pushed(t, batchOf(251))
	w.shows(t, 251, 1, 261)
}

// wire.md: "SKUs need not be unique: more than one match is an error for that SKU, never a guess". Shopify's search minds no case and knows
// wildcards: what it brings is compared exactly.
func TestSKUsAreQuotedAndComparedExactly(t *testing.T) {
	t.Parallel()
	w := setup(t, 0, shopifytest.Config{}, Config{})
	skus := []string{"abc", "ABC", "Abc", `it's`, `7" screw`, `a\b`, `\`, `\'`, `'`, `a:b`, "two words", "(x)", "x OR sku:y", "-no", "ab*", "*", "größe", "sku:'x'", " lead", "a,b"}
	for n, sku := range skus {
		w.AddItem(int64(n+1), sku, 1)
	}
	var levels []channel.Level
	for n, sku := range skus {
		levels = append(levels, channel.Level{SKU: sku, Quantity: int64(n + 1)})
	}
	levels = append(levels, channel.Level{SKU: "aBC"}, channel.Level{SKU: ""}, channel.Level{SKU: "two"})
	outcomes, err := w.store.Push(t.Context(), batch(levels...))
	if err != nil {
		t.Fatal(err)
	}
	for n, sku := range skus {
		if outcomes[n].Verdict != channel.Acknowledged {
			t.Errorf("%q: %+v", sku, outcomes[n])
		}
		w.shows(t, int64(n+1), 1, int64(n+1))
	}
	for _, o := range outcomes[len(skus):] {
		if o.Verdict != channel.Refused || o.Code != "SKU_NOT_FOUND" || o.Message == "" {
			t.Errorf("a SKU that is not there: %+v", o)
		}
	}
}

func TestAnySKUIsFound(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(rt *rapid.T) {
		skus := rapid.SliceOfNDistinct(rapid.StringN(1, 20, -1), 1, 12, rapid.ID).Draw(rt, "skus")
		w := setup(t, 0, shopifytest.Config{}, Config{})
		var levels []channel.Level
		for n, sku := range skus {
			w.AddItem(int64(n+1), sku, 1)
			levels = append(levels, channel.Level{SKU: sku, Quantity: int64(n + 1)})
		}
		outcomes, err := w.store.Push(t.Context(), batch(levels...))
		for n, sku := range skus {
			if q, _ := w.Stock(int64(n+1), 1); err != nil || outcomes[n].Verdict != channel.Acknowledged || q != int64(n+1) {
				rt.Errorf("%q: %+v, %v, shows %d", sku, outcomes[n], err, q)
			}
		}
		w.Server.Close()
	})
}

func TestAmbiguousSKUIsRefusedAndTheOthersArrive(t *testing.T) {
	t.Parallel()
	w := setup(t, 30, shopifytest.Config{}, Config{})
	w.AddItem(100, "SKU-7", 1)
	w.AddItem(101, "SKU-7", 1)
	outcomes, err := w.store.Push(t.Context(), batchOf(30))
	if err != nil {
		t.Fatal(err)
	}
	for n, o := range outcomes {
		if n == 6 {
			if o.Verdict != channel.Refused || o.Code != "SKU_NOT_UNIQUE" || !strings.Contains(o.Message, "3 inventory items") {
				t.Errorf("%+v", o)
			}
			continue
		}
		if o.Verdict != channel.Acknowledged {
			t.Errorf("%d: %+v", n, o)
		}
	}
	for _, id := range []int64{7, 100, 101} {
		w.shows(t, id, 1, 0)
	}
}

// A SKU that Shopify's search takes for half of the shop holds up nobody.
func TestWildSKUIsToldFromTheOthers(t *testing.T) {
	t.Parallel()
	w := setup(t, 600, shopifytest.Config{}, Config{})
	b := batchOf(20)
	b.Levels[3].SKU = "SKU*"
	outcomes, err := w.store.Push(t.Context(), b)
	if err != nil || outcomes[3].Verdict != channel.Refused || outcomes[3].Code != "SKU_SEARCH_TOO_WIDE" {
		t.Fatalf("%+v, %v", outcomes[3], err)
	}
	for n, o := range outcomes {
		if n != 3 && o.Verdict != channel.Acknowledged {
			t.Errorf("%d: %+v", n, o)
		}
	}
}

func TestQuantitiesThatShopifyDoesNotTakeAreNotSent(t *testing.T) {
	t.Parallel()
	w := setup(t, 3, shopifytest.Config{}, Config{})
	outcomes, err := w.store.Push(t.Context(), batch(
		channel.Level{SKU: "SKU-1", Quantity: -1}, channel.Level{SKU: "SKU-2", Quantity: 1_000_000_001}, channel.Level{SKU: "SKU-3", Quantity: 3},
		channel.Level{SKU: "SKU-3", Location: "West", Quantity: 3},
	))
	var codes []string
	for _, o := range outcomes {
		codes = append(codes, o.Code)
	}
	if want := []string{"INVALID_QUANTITY_NEGATIVE", "INVALID_QUANTITY_TOO_HIGH", "", "INVALID_LOCATION"}; err != nil || !slices.Equal(codes, want) {
		t.Errorf("%+v, %v", outcomes, err)
	}
	if got := w.operations(); len(got) != 2 || len(w.Calls()[1].Rows) != 1 {
		t.Errorf("%v", got)
	}
}

// Shopify refuses an item and a location that come twice (NO_DUPLICATE_INVENTORY_ITEM_ID_GROUP_ID_PAIR).
func TestLevelsForOnePlaceAreOneRow(t *testing.T) {
	t.Parallel()
	w := setup(t, 3, shopifytest.Config{}, Config{})
	outcomes, err := w.store.Push(t.Context(), batch(
		channel.Level{SKU: "SKU-1", Quantity: 5}, channel.Level{SKU: "SKU-1", Location: "1", Quantity: 5},
		channel.Level{SKU: "SKU-2", Quantity: 5}, channel.Level{SKU: "SKU-2", Location: "1", Quantity: 6}, channel.Level{SKU: "SKU-2", Location: "gid://shopify/Location/1", Quantity: 5},
		channel.Level{SKU: "SKU-3", Quantity: 9},
	))
	const a, r = channel.Acknowledged, channel.Refused
	if err != nil || !slices.Equal(verdicts(outcomes), []channel.Verdict{a, a, r, r, r, a}) {
		t.Errorf("%+v, %v", outcomes, err)
	}
	w.shows(t, 1, 1, 5)
	w.shows(t, 2, 1, 0)
}

// A SKU that moved to another item since it was remembered would bring its quantity to the wrong one.
func TestSKUThatMovedIsLookedUpAgain(t *testing.T) {
	t.Parallel()
	w := setup(t, 2, shopifytest.Config{}, Config{})
	w.pushed(t, batchOf(2))
	w.AddItem(1, "NEW")
	w.AddItem(3, "SKU-1", 1)
	w.pushed(t, batch(channel.Level{SKU: "NEW", Quantity: 50}, channel.Level{SKU: "SKU-1", Quantity: 60}, channel.Level{SKU: "SKU-2", Quantity: 70}))
	w.shows(t, 1, 1, 50)
	w.shows(t, 3, 1, 60)
	w.shows(t, 2, 1, 70)
}

func TestItemsAreRememberedForAnHour(t *testing.T) {
	t.Parallel()
	w := setup(t, 2, shopifytest.Config{}, Config{})
	w.pushed(t, batchOf(2))
	w.pass(cacheLife - 1)
	w.pushed(t, batchOf(2))
	w.AddItem(1, "OLD")
	w.AddItem(3, "SKU-1", 1)
	w.pass(1)
	w.pushed(t, batch(channel.Level{SKU: "SKU-1", Quantity: 60}))
	w.shows(t, 3, 1, 60)
	if got := w.operations(); !slices.Equal(got, []string{"Stocked", "Set", "Set", "Stocked", "Set"}) {
		t.Errorf("%v", got)
	}
}

// wire.md: "forget on INVALID_INVENTORY_ITEM". A variant made anew has its quantity by the same push.
func TestItemMadeAnewIsFound(t *testing.T) {
	t.Parallel()
	w := setup(t, 4, shopifytest.Config{}, Config{})
	w.pushed(t, batchOf(4))
	w.RemoveItem(2)
	w.RemoveItem(3)
	w.AddItem(20, "SKU-2", 1)
	outcomes, err := w.store.Push(t.Context(), batchOf(4))
	const a = channel.Acknowledged
	if err != nil || !slices.Equal(verdicts(outcomes), []channel.Verdict{a, a, channel.Refused, a}) || outcomes[2].Code != "SKU_NOT_FOUND" {
		t.Errorf("%+v, %v", outcomes, err)
	}
	w.shows(t, 20, 1, 12)
	w.shows(t, 4, 1, 14)
	if _, ok := w.store.items.Get(w.store.key("SKU-3", w.store.place)); ok {
		t.Error("an item that is gone is remembered")
	}
}

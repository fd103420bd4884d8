package shopify

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"stockbridge/internal/channel"
	"stockbridge/internal/channel/shopify/shopifytest"
	"stockbridge/internal/fault"
)

func TestActivationWhereAnItemIsNotStocked(t *testing.T) {
	t.Parallel()
	on, off := true, false
	for name, c := range map[string]struct {
		version  string
		activate *bool
		want     channel.Verdict
		active   bool
	}{
		"by default":           {"", nil, channel.Acknowledged, true},
		"set":                  {"2026-10", &on, channel.Acknowledged, true},
		"not wanted":           {"2026-10", &off, channel.Acknowledged, false}, // takes the quantity all the same
		"version before":       {"2026-07", &on, channel.Acknowledged, true},
		"version before, not ": {"2026-07", &off, channel.Refused, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := setup(t, 3, shopifytest.Config{}, Config{APIVersion: c.version, Activate: c.activate})
			b := batchOf(3)
			b.Levels[1].Location = "2"
			outcomes, err := w.store.Push(t.Context(), b)
			if err != nil || outcomes[0].Verdict != channel.Acknowledged || outcomes[1].Verdict != c.want || outcomes[2].Verdict != channel.Acknowledged {
				t.Errorf("%+v, %v", outcomes, err)
			}
			if q, active := w.Stock(2, 2); active != c.active || (q == 12) != (c.want == channel.Acknowledged) {
				t.Errorf("shows %d, stocked: %t", q, active)
			}
			if c.want == channel.Refused && (outcomes[1].Code != "ITEM_NOT_STOCKED_AT_LOCATION" || !strings.Contains(outcomes[1].Message, "set activate")) {
				t.Errorf("%+v", outcomes[1])
			}
		})
	}
}

// The merchant took the item off the location since it was remembered.
func TestItemNotStockedAnyMoreIsActivatedAndSent(t *testing.T) {
	t.Parallel()
	w := setup(t, 3, shopifytest.Config{}, Config{APIVersion: "2026-07"})
	w.pushed(t, batchOf(3))
	w.RemoveItem(2)
	w.AddItem(2, "SKU-2")
	w.pushed(t, batchOf(3))
	w.shows(t, 2, 1, 12)
	if got := w.operations(); !slices.Equal(got[2:], []string{"Set", "Activate", "Set"}) {
		t.Errorf("%v", got)
	}
}

func TestActivationRefused(t *testing.T) {
	t.Parallel()
	w := setup(t, 3, shopifytest.Config{}, Config{})
	b := batchOf(3)
	b.Levels[1].Location = "3" // closed
	outcomes, err := w.store.Push(t.Context(), b)
	const a = channel.Acknowledged
	if err != nil || !slices.Equal(verdicts(outcomes), []channel.Verdict{a, channel.Refused, a}) || !strings.HasPrefix(outcomes[1].Message, "The location could not be found.") {
		t.Errorf("%+v, %v", outcomes, err)
	}
}

func TestLocationOfLevelsThatNameNone(t *testing.T) {
	t.Parallel()
	w := setup(t, 2, shopifytest.Config{}, Config{LocationID: "-"})
	outcomes, err := w.store.Push(t.Context(), batchOf(2))
	var f *fault.Error
	if f, _ = err.(*fault.Error); f == nil || f.Code != fault.Blank || f.Field[0] != "locationId" || !strings.Contains(f.Message, "East") || outcomes[0].Verdict != channel.Unsent || outcomes[0].Message == "" {
		t.Errorf("two locations: %+v, %v", outcomes, err)
	}
	one := shopifytest.New(shopifytest.Config{Now: w.clock.Now})
	one.AddLocation(9, "Only", true)
	one.AddLocation(8, "Closed", false)
	one.AddItem(1, "SKU-1")
	one.AddItem(2, "SKU-2", 9)
	w.Config.Handler = one
	for range 2 {
		w.pushed(t, batchOf(2))
	}
	if q, active := one.Stock(1, 9); q != 11 || !active {
		t.Errorf("shows %d, stocked: %t", q, active)
	}
	if n := len(one.Calls()); n != 5 { // Locations, Stocked, Activate, Set, Set
		t.Errorf("%d requests", n)
	}
}

func TestLocationsAreListedPageByPage(t *testing.T) {
	t.Parallel()
	w := setup(t, 0, shopifytest.Config{}, Config{})
	for i := range 300 {
		w.AddLocation(int64(i+10), fmt.Sprint("Shop ", i), true)
	}
	all, err := w.store.Locations(t.Context())
	if err != nil || len(all) != 302 || all[0] != (channel.Location{Code: "gid://shopify/Location/1", Name: "East"}) || all[301].Code != "gid://shopify/Location/309" {
		t.Errorf("%d, %v", len(all), err)
	}
}

package inventory_test

import (
	"testing"

	"pgregory.net/rapid"

	"stockbridge/internal/inventory"
)

// spec 2.4, 3.6: what is held back says by what, in the order of the rules.
func TestHeldBackSaysWhy(t *testing.T) {
	t.Parallel()
	names := inventory.Names{
		Warehouse:  func(id int64) string { return []string{"MAIN", "SPARE"}[id-1] },
		Store:      func(int64) string { return "Web" },
		Connection: func(id int64) string { return []string{"One", "Two"}[id-1] },
	}
	off := connect(2, 2, 1)
	off.InventoryEnabled = false
	disabled := connect(1, 1, 1)
	disabled.Enabled = false
	linked := connect(1, 1, 1)
	linked.Links = []inventory.Link{{Facility: "EAST", Location: "L1"}}
	limited := feeding(1, 1, nil, connect(1, 1, 1))
	limited.Stores[0].Limits = []inventory.Limit{{Pattern: "A", Action: inventory.Send}, {Pattern: "OLD-*", Action: inventory.Skip}, {Pattern: "*", Action: inventory.Skip}}
	scoped := feeding(1, 1, nil, connect(1, 1, 1))
	scoped.Stores[0].Scope = inventory.ListedSKUs
	plain := feeding(2, 1, nil, connect(1, 1, 1), off)
	closed := list(1, 1, "A", "X")
	closed.InventoryEnabled = false
	for name, tt := range map[string]struct {
		setup                     inventory.Setup
		listings                  []inventory.Listing
		location, channelSKU, sku string
		reason                    inventory.Reason
		want                      string
	}{
		"no connection":        {feeding(1, 1, nil), nil, "", "A", "A", inventory.NoConnection, "no connection feeds Web"},
		"connection disabled":  {feeding(1, 1, nil, disabled), nil, "", "A", "A", inventory.ConnectionDisabled, "the connection One from MAIN is disabled"},
		"the reporting one is": {plain, nil, "", "B", "B", inventory.ConnectionDisabled, "the connection Two from SPARE has its inventory disabled"},
		"location unlinked":    {feeding(1, 1, nil, linked), nil, "L2", "A", "A", inventory.LocationNotFed, "no connection feeds the location L2 of Web"},
		"links elsewhere":      {feeding(1, 1, nil, linked), nil, "", "A", "A", inventory.LocationNotFed, "every connection that feeds Web has links to locations, so nothing goes out without one"},
		"listing disabled":     {plain, []inventory.Listing{closed}, "", "X", "A", inventory.ListingDisabled, "the listing X of Web has its inventory disabled"},
		"listing gone":         {plain, nil, "", "X", "A", inventory.ListingRemoved, "Web has no listing X any more"},
		"listed as another":    {plain, []inventory.Listing{closed, list(2, 1, "A", "W")}, "", "A", "A", inventory.ListedOtherwise, "A is listed on Web as W, X, and so is not sent under its own SKU"},
		"limit":                {limited, nil, "", "OLD-1", "OLD-1", inventory.SkippedByLimit, "limit 2 of Web skips OLD-*, which OLD-1 matches"},
		"limit on the product": {limited, []inventory.Listing{list(1, 1, "OLD-1", "NEW")}, "", "NEW", "OLD-1", inventory.SkippedByLimit, "limit 2 of Web skips OLD-*, which OLD-1 matches"},
		"scope":                {scoped, nil, "", "A", "A", inventory.NotListed, "Web receives listed SKUs only, and A is not listed on it"},
		"not reported":         {plain, nil, "", "C", "C", inventory.NotReported, "no warehouse that feeds Web reports C"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			levels := []inventory.Level{available(1, "", "A", 1), available(2, "", "B", 1), available(1, "", "OLD-1", 1)}
			rules, cat := inventory.NewRules(tt.setup), inventory.Catalog{Listings: tt.listings}
			if e, found := rules.Explain(cat, levels, 1, tt.location, tt.channelSKU); found {
				t.Fatalf("there is a target: %+v", e)
			}
			h := rules.HeldBack(cat, levels, 1, tt.location, tt.channelSKU, tt.sku)
			if h.Reason != tt.reason || h.Text(names) != "Held back because "+tt.want+"." {
				t.Errorf("%s: %s\nwant %s: %s", h.Reason, h.Text(names), tt.reason, tt.want)
			}
		})
	}
}

// spec 2.4: in any world, mending what holds a level back, reason by reason, brings it about.
func TestMendingEveryReasonBringsTheLevelAbout(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		w := drawWorld(t)
		store := rapid.Int64Range(1, int64(len(w.setup.Stores))).Draw(t, "store")
		channelSKU := rapid.SampledFrom(append([]string{"X-1"}, plainSKUs...)).Draw(t, "channel SKU")
		for range 30 {
			rules := inventory.NewRules(w.setup)
			if _, found := rules.Explain(w.catalog, w.levels, store, "", channelSKU); found {
				return
			}
			w.mend(t, rules.HeldBack(w.catalog, w.levels, store, "", channelSKU, channelSKU))
		}
		t.Fatal("the reasons given do not hold it back")
	})
}

func (w *world) mend(t *rapid.T, h inventory.HeldBack) {
	switch h.Reason {
	case inventory.NoConnection, inventory.LocationNotFed:
		for i := range w.setup.Connections {
			if w.setup.Connections[i].Store == h.Store {
				w.setup.Connections[i].Links = nil
				return
			}
		}
		w.setup.Connections = append(w.setup.Connections, connect(100, 1, h.Store))
	case inventory.ConnectionDisabled:
		for i, c := range w.setup.Connections {
			if c.ID == h.Connections[0].ID {
				w.setup.Connections[i].Enabled, w.setup.Connections[i].InventoryEnabled = true, true
			}
		}
	case inventory.ListingDisabled:
		for i, l := range w.catalog.Listings {
			if l.Store == h.Store && l.ChannelSKU == h.ChannelSKU {
				w.catalog.Listings[i].InventoryEnabled = true
			}
		}
	case inventory.ListedOtherwise:
		kept := w.catalog.Listings[:0:0]
		for _, l := range w.catalog.Listings {
			if l.Store != h.Store || l.SKU != h.SKU {
				kept = append(kept, l)
			}
		}
		w.catalog.Listings = kept
	case inventory.SkippedByLimit:
		limits := &w.setup.Stores[h.Store-1].Limits
		if (*limits)[h.Position-1].Pattern != h.Pattern {
			t.Fatalf("limit %d is not %s", h.Position, h.Pattern)
		}
		*limits = append((*limits)[:h.Position-1:h.Position-1], (*limits)[h.Position:]...)
	case inventory.NotListed:
		w.setup.Stores[h.Store-1].Scope = inventory.AllSKUs
	case inventory.NotReported:
		for _, c := range w.setup.Connections {
			if c.Store == h.Store {
				w.levels = append(w.levels, available(c.Warehouse, "MENDED", h.SKU, 1))
			}
		}
	default:
		t.Fatalf("%s cannot be", h.Reason)
	}
}

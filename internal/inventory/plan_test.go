package inventory_test

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"stockbridge/internal/inventory"
)

func connect(id, warehouse, store int64, links ...inventory.Link) inventory.Connection {
	return inventory.Connection{ID: id, Warehouse: warehouse, Store: store, Enabled: true, InventoryEnabled: true, Links: links}
}

func available(warehouse int64, facility, sku string, units int64) inventory.Level {
	return inventory.Level{Warehouse: warehouse, Facility: facility, SKU: sku, Available: inventory.Units(units)}
}

func list(id, store int64, sku, channelSKU string) inventory.Listing {
	return inventory.Listing{ID: id, Store: store, SKU: sku, ChannelSKU: channelSKU, InventoryEnabled: true}
}

// feeding is a setup of warehouses and stores numbered from 1.
func feeding(warehouses, stores int, strategy *inventory.Strategy, connections ...inventory.Connection) inventory.Setup {
	s := inventory.Setup{Connections: connections}
	for id := range warehouses {
		s.Warehouses = append(s.Warehouses, inventory.Warehouse{ID: int64(id + 1), Strategy: strategy})
	}
	for id := range stores {
		s.Stores = append(s.Stores, inventory.Store{ID: int64(id + 1)})
	}
	return s
}

var bike = []inventory.Product{{SKU: "BIKE", Components: []inventory.Component{{SKU: "FRAME", Quantity: 1}, {SKU: "WHEEL", Quantity: 2}}}}

// TestWhatVectorsLeaveOpen shows readings that no vector tells apart from others.
func TestWhatVectorsLeaveOpen(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		world world
		want  map[string]int64 // by "store location channelSKU"
	}{
		"4.3 of two listings only the enabled one goes out": {
			world{
				setup: feeding(1, 1, nil, connect(1, 1, 1)),
				catalog: inventory.Catalog{Listings: []inventory.Listing{
					{ID: 1, Store: 1, SKU: "A", ChannelSKU: "X"}, list(2, 1, "A", "Y"),
				}},
				levels: []inventory.Level{available(1, "", "A", 5), available(1, "", "X", 3)},
			},
			map[string]int64{"1  Y": 5},
		},
		"4.9 reports without facility go to stores without links": {
			world{
				setup:  feeding(1, 2, &inventory.Strategy{}, connect(1, 1, 1, inventory.Link{Facility: "EAST", Location: "L1"}), connect(2, 1, 2)),
				levels: []inventory.Level{available(1, "", "A", 9), available(1, "EAST", "A", 4)},
			},
			map[string]int64{"1 L1 A": 2, "2  A": 11},
		},
		"4.9 each facility of a linked connection counts for itself, not below 0, also without strategy": {
			world{
				setup: feeding(1, 2, nil,
					connect(1, 1, 1, inventory.Link{Facility: "EAST", Location: "L1"}, inventory.Link{Facility: "WEST", Location: "L1"}),
					connect(2, 1, 2)),
				levels: []inventory.Level{available(1, "EAST", "A", 9), available(1, "WEST", "A", -4)},
			},
			map[string]int64{"1 L1 A": 9, "2  A": 5},
		},
		"4.10 a location shows 0 where nothing is reported": {
			world{
				setup:  feeding(1, 1, nil, connect(1, 1, 1, inventory.Link{Facility: "EAST", Location: "L1"}, inventory.Link{Facility: "NEVER", Location: "L2"})),
				levels: []inventory.Level{available(1, "EAST", "A", 9), available(1, "WEST", "B", 4)},
			},
			map[string]int64{"1 L1 A": 9, "1 L2 A": 0, "1 L1 B": 0, "1 L2 B": 0},
		},
		"4.10 one connection with links, one without": {
			world{
				setup:  feeding(2, 1, nil, connect(1, 1, 1, inventory.Link{Facility: "EAST", Location: "L1"}), connect(2, 2, 1)),
				levels: []inventory.Level{available(1, "EAST", "A", 9), available(2, "EAST", "A", 4), available(2, "EAST", "B", 3)},
			},
			map[string]int64{"1 L1 A": 9, "1  A": 4, "1 L1 B": 0, "1  B": 3},
		},
		"4.10 a link given twice counts once": {
			world{
				setup:  feeding(1, 1, nil, connect(1, 1, 1, inventory.Link{Facility: "EAST", Location: "L1"}, inventory.Link{Facility: "EAST", Location: "L1"})),
				levels: []inventory.Level{available(1, "EAST", "A", 9)},
			},
			map[string]int64{"1 L1 A": 9},
		},
		"4.4 components at different locations make no bundle, facilities of one location do": {
			world{
				setup: feeding(1, 2, nil,
					connect(1, 1, 1, inventory.Link{Facility: "EAST", Location: "L1"}, inventory.Link{Facility: "WEST", Location: "L2"}),
					connect(2, 1, 2, inventory.Link{Facility: "EAST", Location: "L1"}, inventory.Link{Facility: "WEST", Location: "L1"})),
				catalog: inventory.Catalog{Products: bike, Listings: []inventory.Listing{list(1, 1, "BIKE", "SET"), list(2, 2, "BIKE", "SET")}},
				levels:  []inventory.Level{available(1, "EAST", "FRAME", 2), available(1, "EAST", "WHEEL", 1), available(1, "WEST", "WHEEL", 3)},
			},
			map[string]int64{
				"1 L1 SET": 0, "1 L2 SET": 0, "2 L1 SET": 2, "1 L1 FRAME": 2, "1 L2 FRAME": 0, "1 L1 WHEEL": 1, "1 L2 WHEEL": 3,
				"2 L1 FRAME": 2, "2 L1 WHEEL": 4,
			},
		},
		"4.4 components in different warehouses make no bundle": {
			world{
				setup:   feeding(2, 1, nil, connect(1, 1, 1), connect(2, 2, 1)),
				catalog: inventory.Catalog{Products: bike, Listings: []inventory.Listing{list(1, 1, "BIKE", "SET")}},
				levels:  []inventory.Level{available(1, "", "FRAME", 5), available(1, "", "WHEEL", 3), available(2, "", "WHEEL", 9)},
			},
			map[string]int64{"1  SET": 1, "1  FRAME": 5, "1  WHEEL": 12},
		},
		"4.4 a component named twice is needed twice": {
			world{
				setup: feeding(1, 1, nil, connect(1, 1, 1)),
				catalog: inventory.Catalog{Products: []inventory.Product{{SKU: "PAIR", Components: []inventory.Component{
					{SKU: "A", Quantity: 1}, {SKU: "A", Quantity: 1},
				}}}},
				levels: []inventory.Level{available(1, "", "A", 5), available(1, "", "PAIR", 0)},
			},
			map[string]int64{"1  A": 5, "1  PAIR": 2},
		},
		"4.6 a shadowed SKU's store takes no share": {
			world{
				setup:   feeding(1, 2, &inventory.Strategy{}, connect(1, 1, 1), connect(2, 1, 2)),
				catalog: inventory.Catalog{Listings: []inventory.Listing{list(1, 1, "A", "B")}},
				levels:  []inventory.Level{available(1, "", "A", 4), available(1, "", "B", 4)},
			},
			map[string]int64{"1  B": 2, "2  A": 2, "2  B": 4},
		},
		"4.6 of equal priority the older connection comes first": {
			world{
				setup:  feeding(1, 3, &inventory.Strategy{}, connect(3, 1, 1), connect(1, 1, 2), connect(2, 1, 3)),
				levels: []inventory.Level{available(1, "", "A", 5)},
			},
			map[string]int64{"1  A": 1, "2  A": 2, "3  A": 2},
		},
		"4.8 where all weights are 0 nobody gets any": {
			world{
				setup: feeding(1, 1, &inventory.Strategy{
					Distribution: inventory.Weighted, Shares: []inventory.Share{{Store: 1, Weight: new(int64)}},
				}, connect(1, 1, 1)),
				levels: []inventory.Level{available(1, "", "A", 4)},
			},
			map[string]int64{"1  A": 0},
		},
		"4.8 products of large figures and weights are exact": {
			world{
				setup: feeding(1, 2, &inventory.Strategy{
					Distribution: inventory.Weighted, Shares: []inventory.Share{
						{Store: 1, Weight: new(int64(inventory.MaxWeight))}, {Store: 2, Weight: new(int64(inventory.MaxWeight - 1))},
					},
				}, connect(1, 1, 1), connect(2, 1, 2)),
				levels: []inventory.Level{available(1, "EAST", "A", 1<<31-1), available(1, "WEST", "A", 1<<31-1)},
			},
			map[string]int64{"1  A": 1<<31 - 1, "2  A": 1<<31 - 1},
		},
		"4.5 a SKU that is skipped still keeps its channel SKU": {
			world{
				setup: inventory.Setup{
					Warehouses:  []inventory.Warehouse{{ID: 1}},
					Stores:      []inventory.Store{{ID: 1, Limits: []inventory.Limit{{Pattern: "A", Action: inventory.Skip}}}},
					Connections: []inventory.Connection{connect(1, 1, 1)},
				},
				catalog: inventory.Catalog{Listings: []inventory.Listing{list(1, 1, "A", "B")}},
				levels:  []inventory.Level{available(1, "", "A", 4), available(1, "", "B", 4), available(1, "", "C", 1)},
			},
			map[string]int64{"1  C": 1},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got := map[string]int64{}
			for _, x := range tt.world.plan(nil) {
				got[fmt.Sprint(x.Store, " ", x.Location, " ", x.ChannelSKU)] = x.Quantity
			}
			if !maps.Equal(got, tt.want) {
				t.Errorf("got %v, want %v", got, tt.want)
			}
		})
	}
}

// TestCommittedOfWhatFeedsALevel: the committed figures of a level are those of its own
// facilities, of all its warehouses, and a bundle has none (spec 2.2).
func TestCommittedOfWhatFeedsALevel(t *testing.T) {
	t.Parallel()
	w := world{
		setup: feeding(2, 2, nil, connect(1, 1, 1, inventory.Link{Facility: "EAST", Location: "L1"}),
			connect(2, 2, 1, inventory.Link{Facility: "EAST", Location: "L1"}), connect(3, 1, 2)),
		catalog: inventory.Catalog{Products: bike},
	}
	w.levels = []inventory.Level{
		{Warehouse: 1, Facility: "EAST", SKU: "A", Committed: inventory.Units(1)},
		{Warehouse: 1, Facility: "WEST", SKU: "A", Committed: inventory.Units(10)},
		{Warehouse: 1, Facility: "NORTH", SKU: "A"},
		{Warehouse: 2, Facility: "EAST", SKU: "A", Committed: inventory.Units(100)},
		{Warehouse: 1, Facility: "WEST", SKU: "B", Committed: inventory.Units(0)},
		{Warehouse: 1, Facility: "EAST", SKU: "BIKE", Committed: inventory.Units(5)},
	}
	got := map[place]inventory.Figure{}
	for _, x := range w.plan(nil) {
		got[placeOf(x)] = x.Committed
	}
	want := map[place]inventory.Figure{
		{1, "L1", "A"}: inventory.Units(101), {2, "", "A"}: inventory.Units(11),
		{1, "L1", "B"}: {}, {2, "", "B"}: inventory.Units(0),
		{1, "L1", "BIKE"}: {}, {2, "", "BIKE"}: {},
	}
	if !maps.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

func TestPlanForSomeIsPartOfPlanForAll(t *testing.T) {
	t.Parallel()
	rapid.Check(t, planForSome)
}

// FuzzPlan lets the fuzzer draw the worlds.
func FuzzPlan(f *testing.F) {
	for seed := range byte(8) {
		world := make([]byte, 16<<10) // enough to draw one from
		_, _ = rand.NewChaCha8([32]byte{seed}).Read(world)
		f.Add(world)
	}
	f.Fuzz(rapid.MakeFuzz(func(t *rapid.T) {
		planForSome(t)
		explanationAddsUp(t)
	}))
}

// planForSome holds Plan's contract on a drawn world: given no more than what is related
// to the outputs, in any order, it answers with their part of the plan for all.
func planForSome(t *rapid.T) {
	w := drawWorld(t)
	all := w.plan(nil)
	outputs := []string{}
	for _, sku := range slices.Concat(plainSKUs, bundleSKUs, []string{"UNKNOWN"}) {
		if rapid.IntRange(0, 2).Draw(t, "output") == 0 {
			outputs = append(outputs, sku)
		}
	}
	related := inventory.NewBundles(w.catalog.Products).Related(outputs)
	some := w.shuffled(rapid.Uint64().Draw(t, "seed"))
	some.catalog.Products = slices.DeleteFunc(some.catalog.Products, func(p inventory.Product) bool { return !slices.Contains(related, p.SKU) })
	some.catalog.Listings = slices.DeleteFunc(some.catalog.Listings, func(l inventory.Listing) bool {
		return !slices.Contains(related, l.SKU) && !slices.Contains(related, l.ChannelSKU)
	})
	some.levels = slices.DeleteFunc(some.levels, func(l inventory.Level) bool { return !slices.Contains(related, l.SKU) })
	want := slices.DeleteFunc(slices.Clone(all), func(x inventory.Target) bool { return !slices.Contains(outputs, x.SKU) })
	if got := some.plan(outputs); !slices.Equal(got, want) {
		t.Fatalf("Plan(%q) = %+v, want %+v", outputs, got, want)
	}
}

// TestRelated: a SKU bears on its bundles, and on what it shares a bundle's component
// with, since that decides who takes part in the component (spec 4.6).
func TestRelated(t *testing.T) {
	t.Parallel()
	b := inventory.NewBundles([]inventory.Product{
		{SKU: "K1", Components: []inventory.Component{{SKU: "A", Quantity: 1}, {SKU: "B", Quantity: 1}}},
		{SKU: "K2", Components: []inventory.Component{{SKU: "B", Quantity: 1}, {SKU: "C", Quantity: 1}}},
		{SKU: "D"},
	})
	for sku, want := range map[string][]string{
		"A": {"A", "K1"}, "B": {"B", "K1", "K2"}, "K1": {"A", "B", "K1", "K2"}, "K2": {"B", "C", "K1", "K2"}, "D": {"D"}, "E": {"E"},
	} {
		if got := b.Related([]string{sku}); !slices.Equal(got, want) {
			t.Errorf("%s bears on %v, want %v", sku, got, want)
		}
	}
}

// TestTargets holds what must be true of the targets of any world.
func TestTargets(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		w := drawWorld(t)
		targets := w.plan(nil)
		if other := w.shuffled(rapid.Uint64().Draw(t, "seed")).plan(nil); !slices.Equal(targets, other) {
			t.Fatalf("in another order: %+v, not %+v", other, targets)
		}
		quantities := map[place]int64{}
		passing := map[place]int64{} // by place with the SKU
		for i, x := range targets {
			if i > 0 && !before(targets[i-1], x) {
				t.Fatalf("%+v stands before %+v", targets[i-1], x)
			}
			if _, twice := quantities[placeOf(x)]; twice || x.Quantity < 0 {
				t.Fatalf("target %+v comes twice or is below 0", x)
			}
			quantities[placeOf(x)] = x.Quantity
			if x.Listing == 0 {
				passing[placeOf(x)] = x.Quantity
			}
		}
		for _, x := range targets {
			for _, p := range w.catalog.Products {
				for _, c := range p.Components {
					part, found := passing[place{x.Store, x.Location, c.SKU}]
					if p.SKU == x.SKU && found && x.Quantity*c.Quantity > part {
						t.Fatalf("%+v takes more than the %d of %s", x, part, c.SKU)
					}
				}
			}
		}
	})
}

// before is the order of Plan's answer.
func before(a, b inventory.Target) bool {
	key := func(x inventory.Target) []string {
		return []string{fmt.Sprintf("%020d", x.Store), x.SKU, x.ChannelSKU, x.Location}
	}
	return slices.Compare(key(a), key(b)) < 0
}

// TestExcludedStoreTakesNoShare: a store whose limits skip everything has no targets, and
// leaves the others what they would get without it (spec 4.6). Only its links go on
// making its warehouses' facilities the units (spec 4.9).
func TestExcludedStoreTakesNoShare(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		w := drawWorld(t)
		w.setup.Stores[0].Limits = []inventory.Limit{{Pattern: "*", Action: inventory.Skip}}
		for i := range w.setup.Connections {
			if w.setup.Connections[i].Store == w.setup.Stores[0].ID {
				w.setup.Connections[i].Links = nil
			}
		}
		excluded := w.plan(nil)
		for i := range w.setup.Connections {
			if w.setup.Connections[i].Store == w.setup.Stores[0].ID {
				w.setup.Connections[i].Enabled = false
			}
		}
		if absent := w.plan(nil); !slices.Equal(excluded, absent) {
			t.Fatalf("excluded: %+v, absent: %+v", excluded, absent)
		}
	})
}

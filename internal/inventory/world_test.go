package inventory_test

import (
	"math/rand/v2"
	"slices"

	"pgregory.net/rapid"

	"stockbridge/internal/inventory"
)

// world is everything that a plan is made of.
type world struct {
	setup   inventory.Setup
	catalog inventory.Catalog
	levels  []inventory.Level
}

func (w world) plan(outputs []string) []inventory.Target {
	return inventory.NewRules(w.setup).Plan(w.catalog, w.levels, outputs)
}

// place is what names a target.
type place struct {
	store      int64
	location   string
	channelSKU string
}

func placeOf(t inventory.Target) place { return place{t.Store, t.Location, t.ChannelSKU} }

var (
	plainSKUs  = []string{"A-1", "A-2", "B-1", "B-2", "C", "D"}
	bundleSKUs = []string{"KIT-1", "KIT-2", "KIT-3"}
	facilities = []string{"", "EAST", "WEST", "NORTH"}
	locations  = []string{"L1", "L2"}
)

// drawWorld makes a small world in which all rules of spec section 4 meet.
func drawWorld(t *rapid.T) world {
	var w world
	warehouses := rapid.IntRange(1, 3).Draw(t, "warehouses")
	stores := rapid.IntRange(1, 4).Draw(t, "stores")
	for id := range warehouses {
		w.setup.Warehouses = append(w.setup.Warehouses, inventory.Warehouse{
			ID:       int64(id + 1),
			Source:   rapid.SampledFrom([]inventory.QuantitySource{"", inventory.SourceAvailable, inventory.SourceOnHand}).Draw(t, "source"),
			Strategy: drawStrategy(t, stores),
		})
	}
	for id := range stores {
		w.setup.Stores = append(w.setup.Stores, drawStore(t, int64(id+1)))
	}
	ids := rapid.Permutation([]int64{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12}).Draw(t, "connection ids")
	for i := range warehouses * stores {
		if rapid.IntRange(0, 3).Draw(t, "connected") > 0 {
			w.setup.Connections = append(w.setup.Connections, drawConnection(t, ids[i], int64(i%warehouses+1), int64(i/warehouses+1)))
		}
	}
	w.catalog = drawCatalog(t, stores)
	for id := range warehouses {
		for _, sku := range slices.Concat(plainSKUs, bundleSKUs) {
			for _, facility := range facilities {
				if rapid.Bool().Draw(t, "reported") {
					w.levels = append(w.levels, inventory.Level{
						Warehouse: int64(id + 1), Facility: facility, SKU: sku,
						Available: drawFigure(t), OnHand: drawFigure(t), Committed: drawFigure(t),
					})
				}
			}
		}
	}
	return w
}

func drawStore(t *rapid.T, id int64) inventory.Store {
	s := inventory.Store{ID: id, Scope: rapid.SampledFrom([]inventory.Scope{"", inventory.AllSKUs, inventory.ListedSKUs}).Draw(t, "scope")}
	for range rapid.IntRange(-2, 3).Draw(t, "limits") {
		s.Limits = append(s.Limits, inventory.Limit{
			Pattern: rapid.SampledFrom([]string{"*", "A-*", "?", "*-1", "C", "A-1", "KIT-?", "[A-B]-2", "[!A]*", "KIT-1"}).Draw(t, "pattern"),
			Action:  rapid.SampledFrom([]inventory.Action{inventory.Send, inventory.Skip}).Draw(t, "action"),
		})
	}
	return s
}

func drawConnection(t *rapid.T, id, warehouse, store int64) inventory.Connection {
	c := inventory.Connection{
		ID: id, Warehouse: warehouse, Store: store, Priority: rapid.IntRange(0, 2).Draw(t, "priority"),
		Enabled:          rapid.IntRange(0, 7).Draw(t, "enabled") > 0,
		InventoryEnabled: rapid.IntRange(0, 7).Draw(t, "inventory enabled") > 0,
	}
	if rapid.IntRange(0, 3).Draw(t, "linked") == 0 {
		for _, facility := range []string{"EAST", "WEST", "NORTH", "NEVER"} {
			if rapid.Bool().Draw(t, "link") {
				c.Links = append(c.Links, inventory.Link{Facility: facility, Location: rapid.SampledFrom(locations).Draw(t, "location")})
			}
		}
	}
	return c
}

func drawStrategy(t *rapid.T, stores int) *inventory.Strategy {
	if rapid.IntRange(0, 3).Draw(t, "strategy") == 0 {
		return nil
	}
	s := &inventory.Strategy{
		MinimumDistributable: rapid.SampledFrom([]int64{0, 0, 1, 5, 20}).Draw(t, "minimum"),
		Distribution:         rapid.SampledFrom([]inventory.Distribution{"", inventory.Equal, inventory.Weighted, inventory.InPriority, inventory.Fixed}).Draw(t, "distribution"),
		Remainder:            rapid.SampledFrom([]inventory.Remainder{"", inventory.Spread, inventory.HoldBack}).Draw(t, "remainder"),
		Buffer: inventory.Buffer{
			Kind:       rapid.SampledFrom([]inventory.BufferKind{inventory.NoBuffer, inventory.PercentageBuffer, inventory.FixedQuantityBuffer}).Draw(t, "buffer"),
			Percentage: rapid.SampledFrom([]inventory.Percentage{0, 1, 1000, 1250, 3333, 9999, inventory.MaxPercentage}).Draw(t, "percentage"),
			Quantity:   rapid.Int64Range(0, 10).Draw(t, "buffer quantity"),
		},
	}
	for id := range stores {
		if rapid.Bool().Draw(t, "share") {
			s.Shares = append(s.Shares, inventory.Share{
				Store:    int64(id + 1),
				Weight:   drawUnits(t, 0, 1, 2, 5, 1<<31-1, inventory.MaxWeight),
				Cap:      drawUnits(t, 0, 1, 3, 20),
				Quantity: drawUnits(t, 0, 1, 5, 20),
			})
		}
	}
	return s
}

func drawCatalog(t *rapid.T, stores int) inventory.Catalog {
	var c inventory.Catalog
	for _, sku := range bundleSKUs {
		if rapid.IntRange(0, 3).Draw(t, "bundle") == 0 {
			continue
		}
		p := inventory.Product{SKU: sku}
		for _, part := range rapid.Permutation(plainSKUs).Draw(t, "components")[:rapid.IntRange(1, 3).Draw(t, "components")] {
			p.Components = append(p.Components, inventory.Component{SKU: part, Quantity: rapid.Int64Range(1, 3).Draw(t, "quantity")})
		}
		c.Products = append(c.Products, p)
	}
	taken := map[place]bool{}
	for range rapid.IntRange(0, 12).Draw(t, "listings") {
		l := inventory.Listing{
			ID:               int64(len(c.Listings) + 1),
			Store:            int64(rapid.IntRange(1, stores).Draw(t, "listing store")),
			SKU:              rapid.SampledFrom(slices.Concat(plainSKUs, bundleSKUs, bundleSKUs)).Draw(t, "listed"),
			ChannelSKU:       rapid.SampledFrom(slices.Concat(plainSKUs, bundleSKUs, []string{"X-1", "X-2", "X-3"})).Draw(t, "channel SKU"),
			InventoryEnabled: rapid.IntRange(0, 3).Draw(t, "listing enabled") > 0,
			MaxQuantity:      drawUnits(t, 0, 3, 10),
		}
		if at := (place{store: l.Store, channelSKU: l.ChannelSKU}); !taken[at] {
			taken[at] = true
			c.Listings = append(c.Listings, l)
		}
	}
	return c
}

func drawFigure(t *rapid.T) inventory.Figure {
	if rapid.IntRange(0, 4).Draw(t, "known") == 0 {
		return inventory.Figure{}
	}
	if rapid.IntRange(0, 20).Draw(t, "extreme") == 0 {
		return inventory.Units(rapid.SampledFrom([]int64{-1 << 31, 1<<31 - 1}).Draw(t, "units"))
	}
	return inventory.Units(rapid.Int64Range(-5, 40).Draw(t, "units"))
}

// drawUnits is nil as often as one of the values.
func drawUnits(t *rapid.T, values ...int64) *int64 {
	if rapid.Bool().Draw(t, "given") {
		return new(rapid.SampledFrom(values).Draw(t, "units"))
	}
	return nil
}

// shuffled is the same world with every list in another order, but for limits, whose
// order counts.
func (w world) shuffled(seed uint64) world {
	r := rand.New(rand.NewPCG(seed, 1))
	s := world{levels: shuffle(r, w.levels)}
	s.setup.Stores = shuffle(r, w.setup.Stores)
	s.setup.Warehouses = shuffle(r, w.setup.Warehouses)
	for i, x := range s.setup.Warehouses {
		if x.Strategy != nil {
			strategy := *x.Strategy
			strategy.Shares = shuffle(r, strategy.Shares)
			s.setup.Warehouses[i].Strategy = &strategy
		}
	}
	s.setup.Connections = shuffle(r, w.setup.Connections)
	for i, c := range s.setup.Connections {
		s.setup.Connections[i].Links = shuffle(r, c.Links)
	}
	s.catalog.Listings = shuffle(r, w.catalog.Listings)
	s.catalog.Products = shuffle(r, w.catalog.Products)
	for i, p := range s.catalog.Products {
		s.catalog.Products[i].Components = shuffle(r, p.Components)
	}
	return s
}

func shuffle[T any](r *rand.Rand, of []T) []T {
	of = slices.Clone(of)
	r.Shuffle(len(of), func(i, j int) { of[i], of[j] = of[j], of[i] })
	return of
}

package inventory

import (
	"cmp"
	"math"
	"slices"
)

// plan is one call's catalog and levels, by SKU. SKUs are numbered as they are met.
type plan struct {
	*Rules
	ids        map[string]int32
	skus       []string
	outputs    []int32 // by SKU
	rows       grouped[row]
	listings   grouped[listing]
	within     grouped[int32] // bundles by component
	components map[int32][]component

	marks    []mark // by SKU, then store
	received []bool // by SKU: its marks are complete

	componentShares map[int32][]int64 // by slot

	// Scratch, reused from SKU to SKU.
	reports    []bool // by warehouse
	taking     []mark // by store
	division   division
	slotShares []int64 // by slot
	assembled  []int64
	committed  []Figure
}

// row is a level of a warehouse that feeds a store.
type row struct {
	warehouse int32
	*Level
}

// component is a Component by number.
type component struct {
	sku      int32
	quantity int64
}

// listing is a listing on a store that is fed.
type listing struct {
	store int32
	*Listing
}

func (r *Rules) newPlan(cat Catalog, levels []Level, outputs []string) *plan {
	p := &plan{
		Rules:           r,
		ids:             make(map[string]int32, max(len(outputs), len(levels))),
		components:      map[int32][]component{},
		componentShares: map[int32][]int64{},
		reports:         make([]bool, len(r.warehouses)),
		taking:          make([]mark, len(r.stores)),
		slotShares:      make([]int64, r.slots),
		assembled:       make([]int64, r.slots),
		committed:       make([]Figure, r.slots),
	}
	for _, sku := range outputs {
		p.id(sku)
	}
	named := len(p.skus)
	for i := range levels {
		k := p.id(levels[i].SKU)
		if w, fed := r.warehouseAt[levels[i].Warehouse]; fed {
			p.rows.add(k, row{w, &levels[i]})
		}
	}
	for _, x := range cat.Products {
		if len(x.Components) > 0 {
			p.addBundle(x)
		}
	}
	for i := range cat.Listings {
		k := p.id(cat.Listings[i].SKU)
		if s, fed := r.storeAt[cat.Listings[i].Store]; fed {
			p.listings.add(k, listing{s, &cat.Listings[i]})
		}
	}
	p.index()
	// With no outputs named, SKUs that are only products come along and have no target.
	if outputs == nil {
		named = len(p.skus)
	}
	p.outputs = make([]int32, named)
	for k := range p.outputs {
		p.outputs[k] = int32(k)
	}
	slices.SortFunc(p.outputs, func(a, b int32) int { return cmp.Compare(p.skus[a], p.skus[b]) })
	return p
}

// id numbers a SKU.
func (p *plan) id(sku string) int32 {
	k, met := p.ids[sku]
	if !met {
		k = int32(len(p.skus))
		p.ids[sku] = k
		p.skus = append(p.skus, sku)
	}
	return k
}

func (p *plan) addBundle(x Product) {
	bundle := p.id(x.SKU)
	components := make([]component, 0, len(x.Components))
	for _, c := range x.Components {
		sku, quantity := p.id(c.SKU), max(c.Quantity, 1)
		same := func(c component) bool { return c.sku == sku }
		if i := slices.IndexFunc(components, same); i >= 0 { // named twice: needed in the sum
			components[i].quantity += min(quantity, math.MaxInt64-components[i].quantity)
			continue
		}
		components = append(components, component{sku, quantity})
		p.within.add(sku, bundle)
	}
	p.components[bundle] = components
}

// index groups what was added once all SKUs are numbered.
func (p *plan) index() {
	n := len(p.skus)
	p.rows.group(n, func(a, b row) int {
		return cmp.Or(cmp.Compare(a.warehouse, b.warehouse), cmp.Compare(a.Facility, b.Facility))
	})
	p.listings.group(n, func(a, b listing) int {
		return cmp.Or(cmp.Compare(a.store, b.store), cmp.Compare(a.ChannelSKU, b.ChannelSKU))
	})
	p.within.group(n, cmp.Compare[int32])
	p.received = make([]bool, n)
	p.marks = make([]mark, n*len(p.stores))
	for k := range n {
		for _, l := range p.listings.of(int32(k)) {
			m := listed
			if l.InventoryEnabled {
				m |= enabled
			}
			p.marks[k*len(p.stores)+int(l.store)] |= m
			if named, met := p.ids[l.ChannelSKU]; met {
				p.marks[int(named)*len(p.stores)+int(l.store)] |= owned
			}
		}
	}
}

// grouped holds values by SKU: first added, then grouped, then read.
type grouped[T any] struct {
	keys   []int32
	values []T // as added; by key once grouped
	start  []int32
}

func (g *grouped[T]) add(k int32, value T) {
	g.keys = append(g.keys, k)
	g.values = append(g.values, value)
}

// group orders the values by key, of n keys in all, and within a key by order.
func (g *grouped[T]) group(n int, order func(a, b T) int) {
	g.start = make([]int32, n+2)
	for _, k := range g.keys {
		g.start[k+2]++
	}
	for k := range n {
		g.start[k+2] += g.start[k+1]
	}
	by := make([]T, len(g.values))
	for i, k := range g.keys {
		by[g.start[k+1]] = g.values[i]
		g.start[k+1]++
	}
	g.values, g.keys = by, nil
	for k := range n {
		if of := g.of(int32(k)); len(of) > 1 {
			slices.SortFunc(of, order)
		}
	}
}

func (g *grouped[T]) of(k int32) []T { return g.values[g.start[k]:g.start[k+1]] }

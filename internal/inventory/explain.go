package inventory

import (
	"math"
	"slices"
)

// Explanation says how the quantity of one target came about (spec 2.4). Its figures
// are the very ones that Plan adds up: Target.Quantity is Sum, or Max if that is less.
type Explanation struct {
	Target        Target
	Contributions []Contribution // by priority, then age
	Sum           int64          // of the contributions
	Max           *int64         // the listing's cap; nil: none
}

// Contribution is what one connection adds to a target.
type Contribution struct {
	Connection int64
	Warehouse  int64
	Source     QuantitySource
	Strategy   *Strategy // nil: every store gets the full sellable quantity
	Quantity   int64     // of a bundle the least Bundles of its components, else the share
	Stock      []Stock   // of the SKU itself, or of each component of a bundle
}

// Stock is what a connection gives the store of one SKU's stock at one location.
type Stock struct {
	SKU       string
	PerBundle int64 // units that one bundle holds; 0: the target is no bundle
	Share     int64 // the sum of the units' shares
	Bundles   int64 // ⌊Share ÷ PerBundle⌋, worked out for bundles only
	Limiting  bool  // no component of the bundle makes fewer
	Units     []Unit
}

// Unit is one unit of partition that feeds the target (spec 4.9): a warehouse's total or
// one facility. There is none where nothing of the SKU is reported.
type Unit struct {
	Facility      string // where Whole is false; may be "", the facility of reports that name none
	Whole         bool
	Levels        []Level // by facility
	Sellable      int64   // the sum of the levels' figures, not below 0
	Buffer        int64   // held back
	Distributable int64   // Sellable − Buffer
	TooFew        bool    // Distributable is below the strategy's minimum: no store gets any
	Stores        []StoreShare
	Share         int64 // this store's, one of Stores
}

// StoreShare is what a store that takes part gets of a unit. Stores come by priority,
// then age, of their connections.
type StoreShare struct {
	Store int64
	Share int64
}

// Explain explains the target that Plan, given the same and the target's SKU, works out
// for a store, location and channel SKU. It answers false where there is no such target.
func (r *Rules) Explain(cat Catalog, levels []Level, store int64, location, channelSKU string) (Explanation, bool) {
	return r.Explainer(cat, levels).Explain(store, location, channelSKU)
}

// Explainer explains any number of targets of what it is given, one at a time.
func (r *Rules) Explainer(cat Catalog, levels []Level) *Explainer {
	e := &Explainer{plan: r.newPlan(cat, levels, nil), listed: make(map[channelPlace]string, len(cat.Listings))}
	for _, l := range cat.Listings {
		e.listed[channelPlace{l.Store, l.ChannelSKU}] = l.SKU
	}
	return e
}

// Explainer is a catalog and levels made ready for explaining.
type Explainer struct {
	plan   *plan
	listed map[channelPlace]string // SKUs
}

type channelPlace struct {
	store int64
	sku   string
}

// Explain is Rules.Explain.
func (x *Explainer) Explain(store int64, location, channelSKU string) (e Explanation, found bool) {
	p := x.plan
	s, fed := p.storeAt[store]
	if !fed {
		return e, false
	}
	at, fed := slices.BinarySearch(p.stores[s].locations, location)
	if !fed {
		return e, false
	}
	sku, listed := x.listed[channelPlace{store, channelSKU}]
	if !listed {
		sku = channelSKU
	}
	k, known := p.ids[sku]
	if !known {
		return e, false
	}
	p.offers(k, func(to int32, l *Listing) {
		if to == s && (l == nil || l.ChannelSKU == channelSKU) {
			e, found = p.explain(k, s, int32(at), l), true
		}
	})
	return e, found
}

func (p *plan) explain(k, s, location int32, l *Listing) Explanation {
	st := &p.stores[s]
	quantities := p.quantities(k)
	targets := make([]Target, len(st.locations))
	p.fill(targets, k, s, l, quantities, p.committedTo(k))
	e := Explanation{Target: targets[location]}
	if l != nil {
		e.Max = l.MaxQuantity
	}
	for _, f := range st.feeds {
		if f.location == location {
			w := &p.warehouses[f.warehouse]
			e.Sum += quantities[f.slot]
			e.Contributions = append(e.Contributions, Contribution{
				Connection: f.connection, Warehouse: w.ID, Source: w.Source, Strategy: w.Strategy,
				Quantity: quantities[f.slot], Stock: p.stock(k, f.slot),
			})
		}
	}
	return e
}

// stock says what the slot gets of a SKU's own stock, or of each of its components'.
func (p *plan) stock(k, slot int32) []Stock {
	components := p.components[k]
	if len(components) == 0 {
		return []Stock{p.stockOf(k, slot)}
	}
	stock := make([]Stock, len(components))
	least := int64(math.MaxInt64)
	for i, c := range components {
		stock[i] = p.stockOf(c.sku, slot)
		stock[i].PerBundle, stock[i].Bundles = c.quantity, stock[i].Share/c.quantity
		least = min(least, stock[i].Bundles)
	}
	for i := range stock {
		stock[i].Limiting = stock[i].Bundles == least
	}
	return stock
}

func (p *plan) stockOf(k, slot int32) Stock {
	stock := Stock{SKU: p.skus[k]}
	p.divisions(k, func(d *division) {
		i := slices.IndexFunc(d.takers, func(t drawer) bool { return slices.Contains(t.slots, slot) })
		if i < 0 {
			return
		}
		u := Unit{
			Facility: d.facility, Whole: d.whole, Sellable: d.sellable, Buffer: d.buffer,
			Distributable: d.distributable, TooFew: d.tooFew, Share: d.shares[i],
		}
		for _, row := range d.rows {
			u.Levels = append(u.Levels, *row.Level)
		}
		for j, t := range d.takers {
			u.Stores = append(u.Stores, StoreShare{p.stores[t.store].id, d.shares[j]})
		}
		stock.Share += u.Share
		stock.Units = append(stock.Units, u)
	})
	return stock
}

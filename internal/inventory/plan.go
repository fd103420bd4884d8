package inventory

// Target is what a store is to show under a channel SKU at a location, "" for its level
// with no location. Store, Location and ChannelSKU name it.
type Target struct {
	Store      int64
	Location   string
	ChannelSKU string
	SKU        string // of the product or at the warehouse
	Listing    int64  // 0: passing through under its own SKU
	Quantity   int64  // units, ≥ 0

	// Committed sums the known committed figures of the facilities that feed the
	// level. Unknown where there are none, and for a bundle.
	Committed Figure
}

// Plan works out the targets of the SKUs in outputs, or with nil of every SKU that is
// reported or listed, by store, SKU, channel SKU and location. A store has a target for
// a SKU it receives at every location its connections feed, at 0 where nothing is
// reported. Who does not receive a SKU has none.
//
// The caller hands over all that bears on outputs. With R = Bundles.Related(outputs)
// that is: the bundles among R, the levels of R in all warehouses, the listings of R on
// all stores, and the listings whose channel SKU is one of R. More does no harm: the
// result is that of a plan for everything, without the other SKUs. Chunks of a few
// thousand SKUs take some 0.2 µs a target (BenchmarkPlan).
func (r *Rules) Plan(cat Catalog, levels []Level, outputs []string) []Target {
	p := r.newPlan(cat, levels, outputs)
	next := make([]int, len(r.stores)+1) // where each store's next target goes; counted first
	for _, k := range p.outputs {
		p.offers(k, func(s int32, _ *Listing) { next[s+1] += len(r.stores[s].locations) })
	}
	for s := range r.stores {
		next[s+1] += next[s]
	}
	targets := make([]Target, next[len(r.stores)])
	for _, k := range p.outputs {
		quantities, committed := p.quantities(k), p.committedTo(k)
		p.offers(k, func(s int32, l *Listing) {
			at := targets[next[s]:][:len(r.stores[s].locations)]
			next[s] += len(at)
			p.fill(at, k, s, l, quantities, committed)
		})
	}
	return targets
}

// fill makes the targets of a SKU at all locations of a store: the sum over the store's
// connections, capped by the listing (spec 4.11).
func (p *plan) fill(targets []Target, k, s int32, l *Listing, quantities []int64, committed []Figure) {
	st := &p.stores[s]
	for i := range targets {
		t := &targets[i]
		t.Store, t.Location, t.SKU, t.ChannelSKU = st.id, st.locations[i], p.skus[k], p.skus[k]
		if l != nil {
			t.ChannelSKU, t.Listing = l.ChannelSKU, l.ID
		}
	}
	for _, f := range st.feeds {
		t := &targets[f.location]
		t.Quantity += quantities[f.slot]
		if c := committed[f.slot]; c.Known {
			t.Committed = Units(t.Committed.Units + c.Units)
		}
	}
	if l != nil && l.MaxQuantity != nil {
		for i := range targets {
			targets[i].Quantity = min(targets[i].Quantity, max(*l.MaxQuantity, 0))
		}
	}
}

// offers calls visit with what a SKU goes out as (spec 4.3): per store that receives it
// each enabled listing, by channel SKU, or nil for passing through.
func (p *plan) offers(k int32, visit func(s int32, l *Listing)) {
	listings := p.listings.of(k)
	for s, mark := range p.reception(k) {
		switch {
		case mark&receives == 0:
		case mark&listed == 0:
			visit(int32(s), nil)
		default:
			for len(listings) > 0 && listings[0].store < int32(s) {
				listings = listings[1:]
			}
			for len(listings) > 0 && listings[0].store == int32(s) {
				if listings[0].InventoryEnabled {
					visit(int32(s), listings[0].Listing)
				}
				listings = listings[1:]
			}
		}
	}
}

// mark is what is known of a SKU on a store.
type mark uint8

const (
	listed   mark = 1 << iota // by at least one listing
	enabled                   // at least one of them
	owned                     // as channel SKU of a listing, which nothing else may feed
	receives                  // the store gets the SKU; right once reception has been asked
)

// reception gives a SKU's mark on each store (spec 4.3 - 4.5).
func (p *plan) reception(k int32) []mark {
	marks := p.marks[int(k)*len(p.stores):][:len(p.stores)]
	if p.received[k] {
		return marks
	}
	p.received[k] = true
	clear(p.reports)
	for _, row := range p.rows.of(k) {
		p.reports[row.warehouse] = true
	}
	for s := range p.stores {
		st := &p.stores[s]
		comes := marks[s]&enabled != 0
		if marks[s]&(listed|owned) == 0 {
			for _, w := range st.warehouses {
				comes = comes || p.reports[w]
			}
		}
		if comes && st.limits.allow(p.skus[k], marks[s]&listed != 0) {
			marks[s] |= receives
		}
	}
	return marks
}

// takingPart tells which stores receive a SKU, directly or inside a bundle (spec 4.6).
// It is overwritten by the next call.
func (p *plan) takingPart(k int32) []mark {
	marks := p.reception(k)
	within := p.within.of(k)
	if len(within) == 0 {
		return marks
	}
	copy(p.taking, marks)
	for _, bundle := range within {
		for s, m := range p.reception(bundle) {
			p.taking[s] |= m & receives
		}
	}
	return p.taking
}

// divisions calls visit with each unit of partition of a SKU and how it is divided among
// the stores that take part (spec 4.6 - 4.10). It is overwritten by the next.
func (p *plan) divisions(k int32, visit func(*division)) {
	rows := p.rows.of(k)
	if len(rows) == 0 {
		return
	}
	taking := p.takingPart(k)
	d := &p.division
	divide := func(w *warehouse, drawers []drawer, of []row, facility string) {
		d.facility, d.rows, d.sellable, d.takers = facility, of, 0, d.takers[:0]
		for i := range drawers {
			if taking[drawers[i].store]&receives != 0 {
				d.takers = append(d.takers, drawers[i])
			}
		}
		if len(d.takers) == 0 {
			return
		}
		for i := range of {
			units, _ := of[i].figure(w.Source)
			d.sellable += units
		}
		d.sellable = max(d.sellable, 0) // spec 4.1: only the sum must not be below 0
		d.divide(w.Strategy)
		visit(d)
	}
	for len(rows) > 0 {
		n := 1
		for n < len(rows) && rows[n].warehouse == rows[0].warehouse {
			n++
		}
		w := &p.warehouses[rows[0].warehouse]
		d.whole = true
		divide(w, w.whole, rows[:n], "")
		d.whole = false
		for i := range rows[:n] {
			f, named := w.facilities[rows[i].Facility]
			if !named {
				f.drawers = w.elsewhere
			}
			divide(w, f.drawers, rows[i:i+1], rows[i].Facility)
		}
		rows = rows[n:]
	}
}

// shares gives what each slot gets of a SKU's stock. It is overwritten by the next call,
// unless the SKU is a component, whose shares are worked out once.
func (p *plan) shares(k int32) []int64 {
	shares := p.slotShares
	if len(p.within.of(k)) > 0 {
		if p.componentShares[k] != nil {
			return p.componentShares[k]
		}
		shares = make([]int64, p.slots)
		p.componentShares[k] = shares
	}
	clear(shares)
	p.divisions(k, func(d *division) {
		for i := range d.takers {
			for _, slot := range d.takers[i].slots {
				shares[slot] += d.shares[i]
			}
		}
	})
	return shares
}

// quantities gives what each slot adds to its level: its share, or of a bundle as many
// as its shares of all components make (spec 4.4). It is overwritten by the next call.
func (p *plan) quantities(k int32) []int64 {
	components := p.components[k]
	if len(components) == 0 {
		return p.shares(k)
	}
	for i, c := range components {
		for slot, share := range p.shares(c.sku) {
			if makes := share / c.quantity; i == 0 || makes < p.assembled[slot] {
				p.assembled[slot] = makes
			}
		}
	}
	return p.assembled
}

// committedTo sums per slot the known committed figures of what feeds it. It is
// overwritten by the next call.
func (p *plan) committedTo(k int32) []Figure {
	clear(p.committed)
	if len(p.components[k]) > 0 {
		return p.committed
	}
	for _, row := range p.rows.of(k) {
		if !row.Committed.Known {
			continue
		}
		w := &p.warehouses[row.warehouse]
		for _, slot := range w.unlinked {
			p.committed[slot] = Units(p.committed[slot].Units + row.Committed.Units)
		}
		for _, slot := range w.facilities[row.Facility].slots {
			p.committed[slot] = Units(p.committed[slot].Units + row.Committed.Units)
		}
	}
	return p.committed
}

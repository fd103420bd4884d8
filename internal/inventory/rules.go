package inventory

import (
	"cmp"
	"slices"
)

// Rules are a Setup made ready for planning. They never change, so any number of
// goroutines may use them.
type Rules struct {
	warehouses  []warehouse // those with a counting connection
	warehouseAt map[int64]int32
	stores      []store // those with a counting connection, by id
	storeAt     map[int64]int32
	slots       int32
	idle        []Connection // those that do not count, by id
}

// feed is a slot as its store sees it. A slot is one place that a connection feeds: a
// location it links, or the level with no location. All slots are numbered through.
type feed struct {
	slot       int32
	location   int32 // in the store's locations
	connection int64
	warehouse  int32
}

type store struct {
	id         int64
	limits     limits
	locations  []string // that its connections feed, sorted; "" is no location
	feeds      []feed   // by priority, then age
	warehouses []int32  // that feed it
}

// drawer is a store that draws on a unit of partition.
type drawer struct {
	store int32
	slots []int32 // that what it gets goes to
	terms
}

type warehouse struct {
	Warehouse

	// Which stores draw on which unit of partition (spec 4.9, 4.10). With a strategy
	// that is the total (whole) where no connection has links, else each facility.
	// With none there is nothing to split: a connection without links still gets the
	// total (spec 4.6), one with links what its facilities hold, each not below 0.
	whole      []drawer
	facilities map[string]facility // named by links
	elsewhere  []drawer            // draw on facilities that no link names

	unlinked []int32 // slots of the connections without links
}

type facility struct {
	drawers []drawer
	slots   []int32 // that links feed from it
}

// NewRules compiles a setup. The rules go on using its strategies, which must not change.
func NewRules(s Setup) *Rules {
	r := &Rules{warehouseAt: map[int64]int32{}, storeAt: map[int64]int32{}}
	connections, idle := s.counting()
	r.idle = idle
	byWarehouse := map[int64][]Connection{}
	byStore := map[int64][]Connection{}
	for _, c := range connections {
		byWarehouse[c.Warehouse] = append(byWarehouse[c.Warehouse], c)
		byStore[c.Store] = append(byStore[c.Store], c)
	}
	for _, x := range s.Warehouses {
		if len(byWarehouse[x.ID]) > 0 {
			r.warehouseAt[x.ID] = int32(len(r.warehouses))
			r.warehouses = append(r.warehouses, warehouse{Warehouse: x})
		}
	}
	slots := map[int64]map[string]int32{} // by connection and location
	for _, x := range slices.SortedFunc(slices.Values(s.Stores), func(a, b Store) int { return cmp.Compare(a.ID, b.ID) }) {
		if len(byStore[x.ID]) > 0 {
			r.storeAt[x.ID] = int32(len(r.stores))
			r.stores = append(r.stores, r.newStore(x, byStore[x.ID], slots))
		}
	}
	for i := range r.warehouses {
		r.draw(&r.warehouses[i], byWarehouse[r.warehouses[i].ID], slots)
	}
	return r
}

// counting gives the connections that count (spec 4.2) by priority, then age, and those
// that do not for being disabled, by age.
func (s Setup) counting() (counting, idle []Connection) {
	warehouses, stores := map[int64]bool{}, map[int64]bool{}
	for _, w := range s.Warehouses {
		warehouses[w.ID] = true
	}
	for _, x := range s.Stores {
		stores[x.ID] = true
	}
	for _, c := range s.Connections {
		switch {
		case !warehouses[c.Warehouse] || !stores[c.Store]:
		case c.Enabled && c.InventoryEnabled:
			counting = append(counting, c)
		default:
			idle = append(idle, c)
		}
	}
	slices.SortFunc(counting, func(a, b Connection) int {
		return cmp.Or(cmp.Compare(a.Priority, b.Priority), cmp.Compare(a.ID, b.ID))
	})
	slices.SortFunc(idle, func(a, b Connection) int { return cmp.Compare(a.ID, b.ID) })
	return counting, idle
}

// newStore also numbers the slots of the store's connections.
func (r *Rules) newStore(x Store, connections []Connection, slots map[int64]map[string]int32) store {
	st := store{id: x.ID, limits: compileLimits(x)}
	for _, c := range connections {
		st.locations = append(st.locations, c.locations()...)
	}
	st.locations = sorted(st.locations)
	for _, c := range connections {
		w := r.warehouseAt[c.Warehouse]
		st.warehouses = append(st.warehouses, w)
		slots[c.ID] = map[string]int32{}
		for _, location := range c.locations() {
			at, _ := slices.BinarySearch(st.locations, location)
			st.feeds = append(st.feeds, feed{slot: r.slots, location: int32(at), connection: c.ID, warehouse: w})
			slots[c.ID][location] = r.slots
			r.slots++
		}
	}
	return st
}

// locations gives each location that the connection feeds once, sorted.
func (c Connection) locations() []string {
	if len(c.Links) == 0 {
		return []string{""}
	}
	locations := make([]string, len(c.Links))
	for i, l := range c.Links {
		locations[i] = l.Location
	}
	return sorted(locations)
}

// draw works out who draws on which unit of w, in the order of its connections.
func (r *Rules) draw(w *warehouse, connections []Connection, slots map[int64]map[string]int32) {
	w.facilities = map[string]facility{}
	for _, c := range connections {
		for _, l := range c.Links {
			w.facilities[l.Facility] = facility{}
		}
	}
	linked := len(w.facilities) > 0
	for _, c := range connections {
		d := drawer{store: r.storeAt[c.Store], terms: w.Strategy.terms(c.Store)}
		if len(c.Links) == 0 {
			d.slots = []int32{slots[c.ID][""]}
			w.unlinked = append(w.unlinked, d.slots...)
			if !linked || w.Strategy == nil {
				w.whole = append(w.whole, d)
				continue
			}
			w.elsewhere = append(w.elsewhere, d)
		}
		for name, f := range w.facilities {
			if len(c.Links) > 0 {
				d.slots = c.slotsFrom(name, slots[c.ID])
				f.slots = append(f.slots, d.slots...)
			}
			if len(d.slots) > 0 {
				f.drawers = append(f.drawers, d)
			}
			w.facilities[name] = f
		}
	}
}

// slotsFrom gives the slots that the connection's links feed from a facility.
func (c Connection) slotsFrom(facility string, slots map[string]int32) []int32 {
	var from []int32
	for _, l := range c.Links {
		if slot := slots[l.Location]; l.Facility == facility && !slices.Contains(from, slot) {
			from = append(from, slot)
		}
	}
	return from
}

// sorted sorts s in place and gives each of its values once.
func sorted(s []string) []string {
	slices.Sort(s)
	return slices.Compact(s)
}

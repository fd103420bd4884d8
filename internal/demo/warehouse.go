package demo

import (
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// item is a line of what the brand sells.
type item struct {
	sku, name string // no name: not in the catalog, which stock does not need
	stock     int64
}

// goods is what the warehouse begins with.
func goods() []item {
	return []item{
		{"E-BIKE", "E-bike, city", 41}, {"E-BIKE-BATTERY", "Battery, 500 Wh", 93}, {"CITY-BIKE", "City bike, 7 gears", 26}, {"CHILD-SEAT", "Child seat", 17},
		{"HELMET-M", "Helmet, medium", 124}, {"HELMET-L", "Helmet, large", 78}, {"LOCK-CHAIN", "Chain lock", 64}, {"PUMP-MINI", "Pump, pocket size", 33},
		{"LIGHT-FRONT", "Front light", 58}, {"LIGHT-REAR", "Rear light", 59}, {"BELL-BRASS", "", 210}, {"SADDLE-GEL", "", 9},
	}
}

// The bundle: one bike and two batteries.
const (
	bundle    = "BIKE-SET"
	bike      = "E-BIKE"
	battery   = "E-BIKE-BATTERY"
	batteries = 2
)

// simulated is a warehouse that leaves files for Stockbridge, and whose stock moves.
type simulated struct {
	dir   string // files appear in out/ below it
	items []item
	files int
}

// report writes a file with the levels of some items, under another name until it is whole.
func (w *simulated) report(items []item) error {
	var text strings.Builder
	text.WriteString("sku,available,on_hand,committed\n")
	for _, i := range items {
		const committed = 2
		fmt.Fprintf(&text, "%s,%d,%d,%d\n", i.sku, i.stock, i.stock+committed, committed)
	}
	w.files++
	name := filepath.Join(w.dir, "out", fmt.Sprintf("inv_%06d.csv", w.files))
	err := os.MkdirAll(filepath.Dir(name), 0o700)
	if err == nil {
		err = os.WriteFile(name+".part", []byte(text.String()), 0o600)
	}
	if err == nil {
		err = os.Rename(name+".part", name)
	}
	if err != nil {
		return fmt.Errorf("report levels: %w", err)
	}
	return nil
}

// trade sells or gets in a few units of a few items, and returns those.
func (w *simulated) trade() []item {
	var moved []item
	for _, at := range rand.Perm(len(w.items))[:1+rand.IntN(4)] {
		i := &w.items[at]
		if by := 1 + rand.Int64N(6); i.stock < 8 || rand.IntN(3) == 0 {
			i.stock += 3 * by
		} else {
			i.stock = max(0, i.stock-by)
		}
		moved = append(moved, *i)
	}
	return moved
}

// sell takes units of a SKU out of stock, and returns the item.
func (w *simulated) sell(sku string, units int64) item {
	at := slices.IndexFunc(w.items, func(i item) bool { return i.sku == sku })
	w.items[at].stock -= units
	return w.items[at]
}

package database

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"

	"stockbridge/ent/schema/enum"
	"stockbridge/internal/inventory"
)

// LevelPosition is where a change of a preview stands: they come in order of SKU, store, channel SKU and location, bytewise.
type LevelPosition struct {
	SKU        string // of the product or at the warehouse, as it is to be
	Store      int64
	ChannelSKU string
	Location   string // the location's code, "" for none
}

// Compare orders positions.
func (p LevelPosition) Compare(o LevelPosition) int {
	return cmp.Or(strings.Compare(p.SKU, o.SKU), cmp.Compare(p.Store, o.Store), strings.Compare(p.ChannelSKU, o.ChannelSKU), strings.Compare(p.Location, o.Location))
}

// LevelChange is what a change of settings would make of a channel level.
type LevelChange struct {
	LevelPosition
	MerchantID int64
	LocationID Int
	Listing    Int         // absent: passing through, or of a listing that is not made yet
	Before     *LevelState // as it is stored; nil: there is no such level
	After      LevelState
}

// LevelState is what a preview tells of a level, before or after.
type LevelState struct {
	Quantity int64
	Status   enum.LevelStatus // EXCLUDED: held back, and Quantity is what is left standing
}

// Scan says which changes a preview tells, and to whom.
type Scan struct {
	After *LevelPosition         // those beyond it; nil is all
	Store int64                  // those of this store; 0 is all
	Tell  func(LevelChange) bool // false says that it was enough
}

// supposed is what a preview takes the catalog to hold in place of what is stored; zero is what is stored.
type supposed struct {
	bundle  *inventory.Product // without components it is none
	without int64              // a listing
	listing *inventory.Listing
}

func (as supposed) bundles(stored map[string]inventory.Product) {
	if as.bundle == nil {
		return
	}
	delete(stored, as.bundle.SKU)
	if len(as.bundle.Components) > 0 {
		stored[as.bundle.SKU] = *as.bundle
	}
}

func (as supposed) listings(stored []inventory.Listing) []inventory.Listing {
	stored = slices.DeleteFunc(stored, func(l inventory.Listing) bool { return l.ID == as.without })
	if as.listing != nil {
		stored = append(stored, *as.listing)
	}
	return stored
}

// A preview plans as Plan does (spec 3.2), by settings that are only supposed, and tells how the stored levels would
// move. Nothing is written. It goes through the SKUs in order, chunk by chunk, and stops where Tell says so: chunks begin
// small, so that the first page of a long preview is there at once (BenchmarkPreview).
const (
	firstPreview = 250 // SKUs
	mostPreview  = 4000
)

// previewAll goes through everything that a warehouse, or with 0 any of the merchant's, has a bearing on.
func (t *tx) previewAll(ctx context.Context, merchantID, warehouseID int64, w *world, scan Scan) error {
	rules := inventory.NewRules(w.setup)
	var chunk []string
	after := ""
	if scan.After != nil {
		after = scan.After.SKU
		chunk = []string{after}
	}
	for size := firstPreview; ; size = min(4*size, mostPreview) {
		next, err := t.skusToPlan(ctx, merchantID, warehouseID, after, size)
		if err != nil {
			return err
		}
		if chunk = append(chunk, next...); len(chunk) == 0 {
			return nil
		}
		related, cat, err := t.bearing(ctx, merchantID, chunk, map[string]inventory.Product{}, supposed{})
		if err != nil {
			return err
		}
		if more, err := t.tellMoves(ctx, merchantID, w, rules, chunk, related, cat, scan); err != nil || !more || len(next) < size {
			return err
		}
		chunk, after = chunk[:0], next[len(next)-1]
	}
}

// previewSKUs goes through what these SKUs have a bearing on, at once: a channel SKU may pass from one to another.
func (t *tx) previewSKUs(ctx context.Context, merchantID int64, skus []string, as supposed, scan Scan) error {
	w, err := t.world(ctx, merchantID)
	if err != nil {
		return fmt.Errorf("read the setup: %w", err)
	}
	slices.Sort(skus)
	outputs, related, cat, err := t.catalog(ctx, merchantID, slices.Compact(skus), as)
	if err != nil {
		return err
	}
	_, err = t.tellMoves(ctx, merchantID, w, inventory.NewRules(w.setup), outputs, related, cat, scan)
	return err
}

// tellMoves tells how the levels of the outputs would move, and whether more is wanted.
func (t *tx) tellMoves(ctx context.Context, merchantID int64, w *world, rules *inventory.Rules, outputs, related []string, cat inventory.Catalog, scan Scan) (more bool, err error) {
	levels, err := t.levelsOf(ctx, merchantID, related)
	if err != nil {
		return false, err
	}
	targets := rules.Plan(cat, levels, outputs)
	rows, err := t.rows(ctx, merchantID, outputs, targets, true)
	if err != nil {
		return false, err
	}
	var changes []LevelChange
	for _, m := range w.moves(rows, targets, planned(outputs)) {
		if m.shows() && (scan.Store == 0 || scan.Store == m.store) {
			changes = append(changes, w.change(merchantID, m))
		}
	}
	slices.SortFunc(changes, func(a, b LevelChange) int { return a.Compare(b.LevelPosition) })
	for _, c := range changes {
		if (scan.After == nil || c.Compare(*scan.After) > 0) && !scan.Tell(c) {
			return false, nil
		}
	}
	return true, nil
}

// shows tells whether a move is one of the quantity, of the SKU behind it, or of whether the level counts at all.
func (m *move) shows() bool {
	return m.old.id == 0 || m.old.quantity != m.to.quantity || m.old.sku != m.to.sku || (m.old.status == enum.LevelExcluded) != (m.to.status == enum.LevelExcluded)
}

func (w *world) change(merchantID int64, m move) LevelChange {
	c := LevelChange{
		LevelPosition: LevelPosition{SKU: m.to.sku, Store: m.store, ChannelSKU: m.channelKey.sku, Location: m.location},
		MerchantID:    merchantID, LocationID: w.location(m.store, m.location), After: LevelState{m.to.quantity, m.to.status},
	}
	if m.to.listing.Int64 > 0 {
		c.Listing = m.to.listing
	}
	if m.old.id != 0 {
		c.Before = &LevelState{m.old.quantity, m.old.status}
	}
	return c
}

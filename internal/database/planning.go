package database

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"stockbridge/ent/schema/enum"
	"stockbridge/internal/inventory"
)

// Plan works out anew the channel levels of all stores that these product or warehouse SKUs bear on, and stores what
// moved. It is one transaction under the merchant's planning lock, so two plans of one SKU never mix. run is named in the
// activities. Pass a few thousand SKUs at a time. It answers how many levels moved.
func (db *DB) Plan(ctx context.Context, merchantID int64, run Int, skus []string) (moved int64, err error) {
	// A level whose channel SKU went from one product to another is found under its key only, which costs a look-up per
	// new level: it is done when a first attempt shows the need.
	for _, byKey := range []bool{false, true} {
		err = db.inTx(ctx, func(t *tx) (err error) {
			moved, err = t.plan(ctx, merchantID, run, skus, byKey)
			return err
		})
		if !isDuplicate(err) {
			break
		}
	}
	if err != nil {
		return 0, fmt.Errorf("plan %d SKUs of merchant %d: %w", len(skus), merchantID, err)
	}
	return moved, nil
}

func (t *tx) plan(ctx context.Context, merchantID int64, run Int, skus []string, byKey bool) (int64, error) {
	if err := t.lock(ctx, lockPlan, merchantID); err != nil {
		return 0, err
	}
	w, err := t.world(ctx, merchantID)
	if err != nil {
		return 0, fmt.Errorf("read the setup: %w", err)
	}
	outputs, related, catalog, err := t.catalog(ctx, merchantID, skus, supposed{})
	if err != nil {
		return 0, err
	}
	levels, err := t.levelsOf(ctx, merchantID, related)
	if err != nil {
		return 0, err
	}
	targets := inventory.NewRules(w.setup).Plan(catalog, levels, outputs)
	return t.bring(ctx, merchantID, run, w, outputs, targets, byKey)
}

// channelKey names a channel level.
type channelKey struct {
	store         int64
	sku, location string // the channel SKU, and the location's code
}

// channelRow is a stored channel level.
type channelRow struct {
	id                         int64
	sku                        string
	listing, pushed, committed Int
	quantity                   int64
	status                     enum.LevelStatus
	due                        bool
}

const channelColumns = "SELECT p.id, p.store_id, p.channel_sku, p.location_code, p.sku, p.listing_id, p.quantity, p.pushed_quantity, p.committed, p.status, p.due FROM "

func (t *tx) channelRows(ctx context.Context, into map[channelKey]channelRow, query string, args ...any) error {
	err := t.each(ctx, channelColumns+query, args, func(scan func(...any) error) error {
		var k channelKey
		var r channelRow
		if err := scan(&r.id, &k.store, &k.sku, &k.location, &r.sku, &r.listing, &r.quantity, &r.pushed, &r.committed, &r.status, &r.due); err != nil {
			return err
		}
		into[k] = r
		return nil
	})
	if err != nil {
		return fmt.Errorf("read channel levels: %w", err)
	}
	return nil
}

// move is a channel level that is not as it is to be.
type move struct {
	channelKey
	old, to channelRow // old.id is 0 where the level is new
}

// moves pairs the rows that stand with the targets. A row of a planned SKU that has no target is held back (spec 3.6).
func (w *world) moves(rows map[channelKey]channelRow, targets []inventory.Target, planned func(sku string) bool) (moves []move) {
	for _, n := range targets {
		key := channelKey{n.Store, n.ChannelSKU, n.Location}
		old, stands := rows[key]
		delete(rows, key)
		row := old
		row.sku, row.quantity, row.committed, row.listing = n.SKU, n.Quantity, Int{Int64: n.Committed.Units, Valid: n.Committed.Known}, Int{Int64: n.Listing, Valid: n.Listing != 0}
		if stands {
			row.settle(old, w.stores[n.Store].Pushing)
		} else {
			row.status = enum.Pending
		}
		if row != old {
			moves = append(moves, move{key, old, row})
		}
	}
	for key, old := range rows {
		if planned(old.sku) && old.status != enum.LevelExcluded {
			moves = append(moves, move{key, old, old.exclude(w.stores[key.store].OnExclude, w.stores[key.store].Pushing)})
		}
	}
	return moves
}

// rows reads the stored channel levels of the outputs and, with byKey, those that stand under the targets' keys.
func (t *tx) rows(ctx context.Context, merchantID int64, outputs []string, targets []inventory.Target, byKey bool) (map[channelKey]channelRow, error) {
	rows := map[channelKey]channelRow{}
	from, args := t.db.bySKU("channel_levels", merchantID, outputs)
	if err := t.channelRows(ctx, rows, from, args...); err != nil {
		return nil, err
	}
	if byKey {
		if err := t.rowsByKey(ctx, rows, targets); err != nil {
			return nil, err
		}
	}
	return rows, nil
}

// bring brings the stored channel levels of the outputs to the targets.
func (t *tx) bring(ctx context.Context, merchantID int64, run Int, w *world, outputs []string, targets []inventory.Target, byKey bool) (int64, error) {
	rows, err := t.rows(ctx, merchantID, outputs, targets, byKey)
	if err != nil {
		return 0, err
	}
	now := t.db.Now()
	var inserts []move
	var updates []channelRow
	var facts []Fact
	for _, m := range w.moves(rows, targets, planned(outputs)) {
		fact := Fact{SKU: m.to.sku, ChannelSKU: m.channelKey.sku, Store: IntOf(m.store), Location: w.location(m.store, m.location), Run: run, After: IntOf(m.to.quantity)}
		if m.old.id == 0 {
			inserts = append(inserts, m)
			fact.Kind = enum.QuantityChanged
			facts = append(facts, fact)
			continue
		}
		updates = append(updates, m.to)
		fact.Before = IntOf(m.old.quantity)
		switch {
		case m.to.status == enum.LevelExcluded:
			fact.Kind = enum.QuantityExcluded
		case m.to.quantity != m.old.quantity || m.old.status == enum.LevelExcluded:
			fact.Kind = enum.QuantityChanged
		default:
			continue
		}
		facts = append(facts, fact)
	}
	slices.SortStableFunc(facts, func(a, b Fact) int { return strings.Compare(a.SKU, b.SKU) })

	slices.SortFunc(inserts, func(a, b move) int { return strings.Compare(a.to.sku, b.to.sku) })
	err = t.insert(ctx, "channel_levels", []string{"merchant_id", "store_id", "location_id", "location_code", "channel_sku", "sku", "listing_id", "quantity", "committed", "status", "due", "updated_at"}, len(inserts), func(i int) []any {
		n := &inserts[i]
		return []any{merchantID, n.store, w.location(n.store, n.location), n.location, n.channelKey.sku, n.to.sku, n.to.listing, n.to.quantity, n.to.committed, string(n.to.status), n.to.due, now}
	})
	if err != nil {
		return 0, err
	}
	if err := t.updateChannelRows(ctx, updates); err != nil {
		return 0, fmt.Errorf("update channel levels: %w", err)
	}
	return int64(len(facts)), t.tell(ctx, merchantID, now, facts)
}

// planned tells of rows that targets were worked out for them.
func planned(outputs []string) func(sku string) bool {
	all := make(map[string]bool, len(outputs))
	for _, s := range outputs {
		all[s] = true
	}
	return func(sku string) bool { return all[sku] }
}

// settle sets the status that goes with a row's new quantity (spec 3.6).
func (r *channelRow) settle(old channelRow, pushing bool) {
	if old.status == enum.LevelExcluded {
		r.due = true // while it was held back nobody kept the store's figure
	}
	differs := r.pushed != IntOf(r.quantity)
	if !differs && pushing && old.status == enum.Pending {
		// What was pending may be on its way right now: though the quantity is back at what the store acknowledged, the
		// store may be about to show something else.
		r.due = true
	}
	switch {
	case !differs && !r.due:
		r.status = enum.Pushed
	case old.status != enum.PushFailed || r.quantity != old.quantity:
		r.status = enum.Pending
	}
}

// exclude is the row once its store no longer receives it (spec 3.6). With ZERO it is due once more unless the store
// surely shows nothing.
func (r channelRow) exclude(policy enum.OnExclude, pushing bool) channelRow {
	shown := r.pushed.Valid && r.pushed.Int64 != 0 || r.due || pushing && r.status == enum.Pending
	r.status, r.due = enum.LevelExcluded, false
	if policy == enum.ZeroExcluded {
		r.quantity, r.due = 0, shown
	}
	return r
}

// rowsByKey adds the rows that stand under the targets' keys, whatever SKU they are for.
func (t *tx) rowsByKey(ctx context.Context, rows map[channelKey]channelRow, targets []inventory.Target) error {
	perStore := map[int64][]string{}
	for _, n := range targets {
		if _, ok := rows[channelKey{n.Store, n.ChannelSKU, n.Location}]; !ok {
			perStore[n.Store] = append(perStore[n.Store], n.ChannelSKU)
		}
	}
	for store, skus := range perStore {
		among, arg := t.db.among("p.channel_sku", skus)
		if err := t.channelRows(ctx, rows, "channel_levels p WHERE p.store_id = ? AND "+among, store, arg); err != nil {
			return err
		}
	}
	return nil
}

func (t *tx) updateChannelRows(ctx context.Context, rows []channelRow) error {
	slices.SortFunc(rows, func(a, b channelRow) int { return int(a.id - b.id) })
	now := t.db.Now()
	var ids, quantities []int64
	var listings, committed []Int
	var skus, statuses []string
	var due []bool
	if t.postgres() {
		for _, r := range rows {
			ids, quantities, listings, committed = append(ids, r.id), append(quantities, r.quantity), append(listings, r.listing), append(committed, r.committed)
			skus, statuses, due = append(skus, r.sku), append(statuses, string(r.status)), append(due, r.due)
		}
	}
	return t.update(ctx, `UPDATE channel_levels c SET sku = v.sku, listing_id = v.listing, quantity = v.quantity, committed = v.committed, status = v.status, due = v.due, updated_at = ?
		FROM unnest(?::bigint[], ?::text[], ?::bigint[], ?::bigint[], ?::bigint[], ?::text[], ?::boolean[]) AS v(id, sku, listing, quantity, committed, status, due) WHERE c.id = v.id`,
		[]any{now, ids, skus, listings, quantities, committed, statuses, due},
		"UPDATE channel_levels SET sku = ?, listing_id = ?, quantity = ?, committed = ?, status = ?, due = ?, updated_at = ? WHERE id = ?", len(rows), func(i int) []any {
			r := &rows[i]
			return []any{r.sku, r.listing, r.quantity, r.committed, string(r.status), r.due, now, r.id}
		})
}

// SKUsToPlan lists, in order and after the given one, the next SKUs that a plan of a whole warehouse has to go through:
// those it reports, those listed, and those of levels that stand. A warehouse of 0 means all of the merchant's.
func (db *DB) SKUsToPlan(ctx context.Context, merchantID, warehouseID int64, after string, limit int) (skus []string, err error) {
	err = db.inView(ctx, func(t *tx) (err error) {
		skus, err = t.skusToPlan(ctx, merchantID, warehouseID, after, limit)
		return err
	})
	return skus, err
}

func (t *tx) skusToPlan(ctx context.Context, merchantID, warehouseID int64, after string, limit int) (skus []string, err error) {
	levels, owner := "merchant_id", merchantID
	if warehouseID != 0 {
		levels, owner = "warehouse_id", warehouseID
	}
	err = t.each(ctx, `SELECT sku FROM (SELECT DISTINCT sku FROM warehouse_levels WHERE `+levels+` = ? AND sku > ? ORDER BY sku LIMIT ?) a
		UNION SELECT sku FROM (SELECT DISTINCT p.sku FROM products p JOIN listings l ON l.product_id = p.id WHERE p.merchant_id = ? AND p.sku > ? ORDER BY p.sku LIMIT ?) b
		UNION SELECT sku FROM (SELECT DISTINCT sku FROM channel_levels WHERE merchant_id = ? AND sku > ? ORDER BY sku LIMIT ?) c ORDER BY sku LIMIT ?`,
		[]any{owner, after, limit, merchantID, after, limit, merchantID, after, limit, limit}, func(scan func(...any) error) error {
			var s string
			err := scan(&s)
			skus = append(skus, s)
			return err
		})
	if err != nil {
		return nil, fmt.Errorf("list the SKUs to plan: %w", err)
	}
	return skus, nil
}

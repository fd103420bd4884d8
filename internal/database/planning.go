package database

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"stockbridge/ent"
	"stockbridge/ent/connection"
	"stockbridge/ent/locationlink"
	"stockbridge/ent/partitionstrategy"
	"stockbridge/ent/schema/enum"
	"stockbridge/ent/store"
	"stockbridge/ent/storelimit"
	"stockbridge/ent/storelocation"
	"stockbridge/ent/warehouse"
	"stockbridge/internal/inventory"
)

// world is what the rules need to know of a merchant, read inside the transaction that plans by it.
type world struct {
	setup     inventory.Setup
	stores    map[int64]*ent.Store
	locations map[int64]map[string]int64 // by store and code
}

func (t *tx) world(ctx context.Context, merchantID int64) (*world, error) {
	w := &world{stores: map[int64]*ent.Store{}, locations: map[int64]map[string]int64{}}
	warehouses, err := t.ent.Warehouse.Query().Where(warehouse.MerchantID(merchantID)).Select(warehouse.FieldQuantitySource).All(ctx)
	if err != nil {
		return nil, err
	}
	strategies, err := t.ent.PartitionStrategy.Query().Where(partitionstrategy.MerchantID(merchantID), partitionstrategy.Active(true)).WithShares().All(ctx)
	if err != nil {
		return nil, err
	}
	active := map[int64]*inventory.Strategy{}
	for _, s := range strategies {
		active[s.WarehouseID] = Strategy(s)
	}
	for _, row := range warehouses {
		w.setup.Warehouses = append(w.setup.Warehouses, inventory.Warehouse{ID: row.ID, Source: inventory.QuantitySource(row.QuantitySource), Strategy: active[row.ID]})
	}

	stores, err := t.ent.Store.Query().Where(store.MerchantID(merchantID)).Select(store.FieldScope, store.FieldOnExclude, store.FieldPushing).All(ctx)
	if err != nil {
		return nil, err
	}
	limits, err := t.ent.StoreLimit.Query().Where(storelimit.MerchantID(merchantID)).Order(storelimit.ByPosition()).All(ctx)
	if err != nil {
		return nil, err
	}
	perStore := map[int64][]inventory.Limit{}
	for _, l := range limits {
		perStore[l.StoreID] = append(perStore[l.StoreID], inventory.Limit{Pattern: l.Pattern, Action: inventory.Action(l.Action)})
	}
	for _, row := range stores {
		w.stores[row.ID] = row
		w.setup.Stores = append(w.setup.Stores, inventory.Store{ID: row.ID, Scope: inventory.Scope(row.Scope), Limits: perStore[row.ID]})
	}
	locations, err := t.ent.StoreLocation.Query().Where(storelocation.MerchantID(merchantID)).All(ctx)
	if err != nil {
		return nil, err
	}
	for _, l := range locations {
		if w.locations[l.StoreID] == nil {
			w.locations[l.StoreID] = map[string]int64{}
		}
		w.locations[l.StoreID][l.Code] = l.ID
	}

	connections, err := t.ent.Connection.Query().Where(connection.MerchantID(merchantID)).All(ctx)
	if err != nil {
		return nil, err
	}
	links, err := t.ent.LocationLink.Query().Where(locationlink.MerchantID(merchantID)).WithFacility().WithLocation().All(ctx)
	if err != nil {
		return nil, err
	}
	perConnection := map[int64][]inventory.Link{}
	for _, l := range links {
		perConnection[l.ConnectionID] = append(perConnection[l.ConnectionID], inventory.Link{Facility: l.Edges.Facility.Code, Location: l.Edges.Location.Code})
	}
	for _, c := range connections {
		w.setup.Connections = append(w.setup.Connections, inventory.Connection{ID: c.ID, Warehouse: c.WarehouseID, Store: c.StoreID, Priority: c.Priority,
			Enabled: c.Enabled, InventoryEnabled: c.InventoryEnabled, Links: perConnection[c.ID]})
	}
	return w, nil
}

// Strategy is a stored strategy as the rules take it; its shares have to be loaded.
func Strategy(s *ent.PartitionStrategy) *inventory.Strategy {
	out := &inventory.Strategy{MinimumDistributable: s.MinimumDistributable, Distribution: inventory.Distribution(s.Distribution), Remainder: inventory.Remainder(s.Remainder)}
	switch s.BufferType {
	case enum.PercentageBuffer:
		out.Buffer = inventory.Buffer{Kind: inventory.PercentageBuffer, Percentage: inventory.Percentage(s.BufferBasisPoints)}
	case enum.FixedBuffer:
		out.Buffer = inventory.Buffer{Kind: inventory.FixedQuantityBuffer, Quantity: s.BufferQuantity}
	}
	for _, share := range s.Edges.Shares {
		out.Shares = append(out.Shares, inventory.Share{Store: share.StoreID, Weight: share.Weight, Cap: share.Cap, Quantity: share.Quantity})
	}
	return out
}

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
	outputs, related, catalog, err := t.catalog(ctx, merchantID, skus)
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

// catalog reads what bears on the SKUs: which others are to be planned with them (outputs), all that bear on those
// (related), and the bundles and listings among them.
func (t *tx) catalog(ctx context.Context, merchantID int64, skus []string) (outputs, related []string, cat inventory.Catalog, err error) {
	bundles := map[string]inventory.Product{}
	// Twice two steps: from the SKUs to their bundles and components and from there to the bundles of those, first for
	// what is to be planned, then for what bears on it.
	outputs, related = skus, skus
	for _, set := range []*[]string{&outputs, &related} {
		next := outputs
		for range 2 {
			if next, err = t.bundles(ctx, merchantID, next, bundles); err != nil {
				return nil, nil, cat, fmt.Errorf("read bundles: %w", err)
			}
			if len(next) == 0 {
				break
			}
		}
		cat.Products = cat.Products[:0]
		for _, b := range bundles {
			cat.Products = append(cat.Products, b)
		}
		*set = inventory.NewBundles(cat.Products).Related(outputs)
	}
	if cat.Listings, err = t.listings(ctx, merchantID, related); err != nil {
		return nil, nil, cat, fmt.Errorf("read listings: %w", err)
	}
	return outputs, related, cat, nil
}

// bundles adds the bundles that are, or contain, one of the SKUs, and answers the SKUs they bring in.
func (t *tx) bundles(ctx context.Context, merchantID int64, skus []string, into map[string]inventory.Product) (added []string, err error) {
	among, arg := t.db.among("p.sku", skus)
	known := make(map[string]bool, len(skus))
	for _, s := range skus {
		known[s] = true
	}
	var last string
	found := map[string]inventory.Product{}
	err = t.each(ctx, `SELECT b.sku, c.sku, bc.quantity FROM bundle_components bc JOIN products b ON b.id = bc.bundle_id JOIN products c ON c.id = bc.component_id
		WHERE bc.bundle_id IN (SELECT x.bundle_id FROM products p JOIN bundle_components x ON x.bundle_id = p.id WHERE p.merchant_id = ? AND `+among+`
			UNION SELECT x.bundle_id FROM products p JOIN bundle_components x ON x.component_id = p.id WHERE p.merchant_id = ? AND `+among+`)
		ORDER BY b.sku, c.sku`, []any{merchantID, arg, merchantID, arg}, func(scan func(...any) error) error {
		var bundle string
		var c inventory.Component
		if err := scan(&bundle, &c.SKU, &c.Quantity); err != nil {
			return err
		}
		if bundle != last && !known[bundle] {
			added = append(added, bundle)
		}
		if !known[c.SKU] {
			known[c.SKU] = true
			added = append(added, c.SKU)
		}
		last = bundle
		p := found[bundle]
		p.SKU, p.Components = bundle, append(p.Components, c)
		found[bundle] = p
		return nil
	})
	for sku, p := range found {
		into[sku] = p
	}
	return added, err
}

// listings reads the listings of the SKUs' products, and those whose channel SKU is one of the SKUs (spec 4.3).
func (t *tx) listings(ctx context.Context, merchantID int64, skus []string) (out []inventory.Listing, err error) {
	seen := map[int64]bool{}
	for _, column := range []string{"p.sku", "l.channel_sku"} {
		among, arg := t.db.among(column, skus)
		err := t.each(ctx, "SELECT l.id, l.store_id, p.sku, l.channel_sku, l.inventory_enabled, l.max_quantity FROM listings l JOIN products p ON p.id = l.product_id WHERE "+column[:1]+".merchant_id = ? AND "+among,
			[]any{merchantID, arg}, func(scan func(...any) error) error {
				var l inventory.Listing
				var limit Int
				if err := scan(&l.ID, &l.Store, &l.SKU, &l.ChannelSKU, &l.InventoryEnabled, &limit); err != nil {
					return err
				}
				if limit.Valid {
					l.MaxQuantity = &limit.Int64
				}
				if !seen[l.ID] {
					seen[l.ID] = true
					out = append(out, l)
				}
				return nil
			})
		if err != nil {
			return nil, err
		}
	}
	return out, nil
}

func (t *tx) levelsOf(ctx context.Context, merchantID int64, skus []string) (out []inventory.Level, err error) {
	among, arg := t.db.among("sku", skus)
	err = t.each(ctx, "SELECT warehouse_id, facility_code, sku, available, on_hand, committed FROM warehouse_levels WHERE merchant_id = ? AND "+among, []any{merchantID, arg}, func(scan func(...any) error) error {
		var key LevelKey
		var f Figures
		var warehouseID int64
		if err := scan(&warehouseID, &key.Facility, &key.SKU, &f.Available, &f.OnHand, &f.Committed); err != nil {
			return err
		}
		l := f.Level()
		l.Warehouse, l.Facility, l.SKU = warehouseID, key.Facility, key.SKU
		out = append(out, l)
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("read warehouse levels: %w", err)
	}
	return out, nil
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

const channelColumns = "SELECT id, store_id, channel_sku, location_code, sku, listing_id, quantity, pushed_quantity, committed, status, due FROM channel_levels "

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

// bring brings the stored channel levels of the outputs to the targets.
func (t *tx) bring(ctx context.Context, merchantID int64, run Int, w *world, outputs []string, targets []inventory.Target, byKey bool) (int64, error) {
	rows := map[channelKey]channelRow{}
	among, arg := t.db.among("sku", outputs)
	if err := t.channelRows(ctx, rows, "WHERE merchant_id = ? AND "+among, merchantID, arg); err != nil {
		return 0, err
	}
	if byKey {
		if err := t.rowsByKey(ctx, rows, targets); err != nil {
			return 0, err
		}
	}
	now := t.db.Now()
	var inserts []inventory.Target
	var updates []channelRow
	var facts []Fact
	for _, target := range targets {
		key := channelKey{target.Store, target.ChannelSKU, target.Location}
		fact := Fact{SKU: target.SKU, ChannelSKU: target.ChannelSKU, Store: IntOf(target.Store), Location: w.location(target.Store, target.Location), Run: run}
		old, stands := rows[key]
		delete(rows, key)
		if !stands {
			inserts = append(inserts, target)
			fact.Kind, fact.After = enum.QuantityChanged, IntOf(target.Quantity)
			facts = append(facts, fact)
			continue
		}
		row := old
		row.sku, row.quantity, row.committed, row.listing = target.SKU, target.Quantity, Int{Int64: target.Committed.Units, Valid: target.Committed.Known}, Int{Int64: target.Listing, Valid: target.Listing != 0}
		row.settle(old, w.stores[target.Store].Pushing)
		if row == old {
			continue
		}
		updates = append(updates, row)
		if row.quantity != old.quantity || old.status == enum.LevelExcluded {
			fact.Kind, fact.Before, fact.After = enum.QuantityChanged, IntOf(old.quantity), IntOf(row.quantity)
			facts = append(facts, fact)
		}
	}
	for key, old := range rows {
		if byKey && !slices.Contains(outputs, old.sku) || old.status == enum.LevelExcluded {
			continue
		}
		row := old.exclude(w.stores[key.store].OnExclude, w.stores[key.store].Pushing)
		updates = append(updates, row)
		facts = append(facts, Fact{Kind: enum.QuantityExcluded, SKU: old.sku, ChannelSKU: key.sku, Store: IntOf(key.store), Location: w.location(key.store, key.location), Run: run, Before: IntOf(old.quantity), After: IntOf(row.quantity)})
	}
	slices.SortStableFunc(facts, func(a, b Fact) int { return strings.Compare(a.SKU, b.SKU) })

	slices.SortFunc(inserts, func(a, b inventory.Target) int { return strings.Compare(a.SKU, b.SKU) })
	err := t.insert(ctx, "channel_levels", []string{"merchant_id", "store_id", "location_id", "location_code", "channel_sku", "sku", "listing_id", "quantity", "committed", "status", "due", "updated_at"}, len(inserts), func(i int) []any {
		n := &inserts[i]
		return []any{merchantID, n.Store, w.location(n.Store, n.Location), n.Location, n.ChannelSKU, n.SKU, Int{Int64: n.Listing, Valid: n.Listing != 0}, n.Quantity,
			Int{Int64: n.Committed.Units, Valid: n.Committed.Known}, string(enum.Pending), false, now}
	})
	if err != nil {
		return 0, err
	}
	if err := t.updateChannelRows(ctx, updates); err != nil {
		return 0, fmt.Errorf("update channel levels: %w", err)
	}
	return int64(len(facts)), t.tell(ctx, merchantID, now, facts)
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

func (w *world) location(store int64, code string) Int {
	id, ok := w.locations[store][code]
	return Int{Int64: id, Valid: ok}
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
		among, arg := t.db.among("channel_sku", skus)
		if err := t.channelRows(ctx, rows, "WHERE store_id = ? AND "+among, store, arg); err != nil {
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

// PlanMark is a durable demand to plan: of one SKU, of all a warehouse feeds (SKU ""), or of the whole merchant (SKU "" and no warehouse).
type PlanMark struct {
	ID        int64
	SKU       string
	Warehouse Int
}

// PlanMarks are those of a merchant, the oldest first, at most limit.
func (db *DB) PlanMarks(ctx context.Context, merchantID int64, limit int) (marks []PlanMark, err error) {
	rows, err := db.write.QueryContext(ctx, db.rebind("SELECT id, sku, warehouse_id FROM plan_marks WHERE merchant_id = ? ORDER BY id LIMIT ?"), merchantID, limit)
	if err != nil {
		return nil, fmt.Errorf("read plan marks: %w", err)
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	for rows.Next() {
		var m PlanMark
		if err := rows.Scan(&m.ID, &m.SKU, &m.Warehouse); err != nil {
			return nil, fmt.Errorf("read plan marks: %w", err)
		}
		marks = append(marks, m)
	}
	return marks, rows.Err()
}

// Planned takes marks away that have been met.
func (db *DB) Planned(ctx context.Context, ids ...int64) error {
	for chunk := range slices.Chunk(ids, 10_000) {
		query, arg := "DELETE FROM plan_marks WHERE id = ANY(?)", any(chunk)
		if db.pool == nil {
			list, err := json.Marshal(chunk)
			if err != nil {
				return err
			}
			query, arg = "DELETE FROM plan_marks WHERE id IN (SELECT value FROM json_each(?))", string(list)
		}
		if _, err := db.write.ExecContext(ctx, db.rebind(query), arg); err != nil {
			return fmt.Errorf("take plan marks away: %w", err)
		}
	}
	return nil
}

// MerchantsToPlan are the merchants with plan marks.
func (db *DB) MerchantsToPlan(ctx context.Context) (ids []int64, err error) {
	rows, err := db.write.QueryContext(ctx, "SELECT DISTINCT merchant_id FROM plan_marks ORDER BY merchant_id")
	if err != nil {
		return nil, fmt.Errorf("read plan marks: %w", err)
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	for rows.Next() {
		var id int64
		if err := rows.Scan(&id); err != nil {
			return nil, fmt.Errorf("read plan marks: %w", err)
		}
		ids = append(ids, id)
	}
	return ids, rows.Err()
}

// SKUsToPlan lists, in order and after the given one, the next SKUs that a plan of a whole warehouse has to go through:
// those it reports, those listed, and those of levels that stand. A warehouse of 0 means all of the merchant's.
func (db *DB) SKUsToPlan(ctx context.Context, merchantID, warehouseID int64, after string, limit int) (skus []string, err error) {
	levels, owner := "merchant_id", merchantID
	if warehouseID != 0 {
		levels, owner = "warehouse_id", warehouseID
	}
	rows, err := db.read.QueryContext(ctx, db.rebind(`SELECT sku FROM (SELECT DISTINCT sku FROM warehouse_levels WHERE `+levels+` = ? AND sku > ? ORDER BY sku LIMIT ?) a
		UNION SELECT sku FROM (SELECT DISTINCT p.sku FROM products p JOIN listings l ON l.product_id = p.id WHERE p.merchant_id = ? AND p.sku > ? ORDER BY p.sku LIMIT ?) b
		UNION SELECT sku FROM (SELECT DISTINCT sku FROM channel_levels WHERE merchant_id = ? AND sku > ? ORDER BY sku LIMIT ?) c ORDER BY sku LIMIT ?`),
		owner, after, limit, merchantID, after, limit, merchantID, after, limit, limit)
	if err != nil {
		return nil, fmt.Errorf("list the SKUs to plan: %w", err)
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	for rows.Next() {
		var s string
		if err := rows.Scan(&s); err != nil {
			return nil, fmt.Errorf("list the SKUs to plan: %w", err)
		}
		skus = append(skus, s)
	}
	return skus, rows.Err()
}

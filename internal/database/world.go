package database

import (
	"context"
	"fmt"
	"maps"
	"slices"

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
	setup       inventory.Setup
	warehouses  map[int64]*ent.Warehouse // id, name and source
	stores      map[int64]*ent.Store     // id, name and what bears on levels
	connections map[int64]*ent.Connection
	strategies  map[int64]int64            // the active one's id, by warehouse
	locations   map[int64]map[string]int64 // by store and code
}

func (t *tx) world(ctx context.Context, merchantID int64) (*world, error) {
	w := &world{warehouses: map[int64]*ent.Warehouse{}, stores: map[int64]*ent.Store{}, connections: map[int64]*ent.Connection{},
		strategies: map[int64]int64{}, locations: map[int64]map[string]int64{}}
	warehouses, err := t.ent.Warehouse.Query().Where(warehouse.MerchantID(merchantID)).Select(warehouse.FieldName, warehouse.FieldQuantitySource).All(ctx)
	if err != nil {
		return nil, err
	}
	strategies, err := t.ent.PartitionStrategy.Query().Where(partitionstrategy.MerchantID(merchantID), partitionstrategy.Active(true)).WithShares().All(ctx)
	if err != nil {
		return nil, err
	}
	active := map[int64]*inventory.Strategy{}
	for _, s := range strategies {
		active[s.WarehouseID], w.strategies[s.WarehouseID] = Strategy(s), s.ID
	}
	for _, row := range warehouses {
		w.warehouses[row.ID] = row
		w.setup.Warehouses = append(w.setup.Warehouses, inventory.Warehouse{ID: row.ID, Source: inventory.QuantitySource(row.QuantitySource), Strategy: active[row.ID]})
	}

	stores, err := t.ent.Store.Query().Where(store.MerchantID(merchantID)).Select(store.FieldName, store.FieldScope, store.FieldOnExclude, store.FieldPushing).All(ctx)
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
		w.connections[c.ID] = c
		w.setup.Connections = append(w.setup.Connections, inventory.Connection{ID: c.ID, Warehouse: c.WarehouseID, Store: c.StoreID, Priority: c.Priority,
			Enabled: c.Enabled, InventoryEnabled: c.InventoryEnabled, Links: perConnection[c.ID]})
	}
	return w, nil
}

func (w *world) location(store int64, code string) Int {
	id, ok := w.locations[store][code]
	return Int{Int64: id, Valid: ok}
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

// catalog reads what bears on the SKUs: which others are to be planned with them (outputs), all that bear on those
// (related), and the bundles and listings among them, as they are supposed to be.
func (t *tx) catalog(ctx context.Context, merchantID int64, skus []string, as supposed) (outputs, related []string, cat inventory.Catalog, err error) {
	bundles := map[string]inventory.Product{}
	if outputs, err = t.related(ctx, merchantID, skus, bundles, as); err == nil {
		related, cat, err = t.bearing(ctx, merchantID, outputs, bundles, as)
	}
	return outputs, related, cat, err
}

// bearing reads what bears on exactly these SKUs. It adds to the bundles that are known.
func (t *tx) bearing(ctx context.Context, merchantID int64, outputs []string, bundles map[string]inventory.Product, as supposed) (related []string, cat inventory.Catalog, err error) {
	if related, err = t.related(ctx, merchantID, outputs, bundles, as); err != nil {
		return nil, cat, err
	}
	cat.Products = slices.Collect(maps.Values(bundles))
	if cat.Listings, err = t.listings(ctx, merchantID, related); err != nil {
		return nil, cat, fmt.Errorf("read listings: %w", err)
	}
	cat.Listings = as.listings(cat.Listings)
	return related, cat, nil
}

// related gives inventory.Bundles.Related, and adds the bundles that make it so.
func (t *tx) related(ctx context.Context, merchantID int64, skus []string, bundles map[string]inventory.Product, as supposed) ([]string, error) {
	// Two steps: from the SKUs to their bundles and components, and from there to the bundles of those.
	next := skus
	for range 2 {
		var err error
		if next, err = t.bundles(ctx, merchantID, next, bundles); err != nil {
			return nil, fmt.Errorf("read bundles: %w", err)
		}
		if len(next) == 0 {
			break
		}
	}
	as.bundles(bundles)
	return inventory.NewBundles(slices.Collect(maps.Values(bundles))).Related(skus), nil
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
	from, args := t.db.bySKU("warehouse_levels", merchantID, skus)
	err = t.each(ctx, "SELECT p.warehouse_id, p.facility_code, p.sku, p.available, p.on_hand, p.committed FROM "+from, args, func(scan func(...any) error) error {
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

package graph

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"stockbridge/ent"
	"stockbridge/ent/schema/enum"
	"stockbridge/graph/model"
	"stockbridge/internal/channel"
	"stockbridge/internal/database"
	"stockbridge/internal/fault"
	"stockbridge/internal/platform"
	"stockbridge/internal/warehouse/fileexchange"
)

// storeWarehouse makes of an input what a row keeps. old is the warehouse as it is, nil for a new one.
func (r *resolver) storeWarehouse(merchantID int64, in model.WarehousePlatformInput, old *ent.Warehouse) (database.PlatformSettings, error) {
	input, err := json.Marshal(in)
	if err != nil {
		return database.PlatformSettings{}, fmt.Errorf("read a platform input: %w", err)
	}
	settings, err := r.Platforms.ChangeWarehouse(merchantID, input, old)
	return settings, under("platform", err)
}

// storeStore is storeWarehouse for stores.
func (r *resolver) storeStore(merchantID int64, in model.StorePlatformInput, old *ent.Store) (database.PlatformSettings, error) {
	input, err := json.Marshal(in)
	if err != nil {
		return database.PlatformSettings{}, fmt.Errorf("read a platform input: %w", err)
	}
	settings, err := r.Platforms.ChangeStore(merchantID, input, old)
	return settings, under("platform", err)
}

// under puts the faults in err below a field.
func under(field string, err error) error {
	faults := faultsOf(err)
	if len(faults) == 0 {
		return err
	}
	out := make(fault.List, len(faults))
	for i, f := range faults {
		told := *f
		told.Field = slices.Concat(strings.Split(field, "."), f.Field)
		out[i] = &told
	}
	return out
}

// warehouseSettings is what may be told of how a warehouse is reached. What rows may leave out has its default.
func warehouseSettings(w *ent.Warehouse) (model.WarehouseSettings, error) {
	var s model.WarehouseSettings
	switch w.Platform {
	case enum.FileExchange:
		files := &model.FileExchangeWarehouseSettings{AfterImport: fileexchange.Archive, Files: "out/inv_*.csv"}
		err := read(w.Settings, files)
		if given(files.Columns) == (model.FileColumns{}) {
			files.Columns = nil
		}
		return files, err
	case enum.HTTP:
		s = &model.HTTPWarehouseSettings{}
	case enum.Push:
		s = &model.PushWarehouseSettings{}
	case enum.Extensiv:
		s = &model.ExtensivWarehouseSettings{}
	case enum.ShipHero:
		s = &model.ShipHeroWarehouseSettings{Snapshot: true}
	case enum.ShipBob:
		s = &model.ShipBobWarehouseSettings{APIVersion: "2026-01", ByLocation: true}
	case enum.Tryton:
		s = &model.TrytonWarehouseSettings{}
	default:
		return nil, fmt.Errorf("warehouse %d has the unknown platform %q", w.ID, w.Platform)
	}
	return s, read(w.Settings, s)
}

// storeSettings is what may be told of how a store is reached. What rows may leave out has its default.
func storeSettings(st *ent.Store) (model.StoreSettings, error) {
	var s model.StoreSettings
	switch st.Platform {
	case enum.HTTP:
		s = &model.HTTPStoreSettings{BatchSize: 250, Concurrency: 4}
	case enum.FileExchange:
		s = &model.FileExchangeStoreSettings{}
	case enum.Shopify:
		s = &model.ShopifyStoreSettings{APIVersion: "2026-10", Activate: true}
	case enum.WooCommerce:
		s = &model.WooCommerceStoreSettings{}
	case enum.BigCommerce:
		s = &model.BigCommerceStoreSettings{QuantitySemantics: channel.OnHand}
	case enum.Amazon:
		s = &model.AmazonStoreSettings{Region: model.AmazonRegionNa, FulfillmentChannelCode: "DEFAULT"}
	case enum.Vendure:
		s = &model.VendureStoreSettings{QuantitySemantics: channel.OnHand}
	case enum.Medusa:
		s = &model.MedusaStoreSettings{QuantitySemantics: channel.OnHand}
	case enum.Saleor:
		s = &model.SaleorStoreSettings{QuantitySemantics: channel.OnHand, AllocatedLookup: true}
	default:
		return nil, fmt.Errorf("store %d has the unknown platform %q", st.ID, st.Platform)
	}
	return s, read(st.Settings, s)
}

func read(settings json.RawMessage, into any) error {
	shown, err := platform.Shown(settings)
	if err == nil {
		err = json.Unmarshal(shown, into)
	}
	if err != nil {
		return fmt.Errorf("read the settings of a platform: %w", err)
	}
	return nil
}

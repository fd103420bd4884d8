package database

import (
	"context"
	"encoding/json"

	"stockbridge/ent"
	"stockbridge/ent/connection"
	"stockbridge/ent/schema/enum"
	"stockbridge/ent/warehouse"
)

// CreateWarehouse is a new warehouse. Blank enums are their defaults.
type CreateWarehouse struct {
	MerchantID       int64
	Name             string // 1 to 255 bytes, unique among the merchant's warehouses
	Platform         PlatformSettings
	QuantitySource   enum.QuantitySource
	MissingSKUPolicy enum.MissingSKUPolicy
	MaxDropPercent   *int // 0 to 100; nil is 50
}

// UpdateWarehouse changes a warehouse; nil leaves a field as it is.
type UpdateWarehouse struct {
	ExpectedVersion  *int64 // the version the change was made against, else STALE_VERSION; nil is any
	Name             *string
	Platform         *PlatformSettings
	QuantitySource   *enum.QuantitySource
	MissingSKUPolicy *enum.MissingSKUPolicy
	MaxDropPercent   *int
}

// CreateWarehouse adds a warehouse. Faults: NOT_FOUND of merchantId; BLANK, TOO_LONG, INVALID or TAKEN of name; BLANK
// or INVALID of platform, quantitySource and missingSkuPolicy; OUT_OF_RANGE of maxDropPercent.
func (db *DB) CreateWarehouse(ctx context.Context, in CreateWarehouse) (*ent.Warehouse, error) {
	return change(ctx, db, in.MerchantID, "create a warehouse", func(t *tx) (*ent.Warehouse, error) {
		if _, err := t.merchant(ctx, in.MerchantID); err != nil {
			return nil, err
		}
		var c check
		name, err := t.warehouseName(ctx, &c, in.MerchantID, in.Name, 0)
		if err != nil {
			return nil, err
		}
		p := c.platform(in.Platform)
		source := oneOf(&c, "quantitySource", in.QuantitySource, enum.Available)
		policy := oneOf(&c, "missingSkuPolicy", in.MissingSKUPolicy, enum.Keep)
		within(&c, "maxDropPercent", in.MaxDropPercent, 0, 100)
		if err := c.faults.Or(); err != nil {
			return nil, err
		}
		now := db.Now()
		return t.ent.Warehouse.Create().SetMerchantID(in.MerchantID).SetName(name).
			SetPlatform(p.Platform).SetSettings(p.Settings).SetSecrets(p.kept("", nil)).
			SetQuantitySource(source).SetMissingSkuPolicy(policy).SetNillableMaxDropPercent(in.MaxDropPercent).
			SetCreatedAt(now).SetUpdatedAt(now).Save(ctx)
	})
}

// UpdateWarehouse changes a warehouse. Faults: those of CreateWarehouse, NOT_FOUND and STALE_VERSION.
func (db *DB) UpdateWarehouse(ctx context.Context, merchantID, id int64, in UpdateWarehouse) (*ent.Warehouse, error) {
	return change(ctx, db, merchantID, "update a warehouse", func(t *tx) (*ent.Warehouse, error) {
		row, err := t.warehouse(ctx, merchantID, id)
		if err != nil {
			return nil, err
		}
		if err := upToDate(in.ExpectedVersion, row.Version); err != nil {
			return nil, err
		}
		var c check
		u := row.Update().SetUpdatedAt(db.Now()).AddVersion(1).SetNillableMaxDropPercent(in.MaxDropPercent)
		within(&c, "maxDropPercent", in.MaxDropPercent, 0, 100)
		if in.Name != nil {
			name, err := t.warehouseName(ctx, &c, merchantID, *in.Name, id)
			if err != nil {
				return nil, err
			}
			u.SetName(name)
		}
		if in.Platform != nil {
			p := c.platform(*in.Platform)
			u.SetPlatform(p.Platform).SetSettings(p.Settings).SetSecrets(p.kept(row.Platform, row.Secrets))
		}
		if in.QuantitySource != nil {
			u.SetQuantitySource(oneOf(&c, "quantitySource", *in.QuantitySource, ""))
		}
		if in.MissingSKUPolicy != nil {
			u.SetMissingSkuPolicy(oneOf(&c, "missingSkuPolicy", *in.MissingSKUPolicy, ""))
		}
		if err := c.faults.Or(); err != nil {
			return nil, err
		}
		if in.QuantitySource != nil && *in.QuantitySource != row.QuantitySource {
			if err := t.markWarehouses(ctx, merchantID, id); err != nil {
				return nil, err
			}
		}
		return u.Save(ctx)
	})
}

// DeleteWarehouse takes a warehouse away with its facilities, levels, connections and strategies. Faults: NOT_FOUND,
// and IN_USE while a connection of it is syncing.
func (db *DB) DeleteWarehouse(ctx context.Context, merchantID, id int64) error {
	return remove(ctx, db, merchantID, "delete a warehouse", func(t *tx) error {
		row, err := t.warehouse(ctx, merchantID, id)
		if err != nil {
			return err
		}
		if err := t.idle(ctx, "warehouse", connection.WarehouseID(id)); err != nil {
			return err
		}
		if err := t.markMerchant(ctx, merchantID); err != nil {
			return err
		}
		return t.ent.Warehouse.DeleteOne(row).Exec(ctx)
	})
}

// SetWarehouseSettings replaces the settings in the open of a warehouse that is still at this version, to pin a host
// key for instance. The version stays, for no person changed anything. Faults: NOT_FOUND, STALE_VERSION.
func (db *DB) SetWarehouseSettings(ctx context.Context, merchantID, id, version int64, settings json.RawMessage) error {
	return remove(ctx, db, merchantID, "set a warehouse's settings", func(t *tx) error {
		row, err := t.warehouse(ctx, merchantID, id)
		if err != nil {
			return err
		}
		if err := upToDate(&version, row.Version); err != nil {
			return err
		}
		return row.Update().SetUpdatedAt(row.UpdatedAt).SetSettings(settings).Exec(ctx)
	})
}

func (t *tx) warehouse(ctx context.Context, merchantID, id int64) (*ent.Warehouse, error) {
	row, err := t.ent.Warehouse.Query().Where(warehouse.ID(id), warehouse.MerchantID(merchantID)).Only(ctx)
	return row, found(err, "warehouseId", "warehouse")
}

// warehouseName readies the name of the warehouse with this id, 0 for a new one.
func (t *tx) warehouseName(ctx context.Context, c *check, merchantID int64, name string, id int64) (string, error) {
	name = c.name("name", name)
	taken, err := t.ent.Warehouse.Query().Where(warehouse.MerchantID(merchantID), warehouse.Name(name), warehouse.IDNEQ(id)).Exist(ctx)
	c.free("name", name, "warehouse", taken)
	return name, err
}

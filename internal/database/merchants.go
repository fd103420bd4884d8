package database

import (
	"context"
	"fmt"
	"strings"
	"unicode/utf8"

	"stockbridge/ent"
	"stockbridge/ent/bundlecomponent"
	"stockbridge/ent/merchant"
	"stockbridge/ent/store"
	"stockbridge/ent/warehouse"
	"stockbridge/internal/fault"
)

// CreateMerchant is a new tenant.
type CreateMerchant struct {
	Name string // 1 to 255 bytes, unique
}

// UpdateMerchant changes a merchant; nil leaves a field as it is.
type UpdateMerchant struct {
	ExpectedVersion *int64 // the version the change was made against, else STALE_VERSION; nil is any
	Name            *string
}

// CreateMerchant adds a merchant. Faults: BLANK, TOO_LONG, INVALID or TAKEN of name.
func (db *DB) CreateMerchant(ctx context.Context, in CreateMerchant) (*ent.Merchant, error) {
	return change(ctx, db, 0, "create a merchant", func(t *tx) (*ent.Merchant, error) {
		name, err := t.merchantName(ctx, in.Name, 0)
		if err != nil {
			return nil, err
		}
		now := db.Now()
		return t.ent.Merchant.Create().SetName(name).SetCreatedAt(now).SetUpdatedAt(now).Save(ctx)
	})
}

// UpdateMerchant changes a merchant. Faults: those of CreateMerchant, NOT_FOUND and STALE_VERSION.
func (db *DB) UpdateMerchant(ctx context.Context, id int64, in UpdateMerchant) (*ent.Merchant, error) {
	return change(ctx, db, 0, "update a merchant", func(t *tx) (*ent.Merchant, error) {
		row, err := t.merchant(ctx, id)
		if err != nil {
			return nil, err
		}
		if err := upToDate(in.ExpectedVersion, row.Version); err != nil {
			return nil, err
		}
		u := row.Update().SetUpdatedAt(db.Now()).AddVersion(1)
		if in.Name != nil {
			name, err := t.merchantName(ctx, *in.Name, id)
			if err != nil {
				return nil, err
			}
			u.SetName(name)
		}
		return u.Save(ctx)
	})
}

// DeleteMerchant takes a merchant away with its catalog. Faults: NOT_FOUND, and IN_USE while it has warehouses or
// stores, which nobody should lose by a slip. Tokens stay, and no longer let their bearers see it.
func (db *DB) DeleteMerchant(ctx context.Context, id int64) error {
	defer db.tokens.Add(1) // after the commit
	return remove(ctx, db, 0, "delete a merchant", func(t *tx) error {
		if err := t.lock(ctx, lockSettings, id); err != nil {
			return err
		}
		row, err := t.merchant(ctx, id)
		if err != nil {
			return err
		}
		warehouses, err := t.ent.Warehouse.Query().Where(warehouse.MerchantID(id)).Count(ctx)
		if err != nil {
			return err
		}
		stores, err := t.ent.Store.Query().Where(store.MerchantID(id)).Count(ctx)
		if err != nil {
			return err
		}
		if warehouses+stores > 0 {
			return fault.At("merchantId", fault.InUse, "%q still has %d warehouses and %d stores: delete those first", row.Name, warehouses, stores)
		}
		// PostgreSQL would take a component away before the bundle that still refers to it.
		if _, err := t.ent.BundleComponent.Delete().Where(bundlecomponent.MerchantID(id)).Exec(ctx); err != nil {
			return err
		}
		return t.ent.Merchant.DeleteOne(row).Exec(ctx)
	})
}

func (t *tx) merchant(ctx context.Context, id int64) (*ent.Merchant, error) {
	row, err := t.ent.Merchant.Get(ctx, id)
	return row, found(err, "merchantId", "merchant")
}

// merchantName readies the name of the merchant with this id, 0 for a new one.
func (t *tx) merchantName(ctx context.Context, name string, id int64) (string, error) {
	var c check
	name = c.name("name", name)
	taken, err := t.ent.Merchant.Query().Where(merchant.Name(name), merchant.IDNEQ(id)).Exist(ctx)
	if err != nil {
		return "", err
	}
	c.free("name", name, "merchant", taken)
	return name, c.faults.Or()
}

// MerchantsNamed are the ids, ascending, of those merchants that have one of the names or ids. Others are passed over.
func (db *DB) MerchantsNamed(ctx context.Context, names []string, ids []int64) ([]int64, error) {
	var sound []string
	for _, n := range names {
		if utf8.ValidString(n) && !strings.ContainsRune(n, 0) { // else PostgreSQL fails
			sound = append(sound, n)
		}
	}
	found, err := db.reader.Merchant.Query().Where(merchant.Or(merchant.NameIn(sound...), merchant.IDIn(ids...))).Order(ent.Asc(merchant.FieldID)).IDs(ctx)
	if err != nil {
		return nil, fmt.Errorf("find merchants by name: %w", err)
	}
	return found, nil
}

package database

import (
	"context"
	"encoding/json"

	"stockbridge/ent"
	"stockbridge/ent/connection"
	"stockbridge/ent/schema/enum"
	"stockbridge/ent/store"
	"stockbridge/internal/fault"
)

// CreateStore is a new store. Blank enums are their defaults.
type CreateStore struct {
	MerchantID int64
	Name       string           // 1 to 255 bytes, unique among the merchant's stores
	Platform   PlatformSettings // any platform but PUSH
	Scope      enum.StoreScope
	OnExclude  enum.OnExclude
	Limits     []Limit    // at most 1,000
	Locations  []Location // at most 1,000
}

// UpdateStore changes a store; nil leaves a field as it is.
type UpdateStore struct {
	ExpectedVersion *int64 // the version the change was made against, else STALE_VERSION; nil is any
	Name            *string
	Platform        *PlatformSettings
	Scope           *enum.StoreScope
	OnExclude       *enum.OnExclude
	Limits          *[]Limit // all of them, in order
	// Locations are all the store is to have: those of a new code are added, those of a known one renamed, and those
	// not named go, with their channel levels. One that a location link names stays: IN_USE.
	Locations *[]Location
}

// CreateStore adds a store. Faults: NOT_FOUND of merchantId; BLANK, TOO_LONG, INVALID or TAKEN of name; BLANK or INVALID
// of platform; INVALID of scope and onExclude; those of SetStoreLimits; TOO_MANY of locations, BLANK, TOO_LONG, INVALID
// or TAKEN of locations.N.code, TOO_LONG or INVALID of locations.N.name.
func (db *DB) CreateStore(ctx context.Context, in CreateStore) (*ent.Store, error) {
	return change(ctx, db, in.MerchantID, "create a store", func(t *tx) (*ent.Store, error) {
		if _, err := t.merchant(ctx, in.MerchantID); err != nil {
			return nil, err
		}
		var c check
		name, err := t.storeName(ctx, &c, in.MerchantID, in.Name, 0)
		if err != nil {
			return nil, err
		}
		p := c.storePlatform(in.Platform)
		scope := oneOf(&c, "scope", in.Scope, enum.AllSKUs)
		onExclude := oneOf(&c, "onExclude", in.OnExclude, enum.LeaveExcluded)
		limits, locations := c.limits(in.Limits), c.locations(in.Locations)
		if err := c.faults.Or(); err != nil {
			return nil, err
		}
		now := db.Now()
		row, err := t.ent.Store.Create().SetMerchantID(in.MerchantID).SetName(name).
			SetPlatform(p.Platform).SetSettings(p.Settings).SetSecrets(p.kept("", nil)).
			SetScope(scope).SetOnExclude(onExclude).SetCreatedAt(now).SetUpdatedAt(now).Save(ctx)
		if err != nil {
			return nil, err
		}
		if err := t.addLimits(ctx, row, limits); err != nil {
			return nil, err
		}
		return row, t.addLocations(ctx, row, locations)
	})
}

// UpdateStore changes a store. Faults: those of CreateStore, NOT_FOUND and STALE_VERSION, and IN_USE of locations.
func (db *DB) UpdateStore(ctx context.Context, merchantID, id int64, in UpdateStore) (*ent.Store, error) {
	return change(ctx, db, merchantID, "update a store", func(t *tx) (*ent.Store, error) {
		row, err := t.store(ctx, merchantID, id)
		if err != nil {
			return nil, err
		}
		return t.updateStore(ctx, row, in)
	})
}

func (t *tx) updateStore(ctx context.Context, row *ent.Store, in UpdateStore) (*ent.Store, error) {
	err := upToDate(in.ExpectedVersion, row.Version)
	if err != nil {
		return nil, err
	}
	var c check
	u := row.Update().SetUpdatedAt(t.db.Now()).AddVersion(1)
	if in.Name != nil {
		name, err := t.storeName(ctx, &c, row.MerchantID, *in.Name, row.ID)
		if err != nil {
			return nil, err
		}
		u.SetName(name)
	}
	if in.Platform != nil {
		p := c.storePlatform(*in.Platform)
		u.SetPlatform(p.Platform).SetSettings(p.Settings).SetSecrets(p.kept(row.Platform, row.Secrets))
	}
	scope := row.Scope
	if in.Scope != nil {
		scope = oneOf(&c, "scope", *in.Scope, "")
	}
	if in.OnExclude != nil {
		u.SetOnExclude(oneOf(&c, "onExclude", *in.OnExclude, ""))
	}
	var limits []Limit
	if in.Limits != nil {
		limits = c.limits(*in.Limits)
	}
	var locations []Location
	var gone []int64
	if in.Locations != nil {
		if locations = c.locations(*in.Locations); len(locations) == len(*in.Locations) { // not too many
			if gone, err = t.locationsGone(ctx, &c, row, locations); err != nil {
				return nil, err
			}
		}
	}
	if err := c.faults.Or(); err != nil {
		return nil, err
	}
	receives := scope != row.Scope // other SKUs than before
	if in.Limits != nil {
		changed, err := t.replaceLimits(ctx, row, limits)
		if err != nil {
			return nil, err
		}
		receives = receives || changed
	}
	if in.Locations != nil {
		if err := t.replaceLocations(ctx, row, locations, gone); err != nil {
			return nil, err
		}
	}
	if receives {
		if err := t.markFeeding(ctx, row.MerchantID, connection.StoreID(row.ID)); err != nil {
			return nil, err
		}
	}
	return u.SetScope(scope).Save(ctx)
}

// DeleteStore takes a store away with its locations, levels, listings and connections. Faults: NOT_FOUND, and IN_USE
// while a connection of it is syncing.
func (db *DB) DeleteStore(ctx context.Context, merchantID, id int64) error {
	return remove(ctx, db, merchantID, "delete a store", func(t *tx) error {
		row, err := t.store(ctx, merchantID, id)
		if err != nil {
			return err
		}
		if err := t.idle(ctx, "store", connection.StoreID(id)); err != nil {
			return err
		}
		if err := t.markFeeding(ctx, merchantID, connection.StoreID(id)); err != nil {
			return err
		}
		return t.ent.Store.DeleteOne(row).Exec(ctx)
	})
}

// SetStoreSettings replaces the settings in the open of a store that is still at this version, to pin a host key for
// instance. The version stays, for no person changed anything. Faults: NOT_FOUND, STALE_VERSION.
func (db *DB) SetStoreSettings(ctx context.Context, merchantID, id, version int64, settings json.RawMessage) error {
	return remove(ctx, db, merchantID, "set a store's settings", func(t *tx) error {
		row, err := t.store(ctx, merchantID, id)
		if err != nil {
			return err
		}
		if err := upToDate(&version, row.Version); err != nil {
			return err
		}
		return row.Update().SetUpdatedAt(row.UpdatedAt).SetSettings(settings).Exec(ctx)
	})
}

func (t *tx) store(ctx context.Context, merchantID, id int64) (*ent.Store, error) {
	row, err := t.ent.Store.Query().Where(store.ID(id), store.MerchantID(merchantID)).Only(ctx)
	return row, found(err, "storeId", "store")
}

// storeName readies the name of the store with this id, 0 for a new one.
func (t *tx) storeName(ctx context.Context, c *check, merchantID int64, name string, id int64) (string, error) {
	name = c.name("name", name)
	taken, err := t.ent.Store.Query().Where(store.MerchantID(merchantID), store.Name(name), store.IDNEQ(id)).Exist(ctx)
	c.free("name", name, "store", taken)
	return name, err
}

// storePlatform is platform without PUSH.
func (c *check) storePlatform(p PlatformSettings) PlatformSettings {
	if p.Platform == enum.Push {
		c.add("platform", fault.Invalid, "a store cannot be of the platform PUSH, which is a warehouse's way to report: choose another")
	}
	return c.platform(p)
}

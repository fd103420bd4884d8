package database

import (
	"context"
	"fmt"
	"slices"

	"stockbridge/ent"
	"stockbridge/ent/schema/enum"
	"stockbridge/ent/storelimit"
	"stockbridge/internal/fault"
	"stockbridge/internal/inventory"
)

// Limit is one line of a store's ordered list of which SKUs it receives (spec 4.5).
type Limit struct {
	Pattern string // up to 255 bytes
	Action  enum.LimitAction
}

// SetStoreLimits replaces which SKUs a store receives.
type SetStoreLimits struct {
	ExpectedVersion *int64 // the store's version the change was made against, else STALE_VERSION; nil is any
	Scope           *enum.StoreScope
	Limits          []Limit // all of them, in order; at most 1,000
}

// SetStoreLimits replaces which SKUs a store receives. Faults: NOT_FOUND of storeId, STALE_VERSION, INVALID of scope,
// TOO_MANY of limits, BLANK, TOO_LONG or INVALID of limits.N.pattern, INVALID of limits.N.action.
func (db *DB) SetStoreLimits(ctx context.Context, merchantID, storeID int64, in SetStoreLimits) (*ent.Store, error) {
	return change(ctx, db, merchantID, "set a store's limits", func(t *tx) (*ent.Store, error) {
		row, err := t.store(ctx, merchantID, storeID)
		if err != nil {
			return nil, err
		}
		return t.updateStore(ctx, row, UpdateStore{ExpectedVersion: in.ExpectedVersion, Scope: in.Scope, Limits: &in.Limits})
	})
}

// limits readies a store's list for storing.
func (c *check) limits(in []Limit) []Limit {
	if !c.few("limits", len(in)) {
		return nil
	}
	out := make([]Limit, len(in))
	for i, l := range in {
		at := fmt.Sprintf("limits.%d.", i)
		sound := len(c.faults)
		l.Pattern = c.name(at+"pattern", l.Pattern)
		if len(c.faults) == sound {
			if err := inventory.ValidatePattern(l.Pattern); err != nil {
				c.add(at+"pattern", fault.Invalid, "%s", err)
			}
		}
		oneOf(c, at+"action", l.Action, "")
		out[i] = l
	}
	return out
}

func (t *tx) addLimits(ctx context.Context, s *ent.Store, limits []Limit) error {
	return t.ent.StoreLimit.MapCreateBulk(limits, func(c *ent.StoreLimitCreate, i int) {
		c.SetMerchantID(s.MerchantID).SetStoreID(s.ID).SetPosition(i).SetPattern(limits[i].Pattern).SetAction(limits[i].Action)
	}).Exec(ctx)
}

// replaceLimits says whether the list was another one before.
func (t *tx) replaceLimits(ctx context.Context, s *ent.Store, limits []Limit) (changed bool, err error) {
	old, err := s.QueryLimits().Order(storelimit.ByPosition()).All(ctx)
	if err != nil {
		return false, err
	}
	same := func(o *ent.StoreLimit, l Limit) bool { return o.Pattern == l.Pattern && o.Action == l.Action }
	if slices.EqualFunc(old, limits, same) {
		return false, nil
	}
	if _, err := t.ent.StoreLimit.Delete().Where(storelimit.StoreID(s.ID)).Exec(ctx); err != nil {
		return false, err
	}
	return true, t.addLimits(ctx, s, limits)
}

package database

import (
	"context"
	"fmt"
	"slices"

	"stockbridge/ent"
	"stockbridge/ent/partitionshare"
	"stockbridge/ent/store"
	"stockbridge/internal/fault"
)

// Share is what a strategy says of one store; nil is the default of spec 4.8.
type Share struct {
	StoreID  int64  // of the merchant; it need not be connected
	Weight   *int64 // 0 to 1,000,000
	Cap      *int64 // 0 to 2³¹−1 units
	Quantity *int64 // 0 to 2³¹−1 units
}

// checkShares holds a strategy's shares to their ranges, and to stores of the merchant.
func (t *tx) checkShares(ctx context.Context, c *check, merchantID int64, shares []Share) error {
	if !c.few("shares", len(shares)) {
		return nil
	}
	ids := make([]int64, len(shares))
	for i, s := range shares {
		ids[i] = s.StoreID
	}
	stores, err := t.ent.Store.Query().Where(store.MerchantID(merchantID), store.IDIn(ids...)).IDs(ctx)
	if err != nil {
		return err
	}
	for i, s := range shares {
		at := fmt.Sprintf("shares.%d.", i)
		if !slices.Contains(stores, s.StoreID) {
			c.faults = append(c.faults, missing(at+"storeId", "store"))
		} else if slices.Contains(ids[:i], s.StoreID) {
			c.add(at+"storeId", fault.Taken, "the store has a share already: give it one")
		}
		within(c, at+"weight", s.Weight, 0, 1_000_000)
		within(c, at+"cap", s.Cap, 0, maxUnits)
		within(c, at+"quantity", s.Quantity, 0, maxUnits)
	}
	return nil
}

func (t *tx) addShares(ctx context.Context, p *ent.PartitionStrategy, shares []Share) error {
	return t.ent.PartitionShare.MapCreateBulk(shares, func(c *ent.PartitionShareCreate, i int) {
		s := shares[i]
		c.SetMerchantID(p.MerchantID).SetStrategyID(p.ID).SetStoreID(s.StoreID).
			SetNillableWeight(s.Weight).SetNillableCap(s.Cap).SetNillableQuantity(s.Quantity)
	}).Exec(ctx)
}

// replaceShares says whether the shares were others before.
func (t *tx) replaceShares(ctx context.Context, p *ent.PartitionStrategy, shares []Share) (changed bool, err error) {
	old, err := p.QueryShares().All(ctx)
	if err != nil {
		return false, err
	}
	other := func(o *ent.PartitionShare) bool {
		return !slices.ContainsFunc(shares, func(s Share) bool {
			return s.StoreID == o.StoreID && equal(s.Weight, o.Weight) && equal(s.Cap, o.Cap) && equal(s.Quantity, o.Quantity)
		})
	}
	if len(old) == len(shares) && !slices.ContainsFunc(old, other) {
		return false, nil
	}
	if _, err := t.ent.PartitionShare.Delete().Where(partitionshare.StrategyID(p.ID)).Exec(ctx); err != nil {
		return false, err
	}
	return true, t.addShares(ctx, p, shares)
}

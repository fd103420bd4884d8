package database

import (
	"context"
	"fmt"

	"stockbridge/ent"
	"stockbridge/internal/inventory"
)

// notYet is the id of a listing that is only supposed: 0 would mean that there is none.
const notYet = -1

// preview runs f on the settings as they are at one moment.
func (db *DB) preview(ctx context.Context, what string, f func(*tx) error) error {
	if err := db.inView(ctx, f); err != nil {
		return fmt.Errorf("preview %s: %w", what, err)
	}
	return nil
}

// PreviewNewPartitionStrategy tells what CreatePartitionStrategy would make of the channel levels, which is nothing if the
// strategy is not to be active. name is checked where it is given. Faults: those of CreatePartitionStrategy.
func (db *DB) PreviewNewPartitionStrategy(ctx context.Context, in CreatePartitionStrategy, name *string, scan Scan) error {
	return db.preview(ctx, "a partition strategy", func(t *tx) error {
		want, err := t.newStrategy(ctx, in, name)
		if err != nil {
			return err
		}
		return t.previewStrategy(ctx, false, want, in.Shares, scan)
	})
}

// PreviewPartitionStrategy tells what UpdatePartitionStrategy would make of the channel levels. Faults: its.
func (db *DB) PreviewPartitionStrategy(ctx context.Context, merchantID, id int64, in UpdatePartitionStrategy, scan Scan) error {
	return db.preview(ctx, "a partition strategy", func(t *tx) error {
		row, err := t.strategy(ctx, merchantID, id)
		if err != nil {
			return err
		}
		want, err := t.changedStrategy(ctx, row, in)
		if err != nil {
			return err
		}
		var shares []Share
		if in.Shares != nil {
			shares = *in.Shares
		} else if want.Edges.Shares, err = row.QueryShares().All(ctx); err != nil {
			return err
		}
		return t.previewStrategy(ctx, row.Active, want, shares, scan)
	})
}

func (t *tx) previewStrategy(ctx context.Context, active bool, want *ent.PartitionStrategy, shares []Share, scan Scan) error {
	if !active && !want.Active {
		return nil
	}
	w, err := t.world(ctx, want.MerchantID)
	if err != nil {
		return fmt.Errorf("read the setup: %w", err)
	}
	var s *inventory.Strategy
	if want.Active {
		s = Strategy(want)
		for _, x := range shares {
			s.Shares = append(s.Shares, inventory.Share{Store: x.StoreID, Weight: x.Weight, Cap: x.Cap, Quantity: x.Quantity})
		}
	}
	for i := range w.setup.Warehouses {
		if w.setup.Warehouses[i].ID == want.WarehouseID {
			w.setup.Warehouses[i].Strategy = s
		}
	}
	return t.previewAll(ctx, want.MerchantID, want.WarehouseID, w, scan)
}

// PreviewStoreLimits tells what SetStoreLimits would make of the channel levels, of other stores too: who receives a SKU
// no more leaves its share to them. Faults: those of SetStoreLimits.
func (db *DB) PreviewStoreLimits(ctx context.Context, merchantID, storeID int64, in SetStoreLimits, scan Scan) error {
	return db.preview(ctx, "a store's limits", func(t *tx) error {
		row, err := t.store(ctx, merchantID, storeID)
		if err != nil {
			return err
		}
		if err := upToDate(in.ExpectedVersion, row.Version); err != nil {
			return err
		}
		var c check
		scope := row.Scope
		if in.Scope != nil {
			scope = oneOf(&c, "scope", *in.Scope, "")
		}
		limits := c.limits(in.Limits)
		if err := c.faults.Or(); err != nil {
			return err
		}
		w, err := t.world(ctx, merchantID)
		if err != nil {
			return fmt.Errorf("read the setup: %w", err)
		}
		for i := range w.setup.Stores {
			if s := &w.setup.Stores[i]; s.ID == storeID {
				s.Scope, s.Limits = inventory.Scope(scope), nil
				for _, l := range limits {
					s.Limits = append(s.Limits, inventory.Limit{Pattern: l.Pattern, Action: inventory.Action(l.Action)})
				}
			}
		}
		return t.previewAll(ctx, merchantID, 0, w, scan)
	})
}

// PreviewNewListing tells what CreateListing would make of the channel levels. Faults: its.
func (db *DB) PreviewNewListing(ctx context.Context, in CreateListing, scan Scan) error {
	return db.preview(ctx, "a listing", func(t *tx) error {
		want, err := t.newListing(ctx, in)
		if err != nil {
			return err
		}
		want.ID = notYet
		return t.previewListing(ctx, nil, want, scan)
	})
}

// PreviewListing tells what UpdateListing would make of the channel levels. Faults: its.
func (db *DB) PreviewListing(ctx context.Context, merchantID, id int64, in UpdateListing, scan Scan) error {
	return db.preview(ctx, "a listing", func(t *tx) error {
		row, err := t.listing(ctx, merchantID, id)
		if err != nil {
			return err
		}
		want, err := t.changedListing(ctx, row, in)
		if err != nil {
			return err
		}
		return t.previewListing(ctx, row, want, scan)
	})
}

// PreviewNoListing tells what DeleteListing would make of the channel levels. Fault: NOT_FOUND.
func (db *DB) PreviewNoListing(ctx context.Context, merchantID, id int64, scan Scan) error {
	return db.preview(ctx, "a listing", func(t *tx) error {
		row, err := t.listing(ctx, merchantID, id)
		if err != nil {
			return err
		}
		return t.previewListing(ctx, row, nil, scan)
	})
}

// previewListing takes row away and puts want in its place; either may be nil.
func (t *tx) previewListing(ctx context.Context, row, want *ent.Listing, scan Scan) error {
	var merchantID int64
	var skus []string
	var as supposed
	if row != nil {
		merchantID, as.without = row.MerchantID, row.ID
		skus = append(skus, row.Edges.Product.Sku, row.ChannelSku)
	}
	if want != nil {
		merchantID = want.MerchantID
		as.listing = &inventory.Listing{ID: want.ID, Store: want.StoreID, SKU: want.Edges.Product.Sku, ChannelSKU: want.ChannelSku, InventoryEnabled: want.InventoryEnabled, MaxQuantity: want.MaxQuantity}
		skus = append(skus, as.listing.SKU, as.listing.ChannelSKU)
	}
	return t.previewSKUs(ctx, merchantID, skus, as, scan)
}

// PreviewBundle tells what it would make of the channel levels if a product consisted of these components from now on; of
// none, it is no bundle. Faults: NOT_FOUND of productId, and those of CreateProduct that concern components.
func (db *DB) PreviewBundle(ctx context.Context, merchantID, productID int64, components []Component, scan Scan) error {
	return db.preview(ctx, "a bundle", func(t *tx) error {
		row, err := t.product(ctx, merchantID, productID)
		if err != nil {
			return err
		}
		var c check
		parts, err := t.parts(ctx, &c, row, row.Sku, components)
		if err != nil {
			return err
		}
		if err := c.faults.Or(); err != nil {
			return err
		}
		old, err := t.partsOf(ctx, row)
		if err != nil {
			return err
		}
		bundle := &inventory.Product{SKU: row.Sku}
		for _, p := range parts {
			bundle.Components = append(bundle.Components, inventory.Component{SKU: p.sku, Quantity: p.quantity})
		}
		return t.previewSKUs(ctx, merchantID, append(append(skus(old), skus(parts)...), row.Sku), supposed{bundle: bundle}, scan)
	})
}

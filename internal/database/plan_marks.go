package database

import (
	"context"
	"fmt"
	"slices"
	"strings"
)

// markSKUs says durably, in the transaction of the change that makes it so, that all channel levels these product or
// warehouse SKUs bear on have to be worked out anew. Blank SKUs are passed over.
func (t *tx) markSKUs(ctx context.Context, merchantID int64, skus ...string) error {
	slices.Sort(skus)
	skus = slices.DeleteFunc(slices.Compact(skus), func(s string) bool { return s == "" })
	for chunk := range slices.Chunk(skus, 1000) {
		values := strings.TrimSuffix(strings.Repeat("(?, ?),", len(chunk)), ",")
		args := make([]any, 0, 2*len(chunk))
		for _, s := range chunk {
			args = append(args, merchantID, s)
		}
		if _, err := t.ExecContext(ctx, t.db.rebind("INSERT INTO plan_marks (merchant_id, sku) VALUES "+values), args...); err != nil {
			return fmt.Errorf("mark SKUs to be planned: %w", err)
		}
	}
	return nil
}

// markWarehouses says the same of all that these warehouses feed.
func (t *tx) markWarehouses(ctx context.Context, merchantID int64, warehouseIDs ...int64) error {
	for _, id := range warehouseIDs {
		if _, err := t.ExecContext(ctx, t.db.rebind("INSERT INTO plan_marks (merchant_id, sku, warehouse_id) VALUES (?, '', ?)"), merchantID, id); err != nil {
			return fmt.Errorf("mark a warehouse to be planned: %w", err)
		}
	}
	return nil
}

// markMerchant says the same of all that the merchant has.
func (t *tx) markMerchant(ctx context.Context, merchantID int64) error {
	if _, err := t.ExecContext(ctx, t.db.rebind("INSERT INTO plan_marks (merchant_id, sku) VALUES (?, '')"), merchantID); err != nil {
		return fmt.Errorf("mark a merchant to be planned: %w", err)
	}
	return nil
}

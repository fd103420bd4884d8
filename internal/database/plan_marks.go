package database

import (
	"context"
	"encoding/json"
	"errors"
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

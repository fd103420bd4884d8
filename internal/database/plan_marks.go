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

// PlanMarks are those of a merchant, the oldest first, at most limit, without those that recordings of other replicas than
// the one whose context this is will meet.
func (db *DB) PlanMarks(ctx context.Context, merchantID int64, limit int) (marks []PlanMark, err error) {
	rows, err := db.write.QueryContext(ctx, db.rebind("SELECT id, sku, warehouse_id FROM plan_marks WHERE merchant_id = ? AND (replica_id IS NULL OR replica_id = ?) ORDER BY id LIMIT ?"), merchantID, replicaOf(ctx), limit)
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
		err := db.inTx(ctx, func(t *tx) error {
			_, err := t.ExecContext(ctx, db.rebind(query), arg)
			return err
		})
		if err != nil {
			return fmt.Errorf("take plan marks away: %w", err)
		}
	}
	return nil
}

// LeaveMarks lets anybody meet the marks of recordings that came to nothing.
func (db *DB) LeaveMarks(ctx context.Context, ids ...int64) error {
	if db.pool == nil {
		return nil // there is nobody else
	}
	if _, err := db.write.ExecContext(ctx, "UPDATE plan_marks SET replica_id = NULL WHERE id = ANY($1)", ids); err != nil {
		return fmt.Errorf("leave plan marks: %w", err)
	}
	return nil
}

// MerchantsToPlan are the merchants with plan marks that anybody may meet, each with its oldest one.
func (db *DB) MerchantsToPlan(ctx context.Context) (oldest map[int64]int64, err error) {
	oldest = map[int64]int64{}
	err = db.scan(ctx, "SELECT merchant_id, min(id) FROM plan_marks WHERE replica_id IS NULL GROUP BY merchant_id", nil, func(scan func(...any) error) error {
		var merchant, mark int64
		err := scan(&merchant, &mark)
		oldest[merchant] = mark
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("read plan marks: %w", err)
	}
	return oldest, nil
}

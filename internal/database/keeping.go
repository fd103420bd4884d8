package database

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"
)

const (
	// KeptPerSKU is how many activities of a SKU, the latest, are kept however old they are.
	KeptPerSKU = 200
	// pruneRows is how many rows one transaction deletes at most, so that no writer waits long for it.
	pruneRows = 1000
)

// PruneActivities deletes activities that happened before a time and are not among the latest KeptPerSKU of their SKU. It
// looks at the next thousand after an id, and tells where to go on, whether there may be more to do there, and how many
// went. The merchants' horizons rise with them (spec 5.1): a feed cannot be followed from before its horizon.
func (db *DB) PruneActivities(ctx context.Context, before time.Time, after int64) (next int64, more bool, deleted int, err error) {
	next = after
	var gone []int64
	horizon := map[int64]int64{} // by merchant: the greatest id that goes
	seen, old := 0, true
	// Looking is a read of its own: most of what is old is kept, and no writer has to wait for that to be found out.
	err = db.scan(ctx, prunableActivities, []any{KeptPerSKU, KeptPerSKU, before, after, pruneRows}, func(scan func(...any) error) error {
		var id, merchant int64
		var past, prunable bool
		if err := scan(&id, &merchant, &past, &prunable); err != nil {
			return err
		}
		seen++
		if old = old && past; old {
			next = id
		}
		more = more || past
		if prunable {
			gone, horizon[merchant] = append(gone, id), id
		}
		return nil
	})
	if more = more && old && seen == pruneRows; err == nil && len(gone) > 0 {
		err = db.inTx(ctx, func(t *tx) error {
			for _, merchant := range slices.Sorted(maps.Keys(horizon)) { // one order, or two processes wait for each other
				if err := t.raiseHorizon(ctx, merchant, horizon[merchant]); err != nil {
					return err
				}
			}
			deleted, err = t.deleteIDs(ctx, "activities", gone)
			return err
		})
	}
	if err != nil {
		return after, false, 0, fmt.Errorf("prune activities: %w", err)
	}
	return next, more, deleted, nil
}

// prunableActivities finds of each row whether it is past, and whether it can go: what is newer of its SKU is counted up
// to the number that is kept, by the index over merchant and SKU.
const prunableActivities = `SELECT a.id, a.merchant_id, a.past,
	CASE WHEN a.past THEN (SELECT count(*) FROM (SELECT 1 FROM activities n WHERE n.merchant_id = a.merchant_id AND n.sku = a.sku AND n.id > a.id LIMIT ?) AS newer) >= ?
	ELSE a.past END
	FROM (SELECT id, merchant_id, sku, at < ? AS past FROM activities WHERE id > ? ORDER BY id LIMIT ?) AS a ORDER BY a.id`

// raiseHorizon notes that activities of a merchant are gone up to an id. A merchant that is gone itself has no horizon.
func (t *tx) raiseHorizon(ctx context.Context, merchantID, activityID int64) error {
	_, err := t.ExecContext(ctx, t.db.rebind(`INSERT INTO feed_horizons (merchant_id, activity_id) SELECT id, CAST(? AS bigint) FROM merchants WHERE id = ?
		ON CONFLICT (merchant_id) DO UPDATE SET activity_id = excluded.activity_id WHERE feed_horizons.activity_id < excluded.activity_id`), activityID, merchantID)
	return err
}

// PruneProblems deletes problems of runs that ended before a time; the runs stay. It looks at the next thousand after an
// id, as PruneActivities does.
func (db *DB) PruneProblems(ctx context.Context, before time.Time, after int64) (next int64, more bool, deleted int, err error) {
	next = after
	var gone []int64
	seen := 0
	err = db.scan(ctx, `SELECT p.id, r.created_at < ?, r.finished_at IS NOT NULL AND r.finished_at < ?
		FROM (SELECT id, run_id FROM run_problems WHERE id > ? ORDER BY id LIMIT ?) AS p JOIN sync_runs r ON r.id = p.run_id ORDER BY p.id`,
		[]any{before, before, after, pruneRows}, func(scan func(...any) error) error {
			var prunable bool
			if err := scan(&next, &more, &prunable); err != nil { // more: the last run began in time
				return err
			}
			seen++
			if prunable {
				gone = append(gone, next)
			}
			return nil
		})
	if more = more && seen == pruneRows; err == nil && len(gone) > 0 {
		err = db.inTx(ctx, func(t *tx) error {
			deleted, err = t.deleteIDs(ctx, "run_problems", gone)
			return err
		})
	}
	if err != nil {
		return after, false, 0, fmt.Errorf("prune run problems: %w", err)
	}
	return next, more, deleted, nil
}

// PruneKeys deletes idempotency keys that mean nothing any more, up to a thousand, and tells whether there may be more.
func (db *DB) PruneKeys(ctx context.Context) (more bool, deleted int, err error) {
	err = db.inTx(ctx, func(t *tx) error {
		done, err := t.ExecContext(ctx, db.rebind("DELETE FROM idempotency_keys WHERE id IN (SELECT id FROM idempotency_keys WHERE created_at <= ? ORDER BY created_at LIMIT ?)"), db.Now().Add(-KeyKept), pruneRows)
		if err != nil {
			return err
		}
		n, err := done.RowsAffected()
		deleted, more = int(n), n == pruneRows
		return err
	})
	if err != nil {
		return false, 0, fmt.Errorf("prune idempotency keys: %w", err)
	}
	return more, deleted, nil
}

// scan reads rows without a transaction, beside the writers.
func (db *DB) scan(ctx context.Context, query string, args []any, row func(scan func(...any) error) error) (err error) {
	rows, err := db.read.QueryContext(ctx, db.rebind(query), args...)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	for rows.Next() {
		if err := row(rows.Scan); err != nil {
			return err
		}
	}
	return rows.Err()
}

// deleteIDs deletes rows of a table by their ids.
func (t *tx) deleteIDs(ctx context.Context, table string, ids []int64) (deleted int, err error) {
	query, arg := "DELETE FROM "+table+" WHERE id = ANY($1)", any(ids)
	if !t.postgres() {
		list, err := json.Marshal(ids)
		if err != nil {
			return 0, err
		}
		query, arg = "DELETE FROM "+table+" WHERE id IN (SELECT value FROM json_each(?))", string(list)
	}
	done, err := t.ExecContext(ctx, query, arg)
	if err != nil {
		return 0, err
	}
	n, err := done.RowsAffected()
	return int(n), err
}

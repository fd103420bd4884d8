package database

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"stockbridge/ent/schema/enum"
)

// Demand is a channel level that has to be pushed.
type Demand struct {
	ID         int64
	SKU        string // of the product or at the warehouse
	ChannelSKU string
	Location   string // the location's code, "" for none
	Quantity   int64
	locationID Int
	pushed     Int
}

// Standing counts a store's levels before a push.
type Standing struct {
	Levels   int64 // that count, EXCLUDED ones not among them
	ToPush   int64 // whose store may not show the quantity, or is to show 0 once
	Excluded int64
}

// A level is to be pushed when its store is known to show another figure, or not known to show this one.
const toPush = "(due OR status <> 'EXCLUDED' AND pushed_quantity IS DISTINCT FROM quantity)"

// BeginPush opens a push to a store; EndPush closes it. Between them, levels that go back to what was acknowledged stay
// to be pushed. A push that was never closed ended in a crash: what was pending then may be on its way, and is due.
func (db *DB) BeginPush(ctx context.Context, storeID int64) (s Standing, err error) {
	err = db.inTx(ctx, func(t *tx) error {
		var interrupted bool
		if err := t.QueryRowContext(ctx, db.rebind("SELECT pushing FROM stores WHERE id = ?"), storeID).Scan(&interrupted); err != nil {
			return err
		}
		query := "UPDATE stores SET pushing = true WHERE id = ?"
		if interrupted {
			query = "UPDATE channel_levels SET due = true WHERE store_id = ? AND status IN ('PENDING', 'FAILED')"
		}
		_, err := t.ExecContext(ctx, db.rebind(query), storeID)
		return err
	})
	if err == nil { // counted beside the writer, which it would hold up
		err = db.read.QueryRowContext(ctx, db.rebind("SELECT count(*) FILTER (WHERE status <> 'EXCLUDED'), count(*) FILTER (WHERE "+toPush+"), count(*) FILTER (WHERE status = 'EXCLUDED') FROM channel_levels WHERE store_id = ?"), storeID).
			Scan(&s.Levels, &s.ToPush, &s.Excluded)
	}
	if err != nil {
		return s, fmt.Errorf("begin the push to store %d: %w", storeID, err)
	}
	return s, nil
}

// EndPush closes a push all of whose outcomes are marked.
func (db *DB) EndPush(ctx context.Context, storeID int64) error {
	err := db.inTx(ctx, func(t *tx) error {
		_, err := t.ExecContext(ctx, db.rebind("UPDATE stores SET pushing = false WHERE id = ?"), storeID)
		return err
	})
	if err != nil {
		return fmt.Errorf("end the push to store %d: %w", storeID, err)
	}
	return nil
}

// ToPush lists the next levels of a store to be pushed, in order of channel SKU and location, after the given one (nil:
// from the start): those that differ, or with full all that count.
func (db *DB) ToPush(ctx context.Context, storeID int64, full bool, after *Demand, limit int) (out []Demand, err error) {
	where, args := "store_id = ?", []any{storeID}
	if after != nil {
		where, args = where+" AND (channel_sku, location_code) > (?, ?)", append(args, after.ChannelSKU, after.Location)
	}
	if full {
		where += " AND (due OR status <> 'EXCLUDED')"
	} else {
		where += " AND " + toPush
	}
	rows, err := db.read.QueryContext(ctx, db.rebind("SELECT id, sku, channel_sku, location_code, quantity, location_id, pushed_quantity FROM channel_levels WHERE "+where+" ORDER BY channel_sku, location_code LIMIT ?"), append(args, limit)...)
	if err != nil {
		return nil, fmt.Errorf("list the levels to push: %w", err)
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	for rows.Next() {
		var d Demand
		if err := rows.Scan(&d.ID, &d.SKU, &d.ChannelSKU, &d.Location, &d.Quantity, &d.locationID, &d.pushed); err != nil {
			return nil, fmt.Errorf("list the levels to push: %w", err)
		}
		out = append(out, d)
	}
	return out, rows.Err()
}

// Answer is what became of a demand.
type Answer struct {
	Demand
	Acknowledged bool
	// Unsure says that the store may or may not show the quantity: the level is due whatever it becomes.
	Unsure bool
	Words  string // of the store, why it was not acknowledged
}

// Mark stores the answers of a batch, and tells of them, in one transaction (spec 3.5). A level that moved
// since it was sent stays to be pushed.
func (db *DB) Mark(ctx context.Context, merchantID, storeID, runID int64, answers []Answer) error {
	now := db.Now()
	slices.SortFunc(answers, func(a, b Answer) int { return int(a.ID - b.ID) }) // one order of row locks for everyone
	err := db.inTx(ctx, func(t *tx) error {
		var acks, rest []Answer
		facts := make([]Fact, 0, len(answers))
		for _, a := range answers {
			f := Fact{SKU: a.SKU, ChannelSKU: a.ChannelSKU, Store: IntOf(storeID), Location: a.locationID, Run: IntOf(runID), Before: a.pushed, After: IntOf(a.Quantity)}
			if a.Acknowledged {
				f.Kind, acks = enum.QuantityPushed, append(acks, a)
			} else {
				f.Kind, f.Message, rest = enum.QuantityFailed, a.Words, append(rest, a)
			}
			facts = append(facts, f)
		}
		if err := t.markAcknowledged(ctx, acks); err != nil {
			return err
		}
		if err := t.markFailed(ctx, rest); err != nil {
			return err
		}
		slices.SortStableFunc(facts, func(a, b Fact) int { return strings.Compare(a.ChannelSKU, b.ChannelSKU) })
		return t.tell(ctx, merchantID, now, facts)
	})
	if err != nil {
		return fmt.Errorf("mark %d levels of store %d: %w", len(answers), storeID, err)
	}
	return nil
}

func (t *tx) markAcknowledged(ctx context.Context, answers []Answer) error {
	now := t.db.Now()
	var ids, sent []int64
	if t.postgres() {
		for _, a := range answers {
			ids, sent = append(ids, a.ID), append(sent, a.Quantity)
		}
	}
	// A level held back while it was on its way still has to show its 0.
	return t.update(ctx, `UPDATE channel_levels c SET pushed_quantity = v.sent, due = c.due AND c.status = 'EXCLUDED' AND c.quantity <> v.sent, last_error = NULL, last_pushed_at = ?, updated_at = ?,
		status = CASE WHEN c.status = 'EXCLUDED' THEN 'EXCLUDED' WHEN c.quantity = v.sent THEN 'PUSHED' ELSE 'PENDING' END
		FROM unnest(?::bigint[], ?::bigint[]) AS v(id, sent) WHERE c.id = v.id`, []any{now, now, ids, sent},
		`UPDATE channel_levels SET pushed_quantity = ?1, due = due AND status = 'EXCLUDED' AND quantity <> ?1, last_error = NULL, last_pushed_at = ?2, updated_at = ?2,
		status = CASE WHEN status = 'EXCLUDED' THEN 'EXCLUDED' WHEN quantity = ?1 THEN 'PUSHED' ELSE 'PENDING' END WHERE id = ?3`, len(answers), func(i int) []any {
			return []any{answers[i].Quantity, now, answers[i].ID}
		})
}

func (t *tx) markFailed(ctx context.Context, answers []Answer) error {
	now := t.db.Now()
	var ids, sent []int64
	var unsure []bool
	var words []string
	if t.postgres() {
		for _, a := range answers {
			ids, sent, unsure, words = append(ids, a.ID), append(sent, a.Quantity), append(unsure, a.Unsure), append(words, a.Words)
		}
	}
	return t.update(ctx, `UPDATE channel_levels c SET due = c.due OR v.unsure, last_error = v.words, updated_at = ?,
		status = CASE WHEN c.status = 'EXCLUDED' THEN 'EXCLUDED' WHEN c.quantity = v.sent THEN 'FAILED' ELSE 'PENDING' END
		FROM unnest(?::bigint[], ?::bigint[], ?::boolean[], ?::text[]) AS v(id, sent, unsure, words) WHERE c.id = v.id`, []any{now, ids, sent, unsure, words},
		`UPDATE channel_levels SET due = due OR ?2, last_error = ?3, updated_at = ?4,
		status = CASE WHEN status = 'EXCLUDED' THEN 'EXCLUDED' WHEN quantity = ?1 THEN 'FAILED' ELSE 'PENDING' END WHERE id = ?5`, len(answers), func(i int) []any {
			a := &answers[i]
			return []any{a.Quantity, a.Unsure, a.Words, now, a.ID}
		})
}

// Doubt says that what these demands asked for may or may not have reached the store: a push was stopped while they were
// on their way. They stay to be pushed.
func (db *DB) Doubt(ctx context.Context, demands []Demand) error {
	return db.inTx(ctx, func(t *tx) error {
		ids := make([]int64, len(demands))
		for i, d := range demands {
			ids[i] = d.ID
		}
		slices.Sort(ids)
		return t.update(ctx, "UPDATE channel_levels SET due = true WHERE id = ANY(?::bigint[])", []any{ids}, "UPDATE channel_levels SET due = true WHERE id = ?", len(ids), func(i int) []any { return []any{ids[i]} })
	})
}

package database

import (
	"context"
	"fmt"
	"time"

	"stockbridge/ent/schema/enum"
)

// Fact is an activity about to be written.
type Fact struct {
	Kind                                      enum.ActivityKind
	SKU, ChannelSKU                           string // ChannelSKU "" for none
	Warehouse, Facility, Store, Location, Run Int
	Before, After                             Int
	Message                                   string // "" for none
}

var factColumns = []string{"at", "kind", "merchant_id", "sku", "channel_sku", "warehouse_id", "facility_id", "store_id", "location_id", "run_id", "before", "after", "message"}

// tell writes facts. It is the last thing a transaction does: the lock it takes is held until the commit, so that ids
// come in the order of commits and a reader that has seen one id never finds a smaller one later.
func (t *tx) tell(ctx context.Context, merchantID int64, at time.Time, facts []Fact) error {
	if len(facts) == 0 {
		return nil
	}
	if err := t.lock(ctx, lockActivity, 0); err != nil {
		return fmt.Errorf("write activities: %w", err)
	}
	err := t.insert(ctx, "activities", factColumns, len(facts), func(i int) []any {
		f := &facts[i]
		return []any{at, string(f.Kind), merchantID, f.SKU, text(f.ChannelSKU), f.Warehouse, f.Facility, f.Store, f.Location, f.Run, f.Before, f.After, text(f.Message)}
	})
	if err != nil {
		return fmt.Errorf("write activities: %w", err)
	}
	return t.wake(ctx)
}

// wake lets everyone who waits for news look once this transaction is committed, in this process and, on PostgreSQL, in every other.
func (t *tx) wake(ctx context.Context) error {
	t.activity = true
	if t.postgres() {
		if _, err := t.ExecContext(ctx, "SELECT pg_notify('"+wakeChannel+"', '')"); err != nil {
			return fmt.Errorf("wake readers: %w", err)
		}
	}
	return nil
}

const wakeChannel = "stockbridge"

// text is a nullable text: "" is absent.
func text(s string) any {
	if s == "" {
		return nil
	}
	return s
}

// Listen calls wake whenever another process may have committed something new, until ctx ends or the connection breaks.
// On SQLite there is no other process: it only waits for ctx.
func (db *DB) Listen(ctx context.Context, wake func()) error {
	if db.pool == nil {
		<-ctx.Done()
		return ctx.Err()
	}
	conn, err := db.pool.Acquire(ctx)
	if err != nil {
		return fmt.Errorf("listen: %w", err)
	}
	raw := conn.Hijack()
	defer raw.Close(context.WithoutCancel(ctx)) //nolint:errcheck // it is only listened on
	if _, err := raw.Exec(ctx, "LISTEN "+wakeChannel); err != nil {
		return fmt.Errorf("listen: %w", err)
	}
	wake()
	for {
		if _, err := raw.WaitForNotification(ctx); err != nil {
			return fmt.Errorf("listen: %w", err)
		}
		wake()
	}
}

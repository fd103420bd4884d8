// Package activity is the live feed: whoever follows it holds a position, reads on from storage, and is woken when there
// may be more. Nothing is delivered that is not committed, and nothing is passed over.
package activity

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"stockbridge/ent"
	"stockbridge/ent/activity"
	"stockbridge/ent/feedhorizon"
	"stockbridge/ent/predicate"
	"stockbridge/ent/schema/enum"
	"stockbridge/internal/database"
	"stockbridge/internal/fault"
)

// Bell wakes everyone who waits. It keeps no count: who was woken looks for itself. The zero value is ready.
type Bell struct {
	mu   sync.Mutex
	next chan struct{} // closed by the next Ring; nil while nobody waits
}

// Ring wakes all who wait now.
func (b *Bell) Ring() {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.next != nil {
		close(b.next)
		b.next = nil
	}
}

// Next returns a channel that the next Ring closes. Take it before looking, so that nothing falls in between.
func (b *Bell) Next() <-chan struct{} {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.next == nil {
		b.next = make(chan struct{})
	}
	return b.next
}

// Feed follows the activities of one database.
type Feed struct {
	db   *database.DB
	bell *Bell
	log  *slog.Logger
}

// New makes a feed. The bell has to be rung after every commit of this process (database.Options.Committed).
func New(db *database.DB, bell *Bell, log *slog.Logger) *Feed {
	return &Feed{db: db, bell: bell, log: log}
}

// pollEvery is how often followers look without being woken: the safety net for a wake-up that was lost.
const pollEvery = 2 * time.Second

// Run passes on what other processes commit, until ctx ends. A broken connection is made anew; followers poll meanwhile.
func (f *Feed) Run(ctx context.Context) {
	for ctx.Err() == nil {
		if err := f.db.Listen(ctx, f.bell.Ring); err != nil && ctx.Err() == nil {
			f.log.WarnContext(ctx, "listening for other processes' commits broke off; polling until it is back", "error", err)
		}
		select {
		case <-ctx.Done():
		case <-time.After(time.Second):
		}
	}
}

// Changed returns a channel that is closed when something may have been committed. Take it before looking.
func (f *Feed) Changed() <-chan struct{} { return f.bell.Next() }

// Filter narrows a feed to one merchant and, where set, to more.
type Filter struct {
	MerchantID  int64
	SKU         string              // the product's or warehouse's; "" for all
	StoreID     int64               // 0 for all
	WarehouseID int64               // 0 for all
	Kinds       []enum.ActivityKind // empty for all
}

func (f Filter) where() []predicate.Activity {
	where := []predicate.Activity{activity.MerchantID(f.MerchantID)}
	if f.SKU != "" {
		where = append(where, activity.Sku(f.SKU))
	}
	if f.StoreID != 0 {
		where = append(where, activity.StoreID(f.StoreID))
	}
	if f.WarehouseID != 0 {
		where = append(where, activity.WarehouseID(f.WarehouseID))
	}
	if len(f.Kinds) > 0 {
		where = append(where, activity.KindIn(f.Kinds...))
	}
	return where
}

// FromNow is the position after everything that is committed.
const FromNow int64 = -1

// batch is how many activities one look reads at most, and so what a follower holds in memory.
const batch = 500

// Kept tells whether everything of a merchant after an id is still there (spec 5.1). The error is a fault CURSOR_EXPIRED of
// "after" where something was deleted, for it was too old.
func (f *Feed) Kept(ctx context.Context, reader *ent.Client, merchantID, after int64) error {
	gone, err := reader.FeedHorizon.Query().Where(feedhorizon.MerchantID(merchantID), feedhorizon.ActivityIDGT(after)).Exist(ctx)
	if err != nil {
		return fmt.Errorf("read the horizon: %w", err)
	}
	if gone {
		return fault.At("after", fault.CursorExpired, "activities after this cursor are so old that they were deleted: read what there is with "+
			"activities(where: {merchantId: …}), take the levels as they are now, and follow anew without after, or after the newest cursor read")
	}
	return nil
}

// Follow calls yield with every activity after the given id that the filter lets through, in order, first those stored,
// then as they are committed, until ctx ends or yield fails. ctx carries the viewer that reader is narrowed to. Fault:
// CURSOR_EXPIRED where activities were deleted before they were reached.
func (f *Feed) Follow(ctx context.Context, reader *ent.Client, after int64, filter Filter, yield func(*ent.Activity) error) error {
	if after == FromNow {
		newest, err := reader.Activity.Query().Where(activity.MerchantID(filter.MerchantID)).Order(ent.Desc(activity.FieldID)).FirstID(ctx)
		if err != nil && !ent.IsNotFound(err) {
			return fmt.Errorf("find the end of the feed: %w", err)
		}
		after = newest
	}
	poll := time.NewTicker(pollEvery)
	defer poll.Stop()
	behind := true // until all that was stored has been read: from then on nothing can go unseen
	for {
		more := f.bell.Next()
		rows, err := reader.Activity.Query().Where(filter.where()...).Where(activity.IDGT(after)).Order(ent.Asc(activity.FieldID)).Limit(batch).All(ctx)
		if err != nil {
			return errors.Join(ctx.Err(), fmt.Errorf("read the feed after %d: %w", after, err))
		}
		if behind { // asked after reading, so that what goes in between is noticed
			if err := f.Kept(ctx, reader, filter.MerchantID, after); err != nil {
				return errors.Join(ctx.Err(), err)
			}
		}
		behind = len(rows) == batch
		for _, row := range rows {
			if err := yield(row); err != nil {
				return err
			}
			after = row.ID
		}
		if behind {
			continue
		}
		select {
		case <-more:
		case <-poll.C:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

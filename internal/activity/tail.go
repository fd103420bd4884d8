package activity

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"stockbridge/ent"
	"stockbridge/ent/activity"
	"stockbridge/ent/predicate"
	"stockbridge/ent/schema/enum"
)

// Filter narrows a feed to one merchant and, where set, to more.
type Filter struct {
	MerchantID  int64
	SKU         string              // the product's or warehouse's; "" for all
	StoreID     int64               // 0 for all
	WarehouseID int64               // 0 for all
	Kinds       []enum.ActivityKind // empty for all
}

func (f *Filter) where() []predicate.Activity {
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

// takes says what where says of rows of the merchant and SKU.
func (f *Filter) takes(a *ent.Activity) bool {
	return (f.StoreID == 0 || a.StoreID != nil && *a.StoreID == f.StoreID) && (f.WarehouseID == 0 || a.WarehouseID != nil && *a.WarehouseID == f.WarehouseID) &&
		(len(f.Kinds) == 0 || slices.Contains(f.Kinds, a.Kind))
}

const (
	batch = 500  // activities that one Next reads from storage at most
	held  = 1000 // activities that wait for a tail at most, beyond which it reads from storage
)

// Tail is one follower of a feed. Next is for one goroutine at a time.
type Tail struct {
	feed     *Feed
	filter   Filter
	position int64 // all up to here was returned
	live     bool  // it is handed what comes
	until    int64 // storage is read up to here before what was handed out since is taken
	unsure   bool  // whether something after the position may have been deleted, as long as it has not caught up
	awake    chan struct{}

	// Guarded by feed.mu.
	attached bool
	overrun  bool // more came than is held, and was let go
	queue    []*ent.Activity
}

// Tail follows what comes after a position. Close it.
func (f *Feed) Tail(after int64, filter Filter) *Tail {
	return &Tail{feed: f, filter: filter, position: after, unsure: true, awake: make(chan struct{}, 1)}
}

// Position is up to where the feed was searched: all that came before and concerns the tail was returned.
func (t *Tail) Position() int64 { return t.position }

// Close lets go of the feed.
func (t *Tail) Close() {
	t.feed.mu.Lock()
	defer t.feed.mu.Unlock()
	t.feed.detach(t)
}

// offer hands a row to an attached tail, without waiting. feed.mu is held.
func (t *Tail) offer(row *ent.Activity) {
	if t.overrun || !t.filter.takes(row) {
		return
	}
	if len(t.queue) == held {
		t.queue, t.overrun = nil, true
	} else {
		t.queue = append(t.queue, row)
	}
	select {
	case t.awake <- struct{}{}:
	default:
	}
}

// Stored returns the next activities that are committed, in order, at most 500, and none when there are no more.
// Rows are the caller's own. ctx carries the viewer that the feed's reader is narrowed to. Fault: CURSOR_EXPIRED where activities
// were deleted before they were reached.
func (t *Tail) Stored(ctx context.Context) ([]*ent.Activity, error) {
	newest, err := t.feed.Newest(ctx)
	if err != nil {
		return nil, errors.Join(ctx.Err(), err)
	}
	return t.read(ctx, newest)
}

// read reads on in storage up to a position.
func (t *Tail) read(ctx context.Context, until int64) ([]*ent.Activity, error) {
	if until <= t.position {
		return nil, nil
	}
	rows, err := t.feed.cfg.Reader.Activity.Query().Where(t.filter.where()...).Where(activity.IDGT(t.position), activity.IDLTE(until)).
		Order(ent.Asc(activity.FieldID)).Limit(batch).All(ctx)
	if err == nil && t.unsure { // asked after reading, so that what goes in between is noticed
		err = t.feed.Kept(ctx, t.filter.MerchantID, t.position)
	}
	if err != nil {
		return nil, errors.Join(ctx.Err(), fmt.Errorf("read the feed after %d: %w", t.position, err))
	}
	if t.unsure = len(rows) == batch; t.unsure {
		until = rows[batch-1].ID
	}
	t.position = until
	return rows, nil
}

// Next waits for activities and returns them, in order: first those stored, then as they are committed. Rows are the caller's
// own. It returns when ctx ends, with its error, else as Stored.
func (t *Tail) Next(ctx context.Context) ([]*ent.Activity, error) {
	for {
		rows, err := t.take(ctx)
		if err != nil || len(rows) > 0 {
			return rows, err
		}
	}
}

// take returns what there is, and waits once when there is nothing.
func (t *Tail) take(ctx context.Context) ([]*ent.Activity, error) {
	if !t.live {
		if rows, err := t.Stored(ctx); err != nil || len(rows) > 0 {
			return rows, err
		}
		// What is committed from here on is handed out; what was before, and after the look at storage, is read.
		t.until, t.live = max(t.feed.attach(t), t.position), true
	}
	if t.position < t.until {
		return t.read(ctx, t.until)
	}
	t.feed.mu.Lock()
	queue, overrun := t.queue, t.overrun
	t.queue = nil
	if overrun {
		t.feed.detach(t)
		t.live, t.unsure = false, true
	} else if t.feed.position > t.position {
		t.position = t.feed.position
	}
	t.feed.mu.Unlock()
	if overrun {
		return nil, ctx.Err()
	}
	var rows []*ent.Activity
	for _, row := range queue {
		if row.ID > t.until {
			own := *row // others have the same
			rows = append(rows, &own)
		}
	}
	if len(rows) > 0 {
		return rows, nil
	}
	select {
	case <-t.awake:
		return nil, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

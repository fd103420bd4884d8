// Package activity is the live feed: whoever follows it holds a position, reads on from storage, and is handed what comes
// then. Nothing is delivered that is not committed, and nothing is passed over.
//
// One goroutine (Run) reads what is committed, once, and hands it to every Tail that it concerns without ever waiting for one:
// a tail that does not take it in time is left alone, and reads on from storage by itself.
package activity

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"stockbridge/ent"
	"stockbridge/ent/activity"
	"stockbridge/ent/feedhorizon"
	"stockbridge/internal/database"
	"stockbridge/internal/fault"
)

// Config is what a Feed works with.
type Config struct {
	DB *database.DB
	// Reader reads activities. Rows that are handed out keep it: what is read from them is narrowed as it narrows.
	Reader *ent.Client
	// System makes a context in which Reader shows everything; nil where it does so in any.
	System func(context.Context) context.Context
	// Bell has to be rung after every commit of this process (database.Options.Committed).
	Bell *Bell
	Log  *slog.Logger
}

// Feed follows the activities of one database. It is safe for concurrent use.
type Feed struct {
	cfg Config

	mu       sync.Mutex // guards the rest
	position int64      // all up to here was handed to the tails that are attached
	resets   int        // how often the position was set by somebody else than Run
	tails    map[int64]*audience
	attached int
	waiting  chan struct{} // closed when the first tail is attached; nil while one is
}

// audience are the tails of a merchant, by the SKU that they follow, "" for all.
type audience map[string]map[*Tail]struct{}

// New makes a feed. Run has to run, or tails see only what is stored when they look.
func New(cfg Config) *Feed {
	if cfg.System == nil {
		cfg.System = func(ctx context.Context) context.Context { return ctx }
	}
	return &Feed{cfg: cfg, tails: map[int64]*audience{}, waiting: make(chan struct{})}
}

// pollEvery is how often is looked without being woken: the safety net for a wake-up that was lost.
const pollEvery = 2 * time.Second

// readOnce is how many activities one look reads at most.
const readOnce = 1000

// Run hands out what is committed, here and by other processes, until ctx ends. A broken connection is made anew; the feed
// polls meanwhile.
func (f *Feed) Run(ctx context.Context) {
	var work sync.WaitGroup
	defer work.Wait()
	work.Go(func() { f.listen(ctx) })
	poll := time.NewTicker(pollEvery)
	defer poll.Stop()
	for ctx.Err() == nil {
		f.mu.Lock()
		idle, position, resets := f.waiting, f.position, f.resets
		f.mu.Unlock()
		if idle != nil { // nobody listens
			select {
			case <-idle:
			case <-ctx.Done():
			}
			continue
		}
		more := f.cfg.Bell.Next()
		rows, err := f.cfg.Reader.Activity.Query().Where(activity.IDGT(position)).Order(ent.Asc(activity.FieldID)).Limit(readOnce).All(f.cfg.System(ctx))
		if err != nil && ctx.Err() == nil {
			f.cfg.Log.WarnContext(ctx, "the feed could not be read; it is looked at again", "error", err)
		}
		f.handOut(rows, resets)
		if len(rows) == readOnce {
			continue
		}
		select {
		case <-more:
		case <-poll.C:
		case <-ctx.Done():
		}
	}
}

// listen rings the bell for what other processes commit.
func (f *Feed) listen(ctx context.Context) {
	for ctx.Err() == nil {
		if err := f.cfg.DB.Listen(ctx, f.cfg.Bell.Ring); err != nil && ctx.Err() == nil {
			f.cfg.Log.WarnContext(ctx, "listening for other processes' commits broke off; polling until it is back", "error", err)
		}
		select {
		case <-ctx.Done():
		case <-time.After(time.Second):
		}
	}
}

// handOut gives rows to the tails that they concern. Rows that were read for a position that is no longer the feed's are
// for nobody.
func (f *Feed) handOut(rows []*ent.Activity, resets int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if resets != f.resets {
		return
	}
	for _, row := range rows {
		if a := f.tails[row.MerchantID]; a != nil {
			for _, sku := range []string{"", row.Sku} {
				for t := range (*a)[sku] {
					t.offer(row)
				}
			}
		}
		f.position = row.ID
	}
}

// attach makes a tail be handed what comes, and returns the position from which on.
func (f *Feed) attach(t *Tail) int64 {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.attached == 0 {
		f.position = t.position
		f.resets++
		close(f.waiting)
		f.waiting = nil
	}
	f.attached++
	a := f.tails[t.filter.MerchantID]
	if a == nil {
		a = &audience{}
		f.tails[t.filter.MerchantID] = a
	}
	if (*a)[t.filter.SKU] == nil {
		(*a)[t.filter.SKU] = map[*Tail]struct{}{}
	}
	(*a)[t.filter.SKU][t] = struct{}{}
	t.attached, t.overrun, t.queue = true, false, nil
	return f.position
}

// detach undoes attach. f.mu is held.
func (f *Feed) detach(t *Tail) {
	if !t.attached {
		return
	}
	t.attached, t.queue = false, nil
	a := f.tails[t.filter.MerchantID]
	delete((*a)[t.filter.SKU], t)
	if len((*a)[t.filter.SKU]) == 0 {
		delete(*a, t.filter.SKU)
	}
	if len(*a) == 0 {
		delete(f.tails, t.filter.MerchantID)
	}
	if f.attached--; f.attached == 0 {
		f.waiting = make(chan struct{})
	}
}

// Changed returns a channel that is closed when something may have been committed. Take it before looking.
func (f *Feed) Changed() <-chan struct{} { return f.cfg.Bell.Next() }

// Newest is the position after everything that is committed.
func (f *Feed) Newest(ctx context.Context) (int64, error) {
	newest, err := f.cfg.Reader.Activity.Query().Order(ent.Desc(activity.FieldID)).FirstID(f.cfg.System(ctx))
	if ent.MaskNotFound(err) != nil {
		return 0, fmt.Errorf("find the end of the feed: %w", err)
	}
	return newest, nil
}

// Kept tells whether everything of a merchant after an id is still there (spec 5.1). The error is a fault CURSOR_EXPIRED of
// "after" where something was deleted, for it was too old.
func (f *Feed) Kept(ctx context.Context, merchantID, after int64) error {
	gone, err := f.cfg.Reader.FeedHorizon.Query().Where(feedhorizon.MerchantID(merchantID), feedhorizon.ActivityIDGT(after)).Exist(ctx)
	if err != nil {
		return fmt.Errorf("read the horizon: %w", err)
	}
	if gone {
		return fault.At("after", fault.CursorExpired, "activities after this cursor are so old that they were deleted: read what there is with "+
			"activities(where: {merchantId: …}), take the levels as they are now, and follow anew without after, or after the newest cursor read")
	}
	return nil
}

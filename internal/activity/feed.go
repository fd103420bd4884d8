// Package activity is the live feed. One goroutine per process reads what is committed, once, in the order of commits,
// and hands it to all who follow, by merchant and SKU. Who begins in the past, or takes things too slowly, reads from
// storage until it is near, and joins where it stands: nothing is delivered that is not committed, nothing is passed over
// or told twice, nobody waits for another, and what is held in memory is bounded.
//
// All of this rests on ids being in the order of commits (database.tx.tell): who has seen one never finds a smaller one later.
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
	"stockbridge/internal/access"
	"stockbridge/internal/database"
	"stockbridge/internal/fault"
)

// Feed follows the activities of one database. It is safe for concurrent use.
type Feed struct {
	db     *database.DB
	reader *ent.Client // narrowed to the viewer of the context, as are the objects that rows lead to
	bell   *Bell
	log    *slog.Logger
	first  chan struct{} // somebody follows, where nobody did

	mu     sync.Mutex // guards the rest
	live   map[place]map[*seat]struct{}
	count  int             // of seats in live
	from   int64           // recent holds all with ids above this, to head
	head   int64           // all up to here were handed out; means nothing while nobody follows
	recent []*ent.Activity // at most keep
}

const (
	pollEvery = 2 * time.Second // how often the feed looks without being woken: the safety net for a wake-up that was lost
	batch     = 500             // rows that one look reads at most
	keep      = 1024            // rows that are kept for those who come a little late
	queued    = 256             // rows that wait for one follower; one more, and it reads from storage
)

// New makes a feed. The bell has to be rung after every commit of this process (database.Options.Committed).
func New(db *database.DB, bell *Bell, log *slog.Logger) *Feed {
	return &Feed{db: db, reader: access.Scope(db.Reader()), bell: bell, log: log, first: make(chan struct{}, 1), live: make(map[place]map[*seat]struct{})}
}

// Run reads and hands out until ctx ends. Without it nobody is told anything that was not there before.
func (f *Feed) Run(ctx context.Context) {
	var listening sync.WaitGroup
	defer listening.Wait()
	listening.Go(func() { f.listen(ctx) })
	poll := time.NewTicker(pollEvery)
	defer poll.Stop()
	for ctx.Err() == nil {
		woken := f.bell.Next()
		more, err := f.read(ctx)
		switch {
		case more:
			continue
		case err != nil && ctx.Err() == nil:
			f.log.WarnContext(ctx, "the live feed could not read on; it looks again", "error", err)
			woken = nil // those who commit would have it try over and over
		}
		select {
		case <-woken:
		case <-f.first:
		case <-poll.C:
		case <-ctx.Done():
		}
	}
}

// listen passes on what other processes commit. A broken connection is made anew; the feed polls meanwhile.
func (f *Feed) listen(ctx context.Context) {
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

// read hands out one batch, and tells whether there may be more. While nobody follows it reads nothing.
func (f *Feed) read(ctx context.Context) (more bool, _ error) {
	head, followed := f.reached()
	if !followed {
		return false, nil
	}
	rows, err := f.reader.Activity.Query().Where(activity.IDGT(head)).Order(ent.Asc(activity.FieldID)).Limit(batch).All(access.System(ctx))
	if err != nil {
		return false, fmt.Errorf("read the feed after %d: %w", head, err)
	}
	f.handOut(head, rows)
	return len(rows) == batch, nil
}

// reached is up to where all was handed out; false when nobody follows.
func (f *Feed) reached() (int64, bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.head, f.count > 0
}

// handOut gives rows that were read after head to all who want them. It waits for none of them.
func (f *Feed) handOut(head int64, rows []*ent.Activity) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.count == 0 || f.head != head { // all left meanwhile, and others may have come
		return
	}
	for _, row := range rows {
		f.head = row.ID
		for _, at := range [...]place{{row.MerchantID, row.Sku}, {row.MerchantID, ""}} {
			for s := range f.live[at] {
				f.give(s, row)
			}
			if row.Sku == "" {
				break
			}
		}
	}
	f.recent = append(f.recent, rows...)
	if over := len(f.recent) - keep; over > 0 {
		f.from = f.recent[over-1].ID
		clear(f.recent[:over]) // the array goes on for a while
		f.recent = f.recent[over:]
	}
}

// Changed returns a channel that is closed when something may have been committed. Take it before looking.
func (f *Feed) Changed() <-chan struct{} { return f.bell.Next() }

// Newest is the position after everything that is committed.
func (f *Feed) Newest(ctx context.Context) (int64, error) {
	newest, err := f.reader.Activity.Query().Order(ent.Desc(activity.FieldID)).FirstID(access.System(ctx))
	if ent.MaskNotFound(err) != nil {
		return 0, fmt.Errorf("find the end of the feed: %w", err)
	}
	return newest, nil
}

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

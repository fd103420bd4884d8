package activity

import (
	"context"

	"stockbridge/ent"
)

// follower is one who is handed what is new.
type follower struct {
	filter Filter
	wake   chan struct{} // there is something in queue, or it is behind

	// Guarded by Feed.mu.
	after  int64 // it has, or has waiting, all up to here
	queue  []*ent.Activity
	behind bool // it is no longer handed anything
}

// Follow calls yield with every activity after the given id that the filter lets through, in order and some at a time, first
// those stored, then as they are committed, until ctx ends or yield fails. While yield takes its time, up to 256 wait; what
// comes on top is read from storage later. ctx carries the viewer that reader is narrowed to. Fault: CURSOR_EXPIRED where
// activities were deleted before they were reached.
func (f *Feed) Follow(ctx context.Context, reader *ent.Client, after int64, filter Filter, yield func([]*ent.Activity) error) error {
	seen := func(rows []*ent.Activity) error {
		err := yield(rows)
		if err == nil {
			after = rows[len(rows)-1].ID
		}
		return err
	}
	if w := f.join(after, filter, false); w != nil {
		if err := f.take(ctx, w, seen); err != nil {
			return err
		}
	}
	for {
		end, err := f.CatchUp(ctx, reader, after, filter, seen)
		if err != nil {
			return err
		}
		after = end
		if w := f.join(after, filter, true); w != nil {
			if err := f.take(ctx, w, seen); err != nil {
				return err
			}
		}
	}
}

// join has a follower handed all that comes after an id. It is nil where the feed is past that by more than it keeps: read
// from storage then. newest says that all was read that is stored, which is where the feed can begin when nobody follows.
func (f *Feed) join(after int64, filter Filter, newest bool) *follower {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.count == 0 {
		if !newest {
			return nil
		}
		f.from, f.head, f.recent = after, after, nil
		select {
		case f.first <- struct{}{}:
		default:
		}
	}
	if after < f.from {
		return nil
	}
	w := &follower{filter: filter, wake: make(chan struct{}, 1), after: after}
	at := filter.place()
	if f.live[at] == nil {
		f.live[at] = make(map[*follower]struct{}, 1)
	}
	f.live[at][w] = struct{}{}
	f.count++
	for _, row := range f.recent {
		if row.MerchantID == filter.MerchantID && (filter.SKU == "" || row.Sku == filter.SKU) {
			f.give(w, row)
		}
	}
	return w
}

// give puts a row into a follower's queue; a full one is behind from then on. Feed.mu is held.
func (f *Feed) give(w *follower, row *ent.Activity) {
	if w.behind || row.ID <= w.after || !w.filter.lets(row) {
		return
	}
	if len(w.queue) == queued {
		f.leave(w)
	} else {
		w.queue = append(w.queue, row)
		w.after = row.ID
	}
	select {
	case w.wake <- struct{}{}:
	default:
	}
}

// leave ends the handing out to a follower. Feed.mu is held.
func (f *Feed) leave(w *follower) {
	if w.behind {
		return
	}
	w.behind = true
	at := w.filter.place()
	delete(f.live[at], w)
	if len(f.live[at]) == 0 {
		delete(f.live, at)
	}
	if f.count--; f.count == 0 {
		f.recent = nil
	}
}

// take yields what a follower is handed, until it is behind, which is no error. Everyone gets rows of its own: what a row
// leads to is noted in it.
func (f *Feed) take(ctx context.Context, w *follower, yield func([]*ent.Activity) error) error {
	defer func() {
		f.mu.Lock()
		defer f.mu.Unlock()
		f.leave(w)
	}()
	for {
		f.mu.Lock()
		rows, behind := w.queue, w.behind
		w.queue = nil
		f.mu.Unlock()
		if len(rows) > 0 {
			own := make([]*ent.Activity, len(rows))
			for i, row := range rows {
				own[i] = new(*row)
			}
			if err := yield(own); err != nil {
				return err
			}
		}
		if behind {
			return nil
		}
		select {
		case <-w.wake:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

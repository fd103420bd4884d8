package activity

import (
	"context"
	"errors"
	"fmt"
	"io"

	"stockbridge/ent"
	"stockbridge/ent/activity"
)

// Follower goes through the activities that a filter lets through, in order: first those stored, then as they are committed.
// While it is not asked, up to 256 wait; what comes on top is read from storage later. One goroutine at a time may ask, any
// may close it.
type Follower struct {
	feed   *Feed
	reader *ent.Client
	filter Filter
	once   bool

	after  int64 // all up to here was given
	stored bool  // it was all that was stored
	begun  bool

	// Guarded by Feed.mu.
	seat   *seat // nil while it reads from storage
	closed bool
}

// seat is where the feed leaves what is new for a follower.
type seat struct {
	filter Filter
	wake   chan struct{} // there is something in queue, or it is behind

	// Guarded by Feed.mu.
	after  int64 // it has, or has waiting, all up to here
	queue  []*ent.Activity
	behind bool // it is no longer handed anything
}

// Follow makes a follower of all after the given id, to be closed in the end. With once it ends when it looks
// and nothing more is stored: what others write while it gives is given too.
func (f *Feed) Follow(reader *ent.Client, after int64, filter Filter, once bool) *Follower {
	return &Follower{feed: f, reader: reader, filter: filter, after: after, once: once}
}

// Next waits for what comes next and gives some of it, which is shared with others: who notes something in a row takes a copy.
// ctx carries the viewer that the reader is narrowed to. After an error, which may pass, it can be asked again. Errors: io.EOF
// where nothing more is stored, with once; the fault CURSOR_EXPIRED where activities were deleted before they were reached.
func (w *Follower) Next(ctx context.Context) ([]*ent.Activity, error) {
	for {
		s, err := w.sit()
		if err != nil {
			return nil, errors.Join(ctx.Err(), err)
		}
		var rows []*ent.Activity
		behind := s == nil
		if behind {
			rows, err = w.read(ctx)
		} else {
			rows, behind = w.take(s)
		}
		switch {
		case err != nil || len(rows) > 0:
			return rows, err
		case behind && w.once:
			return nil, io.EOF
		case behind:
			continue
		}
		select {
		case <-s.wake:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

// At is the id up to which all was given.
func (w *Follower) At() int64 { return w.after }

// Close gives up the place in the feed. Next fails from then on.
func (w *Follower) Close() {
	w.feed.mu.Lock()
	defer w.feed.mu.Unlock()
	w.closed = true
	if w.seat != nil {
		w.feed.leave(w.seat)
	}
}

// sit takes a place in the feed where that can go on from what was given, nil where it cannot.
func (w *Follower) sit() (*seat, error) {
	w.feed.mu.Lock()
	defer w.feed.mu.Unlock()
	if w.closed {
		return nil, io.ErrClosedPipe
	}
	if w.seat == nil && !w.once && (w.stored || !w.begun) {
		w.seat = w.feed.join(w.after, w.filter, w.stored)
		w.begun, w.stored = true, false
	}
	return w.seat, nil
}

// take empties the seat, and gives it up when it is behind.
func (w *Follower) take(s *seat) (rows []*ent.Activity, behind bool) {
	w.feed.mu.Lock()
	defer w.feed.mu.Unlock()
	rows, s.queue = s.queue, nil
	if len(rows) > 0 {
		w.after = rows[len(rows)-1].ID
	}
	if s.behind {
		w.seat = nil
	}
	return rows, s.behind
}

// read gives a page of what is stored.
func (w *Follower) read(ctx context.Context) ([]*ent.Activity, error) {
	end, followed := w.feed.reached()
	if !followed {
		var err error
		if end, err = w.feed.Newest(ctx); err != nil {
			return nil, errors.Join(ctx.Err(), err)
		}
	}
	rows, err := w.reader.Activity.Query().Where(w.filter.where()...).Where(activity.IDGT(w.after)).Order(ent.Asc(activity.FieldID)).Limit(batch).All(ctx)
	if err != nil {
		return nil, errors.Join(ctx.Err(), fmt.Errorf("read the feed after %d: %w", w.after, err))
	}
	if err := w.feed.Kept(ctx, w.reader, w.filter.MerchantID, w.after); err != nil { // asked after reading, so that what goes in between is noticed
		return nil, errors.Join(ctx.Err(), err)
	}
	if len(rows) > 0 {
		w.after = rows[len(rows)-1].ID
	}
	if w.stored = len(rows) < batch; w.stored {
		w.after = max(w.after, end)
	}
	return rows, nil
}

// join hands out all that comes after an id. It is nil where the feed is past that by more than it keeps: read from storage
// then. newest says that all was read that is stored, which is where the feed can begin when nobody follows. f.mu is held.
func (f *Feed) join(after int64, filter Filter, newest bool) *seat {
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
	s := &seat{filter: filter, wake: make(chan struct{}, 1), after: after}
	at := filter.place()
	if f.live[at] == nil {
		f.live[at] = make(map[*seat]struct{}, 1)
	}
	f.live[at][s] = struct{}{}
	f.count++
	for _, row := range f.recent {
		if row.MerchantID == filter.MerchantID && (filter.SKU == "" || row.Sku == filter.SKU) {
			f.give(s, row)
		}
	}
	return s
}

// give puts a row into a seat's queue; a full one is behind from then on. f.mu is held.
func (f *Feed) give(s *seat, row *ent.Activity) {
	if s.behind || row.ID <= s.after || !s.filter.lets(row) {
		return
	}
	if len(s.queue) == queued {
		f.leave(s)
	} else {
		s.queue = append(s.queue, row)
		s.after = row.ID
	}
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

// leave ends the handing out to a seat. f.mu is held.
func (f *Feed) leave(s *seat) {
	if s.behind {
		return
	}
	s.behind = true
	at := s.filter.place()
	delete(f.live[at], s)
	if len(f.live[at]) == 0 {
		delete(f.live, at)
	}
	if f.count--; f.count == 0 {
		f.recent = nil
	}
}

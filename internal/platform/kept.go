package platform

import (
	"context"
	"errors"
	"io"
	"slices"
	"sync"
	"time"

	"github.com/hashicorp/golang-lru/v2/simplelru"

	"stockbridge/internal/channel"
	"stockbridge/internal/fault"
	"stockbridge/internal/outbound"
	"stockbridge/internal/warehouse"
	"stockbridge/internal/warehouse/paged"
)

const (
	maxKept  = 128       // stores, and warehouses, that stay connected; the one not used for longest goes
	idleKept = time.Hour // how long one stays connected that is not used: the least often a store is synced by default
)

// shelf keeps stores, or warehouses, connected between syncs, so that what a sink has learned (tokens, pace, ids of SKUs) and its
// guard live as long as the settings do. It is safe for concurrent use.
type shelf[T io.Closer] struct {
	mu     sync.Mutex                      // guards what follows, and the fields of kept that it says
	kept   *simplelru.LRU[int64, *kept[T]] // by row
	failed []error                         // of what was closed behind somebody's back
}

// kept is one connected store or warehouse.
type kept[T io.Closer] struct {
	version int64
	what    T
	bare    bool   // there is no what: every use connects by itself
	guard   *guard // of stores

	users int       // guarded by shelf.mu
	gone  bool      // guarded by shelf.mu: no longer kept, to be closed by its last user
	used  time.Time // guarded by shelf.mu
}

func newShelf[T io.Closer]() *shelf[T] {
	s := &shelf[T]{}
	var err error
	s.kept, err = simplelru.NewLRU(maxKept, func(_ int64, k *kept[T]) { s.retire(k) })
	if err != nil {
		panic(err) // the size is not positive
	}
	return s
}

// take answers what has this id and version, connected by connect if it is not kept yet; connect nil is for what every use connects to by
// itself. Give it back with release.
func (s *shelf[T]) take(id, version int64, connect func() (T, error)) (*kept[T], error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := time.Now()
	for key, k, ok := s.kept.GetOldest(); ok && now.Sub(k.used) > idleKept; key, k, ok = s.kept.GetOldest() {
		if k.guard.pausing() { // it is known here alone, and may last longer than from one sync to the next
			k.used = now
			s.kept.Get(key)
			continue
		}
		s.kept.Remove(key)
	}
	k, ok := s.kept.Get(id)
	if !ok || k.version != version {
		made := &kept[T]{version: version, bare: connect == nil, guard: newGuard()}
		if !made.bare {
			var err error
			if made.what, err = connect(); err != nil {
				return nil, err
			}
		}
		s.kept.Remove(id)
		k = made
		s.kept.Add(id, k)
	}
	k.users++
	k.used = now
	return k, nil
}

// release gives back what take answered.
func (s *shelf[T]) release(k *kept[T]) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	k.users--
	k.used = time.Now()
	if k.gone && k.users == 0 && !k.bare {
		return k.what.Close()
	}
	return nil
}

// retire closes what is no longer kept, as soon as nobody uses it. s.mu is held.
func (s *shelf[T]) retire(k *kept[T]) {
	k.gone = true
	if k.users == 0 && !k.bare {
		if err := k.what.Close(); err != nil {
			s.failed = append(s.failed, err)
		}
	}
}

// close lets go of all. Errors are those of what was closed without its user.
func (s *shelf[T]) close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.kept.Purge()
	err := errors.Join(s.failed...)
	s.failed = nil
	return err
}

// handle is a kept store as one sync, test or request has it: closing it gives it back.
type handle struct {
	channel.Sink
	shelf *shelf[channel.Sink]
	kept  *kept[channel.Sink]
	once  sync.Once
}

var (
	_ channel.Sink    = (*handle)(nil)
	_ channel.Locator = (*handle)(nil)
)

// Push sends a batch, unless the store is left alone for a while: then no level is sent, and the error is STORE_PAUSED.
func (h *handle) Push(ctx context.Context, batch channel.Batch) ([]channel.Outcome, error) {
	if err := h.kept.guard.admit(ctx); err != nil {
		unsent := channel.Outcome{Verdict: channel.Unsent, Code: string(fault.CodeOf(err)), Message: outbound.Excerpt([]byte(fault.Message(err)))}
		return slices.Repeat([]channel.Outcome{unsent}, len(batch.Levels)), err
	}
	outcomes, err := h.Sink.Push(ctx, batch)
	h.kept.guard.record(ctx, outcomes, err)
	return outcomes, err
}

// Test always asks, and ends a pause when the store works.
func (h *handle) Test(ctx context.Context) (string, error) {
	words, err := h.Sink.Test(ctx)
	if err == nil {
		h.kept.guard.heal()
	}
	return words, err
}

// Locations asks the store; nil for a platform without locations.
func (h *handle) Locations(ctx context.Context) ([]channel.Location, error) {
	if l, ok := h.Sink.(channel.Locator); ok {
		return l.Locations(ctx)
	}
	return nil, nil
}

// Close gives the store back. It may be called more than once.
func (h *handle) Close() (err error) {
	h.once.Do(func() {
		if h.kept.bare {
			err = h.Sink.Close()
		}
		err = errors.Join(err, h.shelf.release(h.kept))
	})
	return err
}

// pulledAnew is a Source that several pulls share: what they have in common is safe for concurrent use, and each has a Listing of its own.
type pulledAnew interface {
	warehouse.Source
	Anew() *paged.Listing
}

// sourceHandle is a kept warehouse as one pull or test has it: closing it gives it back.
type sourceHandle struct {
	warehouse.Source
	*paged.Listing
	shelf *shelf[warehouse.Source]
	kept  *kept[warehouse.Source]
	once  sync.Once
}

var _ warehouse.Source = (*sourceHandle)(nil)

// Next goes by the handle's own place in the reports.
func (h *sourceHandle) Next(ctx context.Context) (warehouse.Report, error) {
	return h.Listing.Next(ctx)
}

// Close gives the warehouse back. It may be called more than once.
func (h *sourceHandle) Close() (err error) {
	h.once.Do(func() { err = h.shelf.release(h.kept) })
	return err
}

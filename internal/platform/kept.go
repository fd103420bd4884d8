package platform

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"github.com/hashicorp/golang-lru/v2/simplelru"

	"stockbridge/internal/channel"
	"stockbridge/internal/fault"
	"stockbridge/internal/outbound"
)

const (
	maxKept  = 128       // stores that stay connected; the one not used for longest goes
	idleKept = time.Hour // how long one stays connected that is not used: the least often a store is synced by default
)

// shelf keeps stores connected between syncs, so that what a sink has learned (tokens, pace, ids of SKUs) and its guard
// live as long as the store's settings do. It is safe for concurrent use.
type shelf struct {
	mu     sync.Mutex                   // guards what follows, and the fields of kept that it says
	kept   *simplelru.LRU[int64, *kept] // by store
	failed []error                      // of sinks that were closed behind somebody's back
}

// kept is one connected store.
type kept struct {
	version int64
	sink    channel.Sink // nil where every use connects by itself
	guard   *guard

	users int       // guarded by shelf.mu
	gone  bool      // guarded by shelf.mu: no longer kept, to be closed by its last user
	used  time.Time // guarded by shelf.mu
}

func newShelf() *shelf {
	s := &shelf{}
	var err error
	s.kept, err = simplelru.NewLRU(maxKept, func(_ int64, k *kept) { s.retire(k) })
	if err != nil {
		panic(err) // the size is not positive
	}
	return s
}

// take answers the store of this id and version, connected by connect if it is not kept yet. Give it back with release.
func (s *shelf) take(id, version int64, connect func() (channel.Sink, error)) (*kept, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := time.Now()
	for key, k, ok := s.kept.GetOldest(); ok && now.Sub(k.used) > idleKept; key, k, ok = s.kept.GetOldest() {
		s.kept.Remove(key)
	}
	k, ok := s.kept.Get(id)
	if !ok || k.version != version {
		sink, err := connect()
		if err != nil {
			return nil, err
		}
		s.kept.Remove(id)
		k = &kept{version: version, sink: sink, guard: newGuard()}
		s.kept.Add(id, k)
	}
	k.users++
	k.used = now
	return k, nil
}

// release gives back what take answered.
func (s *shelf) release(k *kept) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	k.users--
	k.used = time.Now()
	if k.gone && k.users == 0 && k.sink != nil {
		return k.sink.Close()
	}
	return nil
}

// retire closes what is no longer kept, as soon as nobody uses it. s.mu is held.
func (s *shelf) retire(k *kept) {
	k.gone = true
	if k.users == 0 && k.sink != nil {
		if err := k.sink.Close(); err != nil {
			s.failed = append(s.failed, err)
		}
	}
}

// close lets go of all stores. Errors are those of every sink that was closed without its user.
func (s *shelf) close() error {
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
	shelf *shelf
	kept  *kept
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
		if h.kept.sink == nil {
			err = h.Sink.Close()
		}
		err = errors.Join(err, h.shelf.release(h.kept))
	})
	return err
}

package server

import (
	"context"
	"fmt"
	"maps"
	"math"
	"math/rand/v2"
	"sync"
	"sync/atomic"

	"stockbridge/ent"
	"stockbridge/internal/globalid"
)

// asked is what a subscriber asks for; subscribers with the same share an execution.
type asked struct {
	merchant  string
	query     string
	variables map[string]any
	lets      func(*ent.Activity) bool // of the merchant's activities; nil for levels

	// What is there in the end; written before storm.ended is closed.
	all    []int64          // activities
	levels map[string]int64 // figures by id
}

// subscriber is one client that comes and goes.
type subscriber struct {
	*storm
	*asked
	rng    *rand.Rand
	steady bool // neither stands still nor leaves by itself
	slow   bool // does nothing but stand still
	past   bool // begins with what was before the storm
	late   bool // begins in the middle of it

	cursor string // where it goes on; "" while it has none
	begin  string // where it began, if that was told before anything else
	high   int64  // it follows all that is committed after this
	// unwatch ends looking for high.
	unwatch func()
	got     []int64
	seen    map[string]int64

	mu sync.Mutex // guards line for those who look whether it is at rest
	n  *line
}

// deeds counts what subscribers did.
type deeds struct{ stalls, drops, again, moves, drains atomic.Int64 }

// live is a subscriber from its first message to the servers' end. It tells by done that it has all, or failed.
func (s *subscriber) live(ctx context.Context, done *sync.WaitGroup) error {
	defer func() {
		s.unwatch()
		if s.n != nil {
			s.n.hangUp(false)
		}
	}()
	err := s.run(ctx)
	if err != nil {
		s.failed.Store(true)
		s.ring()
	}
	done.Done()
	if err != nil {
		return err
	}
	s.unwatch()
	if err := s.farewell(); err != nil {
		return err
	}
	return s.verify()
}

// run subscribes, and goes on until all is told.
func (s *subscriber) run(ctx context.Context) error {
	if s.late {
		s.tides[s.merchant].until(func(newest int64) bool { return newest > s.turn*2/3 })
		if err := s.connect(ctx, s.rng.IntN(2) == 0); err != nil {
			return err
		}
	}
	for {
		over, err := s.hear(ctx)
		if err != nil {
			return err
		}
		if over {
			continue
		}
		if s.tides[s.merchant].calm.Load() {
			select {
			case <-s.finale:
				<-s.ended
				if s.complete() {
					return nil
				}
			default:
			}
		} else if err := s.whim(ctx); err != nil {
			return err
		}
	}
}

// complete tells whether it has the last there is.
func (s *subscriber) complete() bool {
	if s.lets == nil {
		return maps.Equal(s.seen, s.levels)
	}
	return len(s.got) > 0 && s.got[len(s.got)-1] == s.all[len(s.all)-1]
}

// hear takes one message; over says that the server stopped, and that it goes on at another.
func (s *subscriber) hear(ctx context.Context) (over bool, _ error) {
	told, err := s.n.next()
	switch {
	case err != nil:
		return false, err
	case told.over:
		s.deeds.drains.Add(1)
		s.n.hangUp(false)
		return true, s.connect(ctx, s.rng.IntN(2) == 0)
	case told.bare != "":
		if s.cursor = told.bare; len(s.got) == 0 && s.begin == "" {
			s.begin = told.bare
		}
		return false, nil
	case told.ID == "": // nothing but a sign of life
		return false, nil
	case s.lets == nil:
		if s.seen == nil {
			s.seen = map[string]int64{}
		}
		if before := s.seen[told.ID]; told.Figure < before {
			return false, fmt.Errorf("level %s went back from %d to %d", told.ID, before, told.Figure)
		}
		s.seen[told.ID] = told.Figure
		return false, nil
	}
	id, err := globalid.Of("Activity", told.ID)
	if err != nil {
		return false, err
	}
	if len(s.got) > 0 && id <= s.got[len(s.got)-1] {
		return false, fmt.Errorf("after activity %d came %d", s.got[len(s.got)-1], id)
	}
	s.got, s.cursor = append(s.got, id), told.Cursor
	if s.steady {
		s.tides[s.merchant].read(s, id)
	}
	return false, nil
}

// whim does what clients do, at random. None leaves that does not know where to go on.
func (s *subscriber) whim(ctx context.Context) error {
	if s.steady || !s.slow && (s.rng.IntN(50) > 0 || s.lets != nil && s.cursor == "") {
		return nil
	}
	deed := s.rng.IntN(8)
	if s.slow || deed < 3 {
		s.deeds.stalls.Add(1)
		tide, on := s.tides[s.merchant], s.n.on
		until := tide.newest.Load() + 120 + s.rng.Int64N(200)
		tide.until(func(newest int64) bool { return newest >= until || on.streams.Err() != nil })
		return nil
	}
	s.gate.RLock()
	defer s.gate.RUnlock()
	socket := s.n.ws != nil
	switch {
	case s.tides[s.merchant].calm.Load():
		return nil
	case deed == 3 && socket:
		s.deeds.again.Add(1)
		s.unwatch()
		return s.ask(s.n)
	case deed < 6:
		s.deeds.drops.Add(1)
	default:
		s.deeds.moves.Add(1)
		socket = !socket
	}
	s.n.hangUp(deed%2 == 0)
	return s.connect(ctx, socket)
}

// connect subscribes at some server that stands.
func (s *subscriber) connect(ctx context.Context, socket bool) error {
	for {
		on, let := s.pick(s.rng)
		let()
		err := s.subscribe(ctx, on, socket)
		if err == nil || on.streams.Err() == nil {
			return err
		}
	}
}

func (s *subscriber) subscribe(ctx context.Context, on *live, socket bool) (err error) {
	fresh := s.cursor == "" && len(s.got) == 0
	s.unwatch()
	var n *line
	if socket {
		if n, err = on.openSocket(ctx, s.secret); err == nil {
			err = s.ask(n)
		}
	} else {
		variables, last := s.after(s.cursor), ""
		if s.cursor != "" && s.rng.IntN(2) == 0 { // it counts, whatever the argument says
			variables, last = s.after(s.origin), s.cursor
		}
		n, err = on.openEvents(ctx, s.secret, s.query, variables, last)
	}
	if err != nil {
		return err
	}
	s.mu.Lock()
	s.n = n
	s.mu.Unlock()
	s.seen = nil // what it is told from now on may be a little behind what it was told elsewhere
	if fresh && s.late && s.lets != nil {
		s.watch(ctx, n)
	}
	return nil
}

// ask subscribes on a socket that is open.
func (s *subscriber) ask(n *line) error { return n.subscribe(s.query, s.after(s.cursor)) }

// watch finds out from where on a subscriber may miss nothing, while it reads: one that does not is out of its group soon.
func (s *subscriber) watch(ctx context.Context, n *line) {
	high := int64(math.MaxInt64) // so long as nobody knows
	ctx, cancel := context.WithCancel(ctx)
	var err error
	var watching sync.WaitGroup
	watching.Go(func() {
		if !n.begun(ctx) {
			return
		}
		var newest int64
		if newest, err = n.on.feed.Newest(ctx); err == nil {
			high = newest
		} else if ctx.Err() != nil {
			err = nil // the subscriber went on before
		}
	})
	s.unwatch = func() {
		cancel()
		watching.Wait()
		if s.high = high; err != nil {
			s.t.Errorf("find what is there when a subscription has begun: %v", err)
		}
		s.unwatch = func() {}
	}
}

// after is what it asks for, after a cursor if there is one.
func (s *subscriber) after(cursor string) map[string]any {
	variables := maps.Clone(s.variables)
	if cursor != "" {
		variables["after"] = cursor
	}
	return variables
}

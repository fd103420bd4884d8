package server

import (
	"errors"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"stockbridge/internal/database/dbtest"
)

// spec 5.1, 5.4: under 8 writers, 200 subscribers over WebSockets and server-sent events stand still, break off, change
// from one to the other and go on after the cursor they have, and a server stops in the middle of it: everyone gets exactly
// the activities that are stored and that it asked for, in order. Of levels, which may skip states, everyone gets
// the last, and none goes back.
func TestStorm(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"sqlite", "postgres"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			newStorm(t, name).blow(1)
		})
	}
}

func newStorm(t *testing.T, name string) *storm {
	t.Helper()
	s := &storm{t: t, url: dbtest.URL(t, name), owners: map[string]int64{}, tides: map[string]*tide{}, finale: make(chan struct{}), ended: make(chan struct{})}
	for _, m := range []string{"alpha", "beta"} {
		s.tides[m] = &tide{steady: map[*subscriber]int64{}}
		s.tides[m].calm.Store(true)
	}
	return s
}

func (s *storm) blow(seed uint64) {
	t, ctx := s.t, s.t.Context()
	t.Logf("seed %d", seed)
	dice := func(n int) *rand.Rand { return rand.New(rand.NewPCG(seed, uint64(n))) } //nolint:gosec // chance that can be had again
	rounds := 8
	if raceDetector {
		rounds = 5
	}
	s.turn = int64((rounds + 1) * stormHouses * stormSKUs / 3)
	stops := []func(){s.open()}
	s.stock()
	if s.servers[0].db.Path() == "" { // SQLite is for one process
		stops = append(stops, s.open())
	}
	for house := range stormHouses { // what is there before
		s.check(s.report(ctx, dice(house), house, 1, true))
	}

	all, shares := s.asks()
	var subscribers []*subscriber
	for i, a := range all {
		for k := range shares[i] {
			r := &subscriber{storm: s, asked: a, rng: dice(100*i + k + 1000), unwatch: func() {}}
			r.steady = k < 2 && a.lets != nil && len(a.variables) == 1
			r.slow = !r.steady && (a.lets == nil || len(a.variables) == 1) && k < 5
			r.late = !r.steady && !r.slow && k%5 == 4
			if r.past = !r.steady && !r.slow && a.lets != nil && k%4 == 3; r.past {
				r.cursor = s.origin
			}
			subscribers = append(subscribers, r)
		}
	}
	var work, done, wrote sync.WaitGroup
	begin := func(late bool) {
		for i, r := range subscribers {
			if r.late != late {
				continue
			}
			done.Add(1)
			work.Go(func() {
				if err := r.live(ctx, &done); err != nil {
					t.Errorf("subscriber %d of %v: %v", i, r.variables, err)
				}
			})
		}
	}
	s.gather(subscribers)
	begin(false)
	s.share(subscribers)
	before := must(s.servers[0].feed.Newest(ctx))
	for _, r := range subscribers {
		r.high = before // which those who come late find out by themselves
	}
	for _, tide := range s.tides {
		tide.calm.Store(false)
	}
	begin(true)
	for house := range stormHouses {
		wrote.Go(func() {
			rng, tide := dice(house), s.tides[s.owner(house)]
			for round := range rounds {
				tide.until(func(newest int64) bool { return tide.near(newest) || s.failed.Load() })
				if err := s.report(ctx, rng, house, 2+round, (house+round)%2 == 0); err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	s.tides["alpha"].until(func(newest int64) bool { return newest >= s.turn || s.failed.Load() })
	stops = s.change(stops)
	wrote.Wait()

	s.gate.Lock()
	for _, tide := range s.tides {
		tide.calm.Store(true)
	}
	s.gate.Unlock()
	s.ring()
	s.rest(subscribers)
	close(s.finale)
	for house := range stormHouses {
		s.check(s.report(ctx, dice(house), house, stormFinale, true))
	}
	s.know(all)
	close(s.ended)
	done.Wait()
	for _, stop := range stops {
		stop()
	}
	work.Wait()
	s.wasOne(len(all[0].all))
}

// wasOne fails a storm in which nothing happened.
func (s *storm) wasOne(activities int) {
	d := &s.deeds
	s.t.Logf("%d activities of alpha; clients stood still %d times, broke off %d, asked again %d, changed over %d, were sent on %d; those who never went on after a cursor fell behind %d times; %d executions are shared, %d are of those who did",
		activities, d.stalls.Load(), d.drops.Load(), d.again.Load(), d.moves.Load(), d.drains.Load(), s.spread.lagged.Load(), s.spread.groups.Load(), s.spread.resumed.Load())
	if d.stalls.Load() == 0 || d.drops.Load() == 0 || d.again.Load() == 0 || d.moves.Load() == 0 || d.drains.Load() == 0 || s.spread.lagged.Load() == 0 {
		s.t.Error("that was no storm")
	}
}

func (s *storm) check(err error) {
	s.t.Helper()
	if err != nil {
		s.t.Fatal(err)
	}
}

// gather connects those who are there from the beginning, half by WebSocket.
func (s *storm) gather(subscribers []*subscriber) {
	var connected sync.WaitGroup
	errs := make([]error, len(subscribers))
	for i, r := range subscribers {
		if !r.late {
			connected.Go(func() { errs[i] = r.connect(s.t.Context(), i%2 == 0) })
		}
	}
	connected.Wait()
	s.check(errors.Join(errs...))
}

// share waits until they are all told what is new, those who ask for the same by one execution on each server.
func (s *storm) share(subscribers []*subscriber) {
	for _, on := range s.servers {
		groups, members := map[*asked]bool{}, 0
		for _, r := range subscribers {
			if !r.late && r.n.on == on {
				groups[r.asked] = true
				members++
			}
		}
		on.begun(len(groups), members)
	}
}

// change stops a server. Over SQLite another follows it, over PostgreSQL another is there already.
func (s *storm) change(stops []func()) []func() {
	s.mu.Lock()
	if len(s.servers) > 1 {
		s.servers = s.servers[1:]
		s.mu.Unlock()
		stops[0]()
		return stops[1:]
	}
	defer s.mu.Unlock()
	s.servers = nil
	stops[0]()
	return []func(){s.open()}
}

// rest waits until all who are not told what they missed are where they miss nothing.
func (s *storm) rest(subscribers []*subscriber) {
	for _, r := range subscribers {
		for r.lets == nil && !s.failed.Load() {
			r.mu.Lock()
			n := r.n
			r.mu.Unlock()
			if n != nil && n.on.streams.Err() == nil && n.grouped() {
				break
			}
			select {
			case <-time.After(time.Millisecond):
			case <-s.t.Context().Done():
				return
			}
		}
	}
}

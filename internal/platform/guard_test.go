package platform

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"stockbridge/internal/channel"
	"stockbridge/internal/fault"
	"stockbridge/internal/outbound"
)

// script is a store that answers as it is told.
type script struct {
	mu     sync.Mutex // guards what follows
	answer func(ctx context.Context) ([]channel.Outcome, error)
	pushes int
	tests  error
	closed int
}

func (s *script) Capabilities() channel.Capabilities {
	return channel.Capabilities{MaxBatch: 1, Concurrency: 4}
}

func (s *script) Push(ctx context.Context, _ channel.Batch) ([]channel.Outcome, error) {
	s.mu.Lock()
	s.pushes++
	answer := s.answer
	s.mu.Unlock()
	return answer(ctx)
}

func (s *script) Test(context.Context) (string, error) { return "asked", s.tests }

func (s *script) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.closed++
	return nil
}

func (s *script) count() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.pushes
}

func (s *script) says(outcomes []channel.Outcome, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.answer = func(context.Context) ([]channel.Outcome, error) { return outcomes, err }
}

var (
	fine    = []channel.Outcome{{Verdict: channel.Acknowledged}}
	refused = []channel.Outcome{{Verdict: channel.Refused, Code: "HTTP_422", Message: "no such SKU"}}
	unsent  = []channel.Outcome{{Verdict: channel.Unsent}}
	lost    = []channel.Outcome{{Verdict: channel.Unknown, Message: "no answer"}}
	down    = fault.New(fault.Unreachable, "connection refused")
)

func guarded(t *testing.T, s *script) (*handle, *shelf[channel.Sink]) {
	t.Helper()
	shelf := newShelf[channel.Sink]()
	k, err := shelf.take(1, 1, func() (channel.Sink, error) { return s, nil })
	if err != nil {
		t.Fatal(err)
	}
	return &handle{Sink: k.what, shelf: shelf, kept: k}, shelf
}

var one = channel.Batch{Levels: []channel.Level{{SKU: "A"}}}

func push(t *testing.T, h *handle) fault.Code {
	t.Helper()
	outcomes, err := h.Push(t.Context(), one)
	if len(outcomes) != 1 {
		t.Fatalf("%d outcomes", len(outcomes))
	}
	code := fault.CodeOf(err)
	if code == fault.StorePaused && outcomes[0].Verdict != channel.Unsent {
		t.Errorf("a batch that was not let through is told as %+v", outcomes[0])
	}
	return code
}

// A store that fails on and on is left alone: nothing is sent to it for a while, and then one batch.
func TestFailingStoreIsLeftAlone(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		outcomes []channel.Outcome
		err      error
		before   int // batches before the pause
		pause    time.Duration
	}{
		"down":                {nil, down, 3, time.Minute},
		"no answer to trust":  {lost, nil, 3, time.Minute},
		"throttled":           {nil, fault.New(fault.Throttled, "too many"), 1, time.Minute},
		"credentials refused": {nil, fault.New(fault.CredentialsRefused, "no"), 3, 15 * time.Minute},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				s := &script{}
				if c.outcomes == nil {
					c.outcomes = unsent
				}
				s.says(c.outcomes, c.err)
				h, _ := guarded(t, s)
				for range c.before {
					if got := push(t, h); got != fault.CodeOf(c.err) {
						t.Errorf("got %s", got)
					}
				}
				if got := push(t, h); got != fault.StorePaused || s.count() != c.before {
					t.Errorf("got %q after %d batches", got, s.count())
				}
				time.Sleep(c.pause - time.Second)
				if got := push(t, h); got != fault.StorePaused || s.count() != c.before {
					t.Errorf("got %q just before the end of the pause", got)
				}
				time.Sleep(time.Second)
				if got := push(t, h); got != fault.CodeOf(c.err) || s.count() != c.before+1 {
					t.Errorf("got %q from the batch that goes ahead", got)
				}
				if got := push(t, h); got != fault.StorePaused {
					t.Errorf("got %q after it failed too", got)
				}
				time.Sleep(c.pause)
				s.says(fine, nil)
				for range 3 {
					if got := push(t, h); got != "" {
						t.Errorf("got %q from a store that works again", got)
					}
				}
				s.says(unsent, down)
				for range 3 {
					push(t, h)
				}
				time.Sleep(time.Minute)
				s.says(fine, nil)
				if got := push(t, h); got != "" {
					t.Errorf("got %q: an earlier long pause must not stretch a later one", got)
				}
			})
		})
	}
}

// A store that names a wait beyond our patience is left alone for that long and no longer, also where nothing is asked of it
// meanwhile. What another batch came to that was on its way shortens nothing.
func TestNamedWaitIsKept(t *testing.T) {
	t.Parallel()
	for header, want := range map[string]time.Duration{"7200": 2 * time.Hour, "999999999": 24 * time.Hour, "130": 130 * time.Second} {
		t.Run(header, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				s := &script{}
				throttled := func() error {
					return outbound.Retry{}.Do(t.Context(), func() error {
						return outbound.Reply{Status: 429, Header: http.Header{"Retry-After": {header}}}.Check(time.Now())
					})
				}
				both := make(chan struct{})
				s.answer = func(context.Context) ([]channel.Outcome, error) { <-both; return unsent, throttled() }
				h, shelf := guarded(t, s)
				var first sync.WaitGroup
				first.Go(func() { push(t, h) })
				synctest.Wait()
				late := make(chan struct{})
				s.mu.Lock()
				s.answer = func(context.Context) ([]channel.Outcome, error) { <-late; return unsent, down }
				s.mu.Unlock()
				first.Go(func() { push(t, h) })
				synctest.Wait()
				close(both)
				synctest.Wait()
				close(late)
				first.Wait()
				until := time.Now().Add(want + time.Second).UTC().Format("2006-01-02 15:04:05 UTC")
				if _, err := h.Push(t.Context(), one); fault.CodeOf(err) != fault.StorePaused || !strings.Contains(err.Error(), until+", as it asked for") {
					t.Errorf("%v does not tell %s and why", err, until)
				}
				if err := h.Close(); err != nil {
					t.Error(err)
				}
				time.Sleep(want - time.Second)
				for _, id := range []int64{2, 1} { // 2 has what is not used for long taken away
					k, err := shelf.take(id, 1, func() (channel.Sink, error) { return &script{}, nil })
					if err != nil {
						t.Fatal(err)
					}
					h = &handle{Sink: k.what, shelf: shelf, kept: k}
				}
				if got := push(t, h); got != fault.StorePaused || s.count() != 2 {
					t.Errorf("got %q just before the end of the pause", got)
				}
				time.Sleep(time.Second)
				s.says(unsent, fault.New(fault.Throttled, "without a time"))
				if got := push(t, h); got != fault.Throttled || s.count() != 3 {
					t.Errorf("got %q from the batch that goes ahead", got)
				}
				time.Sleep(time.Minute) // a wait that was named once says nothing of the next
				s.says(fine, nil)
				if got := push(t, h); got != "" {
					t.Errorf("got %q", got)
				}
			})
		})
	}
}

func TestPauseTellsUntilWhenAndWhy(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := &script{}
		s.says(unsent, down)
		h, _ := guarded(t, s)
		for range 3 {
			push(t, h)
		}
		until := time.Now().Add(time.Minute + time.Second).UTC().Format("15:04:05 UTC")
		if _, err := h.Push(t.Context(), one); !strings.Contains(err.Error(), until) || !strings.Contains(err.Error(), "connection refused") {
			t.Errorf("%v does not tell %s and why", err, until)
		}
	})
}

// A refusal is about levels, not about the store; and what is in a row is broken by any answer.
func TestRefusalsAndSingleFailuresPauseNothing(t *testing.T) {
	t.Parallel()
	s := &script{}
	h, _ := guarded(t, s)
	for range 10 {
		s.says(refused, nil)
		push(t, h)
		s.says(lost, nil)
		push(t, h)
		push(t, h)
	}
	if s.count() != 30 {
		t.Errorf("%d of 30 batches were let through", s.count())
	}
}

// After the pause one batch goes ahead; the others of the same sync wait for what comes of it.
func TestOneBatchGoesAhead(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := &script{}
		s.says(unsent, down)
		h, _ := guarded(t, s)
		for range 3 {
			push(t, h)
		}
		time.Sleep(time.Minute)
		answer := make(chan struct{})
		s.mu.Lock()
		s.answer = func(context.Context) ([]channel.Outcome, error) { <-answer; return fine, nil }
		s.mu.Unlock()
		var all sync.WaitGroup
		for range 4 {
			all.Go(func() { push(t, h) })
		}
		synctest.Wait()
		if s.count() != 4 {
			t.Errorf("%d batches went ahead", s.count()-3)
		}
		close(answer)
		all.Wait()
		if s.count() != 7 {
			t.Errorf("%d of 4 batches were sent", s.count()-3)
		}
	})
}

// A batch that is canceled while it goes ahead gives its turn to the next.
func TestCanceledProbeGivesItsTurnBack(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := &script{}
		s.says(unsent, down)
		h, _ := guarded(t, s)
		for range 3 {
			push(t, h)
		}
		time.Sleep(time.Minute)
		s.mu.Lock()
		s.answer = func(ctx context.Context) ([]channel.Outcome, error) {
			<-ctx.Done()
			return []channel.Outcome{{}}, ctx.Err()
		}
		s.mu.Unlock()
		ctx, cancel := context.WithCancel(t.Context())
		var done sync.WaitGroup
		done.Go(func() {
			if _, err := h.Push(ctx, one); !errors.Is(err, context.Canceled) {
				t.Errorf("%v", err)
			}
		})
		synctest.Wait()
		waiting, stop := context.WithCancel(t.Context())
		done.Go(func() {
			if _, err := h.Push(waiting, one); !errors.Is(err, context.Canceled) {
				t.Errorf("%v", err)
			}
		})
		synctest.Wait()
		stop()
		synctest.Wait()
		cancel()
		done.Wait()
		s.says(fine, nil)
		if got := push(t, h); got != "" {
			t.Errorf("got %q", got)
		}
	})
}

// A test goes through a pause, and one that succeeds ends it.
func TestTestEndsThePause(t *testing.T) {
	t.Parallel()
	s := &script{tests: down}
	s.says(unsent, fault.New(fault.CredentialsRefused, "no"))
	h, _ := guarded(t, s)
	for range 3 {
		push(t, h)
	}
	if _, err := h.Test(t.Context()); !errors.Is(err, down) || push(t, h) != fault.StorePaused {
		t.Errorf("%v, or the pause was ended by a test that failed", err)
	}
	s.tests = nil
	s.says(fine, nil)
	if _, err := h.Test(t.Context()); err != nil || push(t, h) != "" {
		t.Errorf("%v, or the pause goes on", err)
	}
}

package platform

import (
	"context"
	"sync"
	"time"

	"github.com/failsafe-go/failsafe-go/circuitbreaker"

	"stockbridge/internal/channel"
	"stockbridge/internal/fault"
)

const (
	// inARow is how many batches fail one after the other before a store is left alone. A batch fails when the store as a whole cannot be
	// used, or answers nothing that can be trusted.
	inARow = 3
	// pause is how long a store is left alone.
	pause = time.Minute
	// longPause is how long after credentials were refused: only new ones mend that, and platforms lock out who goes on trying.
	// Changed settings end it at once, and so does a test that succeeds.
	longPause = 15 * time.Minute
)

// guard is the circuit breaker of one store, in this process. It is safe for concurrent use.
type guard struct {
	mu      sync.Mutex // guards what follows, and makes one step of what is asked of breaker
	breaker circuitbreaker.CircuitBreaker[any]
	delay   time.Duration // of breaker
	words   string        // of the last failure
	changed chan struct{} // closed when the next result is recorded
}

func newGuard() *guard {
	return &guard{breaker: newBreaker(pause), delay: pause, changed: make(chan struct{})}
}

func newBreaker(delay time.Duration) circuitbreaker.CircuitBreaker[any] {
	return circuitbreaker.NewBuilder[any]().WithFailureThreshold(inARow).WithSuccessThreshold(1).WithDelay(delay).Build()
}

// admit lets a batch through, or answers STORE_PAUSED. After the pause one batch goes ahead, and the others wait for what comes of
// it. What is let through must be recorded.
func (g *guard) admit(ctx context.Context) error {
	for {
		g.mu.Lock()
		through, open, left := g.breaker.TryAcquirePermit(), g.breaker.IsOpen(), g.breaker.RemainingDelay()
		words, changed := g.words, g.changed
		g.mu.Unlock()
		switch {
		case through:
			return nil
		case open:
			at := time.Now().Add(left + time.Second).UTC().Format("2006-01-02 15:04:05 UTC")
			return fault.New(fault.StorePaused, "the store is left alone until %s, for it failed again and again; what waits is sent by the first sync after that, or after a test of the store that succeeds. It failed with: %s", at, words)
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// record takes down what came of a batch that was let through.
func (g *guard) record(ctx context.Context, outcomes []channel.Outcome, err error) {
	failed, words := err != nil, ""
	if err != nil {
		words = fault.Message(err)
	} else if failed = unknown(outcomes); failed {
		words = outcomes[0].Message
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	switch {
	case ctx.Err() != nil && err != nil && fault.CodeOf(err) == "":
		if g.breaker.IsHalfOpen() { // says nothing of the store, but gives its turn back
			g.breaker.Open()
			g.breaker.HalfOpen()
		}
	case failed:
		g.fail(fault.CodeOf(err), words)
	default:
		g.breaker.RecordSuccess()
		g.normal()
	}
	g.wake()
}

func (g *guard) fail(code fault.Code, words string) {
	g.words = words
	if g.breaker.RecordFailure(); code == fault.Throttled {
		g.breaker.Open() // it was asked patiently already
	}
	delay := pause
	if code == fault.CredentialsRefused {
		delay = longPause
	}
	if g.breaker.IsOpen() && g.delay < delay {
		g.breaker, g.delay = newBreaker(delay), delay
		g.breaker.Open()
	}
}

// heal lets everything through again: the store was seen to work.
func (g *guard) heal() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.breaker.Close()
	g.normal()
	g.wake()
}

// normal goes back to the short pause once the store works. g.mu is held.
func (g *guard) normal() {
	if g.breaker.IsClosed() && g.delay != pause {
		g.breaker, g.delay = newBreaker(pause), pause
	}
}

// wake lets who waits for a result look again. g.mu is held.
func (g *guard) wake() {
	close(g.changed)
	g.changed = make(chan struct{})
}

// unknown tells whether nothing that was answered can be trusted.
func unknown(outcomes []channel.Outcome) bool {
	for _, o := range outcomes {
		if o.Verdict != channel.Unknown {
			return false
		}
	}
	return len(outcomes) > 0
}

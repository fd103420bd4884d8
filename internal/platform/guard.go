package platform

import (
	"context"
	"errors"
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
	// pause is how long a store is left alone. One that asks for a longer wait than our patience is left alone for that long, which
	// outbound.RetryAfter bounds at a day.
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
	why     string        // it is left alone
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
		why, words, changed := g.why, g.words, g.changed
		g.mu.Unlock()
		switch {
		case through:
			return nil
		case open:
			at := time.Now().Add(left + time.Second).UTC().Format("2006-01-02 15:04:05 UTC")
			return fault.New(fault.StorePaused, "the store is left alone until %s, %s; what waits is sent by the first sync after that, or after a test of the store that succeeds. It failed with: %s", at, why, words)
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
	canceled := ctx.Err() != nil && err != nil && fault.CodeOf(err) == ""
	if err == nil && unknown(outcomes) {
		err = errors.New(outcomes[0].Message)
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	switch {
	case canceled:
		if g.breaker.IsHalfOpen() { // says nothing of the store, but gives its turn back
			g.breaker.Open()
			g.breaker.HalfOpen()
		}
	case err != nil:
		g.fail(err)
	default:
		g.breaker.RecordSuccess()
		g.normal()
	}
	g.wake()
}

// fail takes down a failure. g.mu is held.
func (g *guard) fail(err error) {
	g.words = fault.Message(err)
	open, delay, why := g.breaker.IsOpen(), pause, "for it failed again and again"
	g.breaker.RecordFailure()
	var f *fault.Error
	switch errors.As(err, &f); {
	case f == nil:
	case f.Code == fault.CredentialsRefused:
		delay = longPause
	case f.Code == fault.Throttled:
		g.breaker.Open() // it was asked patiently already
		if named := time.Until(f.Until); named > delay {
			delay, why = named, "as it asked for"
		}
	}
	if !g.breaker.IsOpen() || open && delay <= g.delay { // a batch that was on its way already shortens nothing
		return
	}
	g.breaker, g.delay, g.why = newBreaker(delay), delay, why
	g.breaker.Open()
}

// pausing tells whether the store is left alone now.
func (g *guard) pausing() bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.breaker.IsOpen() && g.breaker.RemainingDelay() > 0
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

package outbound

import (
	"context"
	"sync"
	"time"

	"golang.org/x/time/rate"
)

// Pace keeps the requests of one peer, from however many goroutines, below a rate, and holds all of them back when
// one was told to wait.
type Pace struct {
	clock   Clock
	limiter *rate.Limiter

	mu    sync.Mutex // guards until
	until time.Time
}

// NewPace makes a Pace of so many requests per second; 0 is no limit.
func NewPace(perSecond float64, clock Clock) *Pace {
	limit := rate.Inf
	if perSecond > 0 {
		limit = rate.Limit(perSecond)
	}
	return &Pace{clock: clock, limiter: rate.NewLimiter(limit, 1)}
}

// Hold lets nobody through for so long.
func (p *Pace) Hold(d time.Duration) {
	until := p.clock.Time().Add(d)
	p.mu.Lock()
	defer p.mu.Unlock()
	if until.After(p.until) {
		p.until = until
	}
}

func (p *Pace) held() time.Time {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.until
}

// Wait returns when the next request may go, or with the context's error.
func (p *Pace) Wait(ctx context.Context) error {
	for until, slept := p.held(), (time.Time{}); until.After(slept); until = p.held() { // others may be told to wait meanwhile
		if err := p.clock.Pause(ctx, until.Sub(p.clock.Time())); err != nil {
			return err
		}
		slept = until
	}
	now := p.clock.Time()
	turn := p.limiter.ReserveN(now, 1)
	err := p.clock.Pause(ctx, turn.DelayFrom(now))
	if err != nil {
		turn.CancelAt(p.clock.Time())
	}
	return err
}

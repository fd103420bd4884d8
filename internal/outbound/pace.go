package outbound

import (
	"context"
	"sync"
	"time"

	"golang.org/x/time/rate"
)

// How a pace adapts: what is asked to slow down halves its rate, and each request that gets through gives back a little
// (additive increase, multiplicative decrease), so that it settles just below what the peer bears.
const (
	slowest     = 0.1              // requests per second at least: one every ten seconds
	recovery    = 30 * time.Second // from half the rate back to the whole of it, at that rate
	oneFault    = time.Second      // requests that were under way together are slowed down for once
	unseen      = 10               // requests per second that are halved at least where no rate is set: too few have gone to tell
	observeOver = 5 * time.Second  // how far back the rate that is halved is counted where none is set
)

// Pace keeps the requests of one peer, from however many goroutines, below a rate, and holds all of them back when
// one was told to wait. It slows down when it is told of a throttled request, and recovers.
type Pace struct {
	clock   Clock
	limiter *rate.Limiter
	most    rate.Limit // what was asked for; rate.Inf for no limit

	mu     sync.Mutex // guards what follows
	until  time.Time  // nobody goes before
	aim    rate.Limit // what recovery leads to: most, or the rate seen when the peer first threw some out
	slowed time.Time  // when the rate was last halved
	since  time.Time  // what count counts from
	count  int        // requests borne since then
	before float64    // per second, in the stretch before that
}

// NewPace makes a Pace of so many requests per second; 0 is no limit.
func NewPace(perSecond float64, clock Clock) *Pace {
	limit := rate.Inf
	if perSecond > 0 {
		limit = rate.Limit(perSecond)
	}
	return &Pace{clock: clock, limiter: rate.NewLimiter(limit, 1), most: limit, aim: limit}
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

// Slow halves the rate: the peer threw a request out for being one too many. Without a rate so far, it is half of what went through of
// late. Requests that were thrown out together count once.
func (p *Pace) Slow() {
	now := p.clock.Time()
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.slowed.IsZero() && now.Sub(p.slowed) < oneFault {
		return
	}
	limit := p.limiter.Limit()
	if limit == rate.Inf {
		limit = rate.Limit(max(p.before, float64(p.count)/max(now.Sub(p.since), oneFault).Seconds(), unseen))
		p.aim = limit
	}
	p.slowed = now
	p.limiter.SetLimitAt(now, max(limit/2, min(slowest, p.most)))
}

// Went tells of a request that the peer did not throw out: the rate recovers by a little. A peer that has borne its old rate for a while
// again, and was given none, is held to none.
func (p *Pace) Went() {
	now := p.clock.Time()
	p.mu.Lock()
	defer p.mu.Unlock()
	if stretch := now.Sub(p.since); stretch > observeOver {
		p.before, p.since, p.count = float64(p.count)/stretch.Seconds(), now, 0
	}
	p.count++
	limit := p.limiter.Limit()
	if limit >= p.most {
		return
	}
	// At the rate of the limit this adds half of aim in the time of recovery.
	limit += p.aim / 2 / rate.Limit(recovery.Seconds()) / limit
	if p.most == rate.Inf && limit >= 2*p.aim {
		limit = rate.Inf
	}
	p.limiter.SetLimitAt(now, min(limit, p.most))
}

// Rate is the rate now, in requests per second; infinite for none.
func (p *Pace) Rate() float64 { return float64(p.limiter.Limit()) }

package shopify

import (
	"context"
	"math"
	"sync"
	"time"

	"stockbridge/internal/outbound"
)

// cost is extensions.cost of a reply, in points.
type cost struct {
	Requested *float64 `json:"requestedQueryCost"` // what must be there before a request is taken
	Actual    *float64 `json:"actualQueryCost"`    // what it cost in the end; null when it was not taken
	Throttle  struct {
		Maximum   float64 `json:"maximumAvailable"`
		Available float64 `json:"currentlyAvailable"`
		Rate      float64 `json:"restoreRate"` // points per second
	} `json:"throttleStatus"`
}

// told tells whether a cost holds the state of the bucket.
func (c *cost) told() bool { return c != nil && c.Throttle.Rate > 0 && c.Throttle.Maximum > 0 }

// budget is our picture of the bucket of points that Shopify keeps per app and shop: a request needs its requested cost in
// it, and gets back what it did not use. Goroutines wait in turn, and no longer than until the points are there.
type budget struct {
	clock outbound.Clock
	first chan struct{} // holds one token while nobody waits for points

	mu        sync.Mutex // guards what follows
	maximum   float64
	available float64 // at the time at; what requests under way took is off
	rate      float64
	at        time.Time
	flying    float64 // taken by requests under way
	landed    float64 // what requests cost that are not under way any more, ever
	wake      context.CancelFunc
	learned   map[string]float64 // requested cost by kind of request
}

// newBudget starts from less than any plan has (1,000 points, 100 a second): the first reply tells better.
func newBudget(clock outbound.Clock) *budget {
	b := &budget{clock: clock, first: make(chan struct{}, 1), maximum: 1000, available: 1000, rate: 100, at: clock.Time(), wake: func() {}, learned: map[string]float64{}}
	b.first <- struct{}{}
	return b
}

// refill adds what came in since. mu is held.
func (b *budget) refill() {
	now := b.clock.Time()
	if d := now.Sub(b.at); d > 0 {
		b.available = min(b.maximum, b.available+b.rate*d.Seconds())
	}
	b.at = now
}

// share is what was set aside for a request.
type share struct {
	kind   string
	points float64
	landed float64 // of the budget when it went
}

// take waits until a request of a kind may go and sets aside what such a request was said to cost the last time, else guess.
func (b *budget) take(ctx context.Context, kind string, guess float64) (share, error) {
	select {
	case <-b.first:
		defer func() { b.first <- struct{}{} }()
	case <-ctx.Done():
		return share{}, ctx.Err()
	}
	for {
		b.mu.Lock()
		b.refill()
		points, ok := b.learned[kind]
		if !ok {
			points = guess
		}
		points = min(points, b.maximum)
		short := points - b.available
		if short < 1e-6 { // rounding
			b.available -= points
			b.flying += points
			s := share{kind, points, b.landed}
			b.mu.Unlock()
			return s, nil
		}
		wait := time.Duration(math.Ceil(short / b.rate * float64(time.Second)))
		sleep, wake := context.WithCancel(ctx)
		b.wake = wake // a reply may bring points back before
		b.mu.Unlock()
		err := b.clock.Pause(sleep, wait)
		wake()
		if err != nil && ctx.Err() != nil {
			return share{}, ctx.Err()
		}
	}
}

// give ends a request. Without a cost the reply was lost: Shopify may have taken the points.
func (b *budget) give(s share, c *cost) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.refill()
	b.flying -= s.points
	if c != nil && c.Requested != nil {
		b.learned[s.kind] = *c.Requested
	}
	if !c.told() {
		b.landed += s.points
		return
	}
	used := 0.0
	if c.Actual != nil {
		used = *c.Actual
	}
	// Shopify's figure holds for when it answered. Of the requests under way it had seen none, some or all; so too of those
	// that landed since this one went, since answers overtake each other.
	unseen := b.flying + b.landed - s.landed
	b.landed += used
	b.maximum, b.rate = c.Throttle.Maximum, c.Throttle.Rate
	b.available = min(max(b.available+s.points-used, c.Throttle.Available-unseen), c.Throttle.Available)
	b.wake()
}

// turn is one request's place in the budget, over all its attempts.
type turn struct {
	budget *budget
	kind   string
	guess  float64
	share  share
	open   bool // an attempt is under way
}

type turnKey struct{}

// begin waits until the next attempt may go.
func (t *turn) begin(ctx context.Context) (err error) {
	t.end(nil)
	if t.share, err = t.budget.take(ctx, t.kind, t.guess); err == nil {
		t.open = true
	}
	return err
}

// end closes the attempt under way, if there is one.
func (t *turn) end(c *cost) {
	if t.open {
		t.open = false
		t.budget.give(t.share, c)
	}
}

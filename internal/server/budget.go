package server

import (
	"context"
	"fmt"
	"math"
	"sync"
	"time"

	"github.com/99designs/gqlgen/graphql"
	"github.com/vektah/gqlparser/v2/gqlerror"

	"stockbridge/internal/access"
	"stockbridge/internal/fault"
)

const throttled fault.Code = "THROTTLED"

// Budget is what the documents of one token may cost: Max at once, and Restore more each second. The zero value bounds
// nothing, and no costs are told.
type Budget struct{ Max, Restore int64 }

// budgets holds how much each token has left, in this process alone. x/time/rate does not do: it gives nothing back. It
// is safe for concurrent use.
type budgets struct {
	Budget
	now func() time.Time

	mu      sync.Mutex // guards the rest
	buckets map[int64]bucket
	sweepAt int // how many buckets make it worth looking for full ones
}

// bucket is what a token had left at a time. One that is full again is like none.
type bucket struct {
	left float64
	at   time.Time
}

func newBudgets(b Budget) *budgets {
	return &budgets{Budget: b, now: time.Now, buckets: make(map[int64]bucket), sweepAt: 1000}
}

// refilled is a token's bucket as it is now. The caller holds the lock.
func (b *budgets) refilled(token int64, now time.Time) bucket {
	old, ok := b.buckets[token]
	if !ok {
		return bucket{float64(b.Max), now}
	}
	return bucket{min(float64(b.Max), old.left+max(0, now.Sub(old.at).Seconds())*float64(b.Restore)), now}
}

// take charges a token, or tells how long to wait until it can.
func (b *budgets) take(token, cost int64) (left int64, wait time.Duration) {
	b.mu.Lock()
	defer b.mu.Unlock()
	has := b.refilled(token, b.now())
	if missing := float64(cost) - has.left; missing > 0 {
		return int64(has.left), time.Duration(math.Ceil(missing/float64(b.Restore)*1000)) * time.Millisecond
	}
	has.left -= float64(cost)
	b.keep(token, has)
	return int64(has.left), 0
}

// give returns a part of what was taken.
func (b *budgets) give(token, cost int64) (left int64) {
	b.mu.Lock()
	defer b.mu.Unlock()
	has := b.refilled(token, b.now())
	has.left = min(float64(b.Max), has.left+float64(cost))
	b.keep(token, has)
	return int64(has.left)
}

// keep remembers a bucket, and forgets those that are full again whenever their number has doubled: what is kept is in
// proportion to the tokens that were used within the time that fills one.
func (b *budgets) keep(token int64, has bucket) {
	b.buckets[token] = has
	if len(b.buckets) < b.sweepAt {
		return
	}
	for t := range b.buckets {
		if b.refilled(t, has.at).left >= float64(b.Max) {
			delete(b.buckets, t)
		}
	}
	b.sweepAt = max(1000, 2*len(b.buckets))
}

// costTold is extensions.cost of an answer, in Shopify's shape.
type costTold struct {
	Requested int64          `json:"requestedQueryCost"`
	Actual    *int64         `json:"actualQueryCost"` // null where nothing ran
	Throttle  throttleStatus `json:"throttleStatus"`
}

type throttleStatus struct {
	Max     int64 `json:"maximumAvailable"`
	Left    int64 `json:"currentlyAvailable"`
	Restore int64 `json:"restoreRate"` // a second
}

func (b *budgets) told(requested int64, actual *int64, left int64) map[string]any {
	return map[string]any{"cost": costTold{requested, actual, throttleStatus{b.Max, left, b.Restore}}}
}

// charge is what the operation in a context was charged.
type charge struct{ token, requested int64 }

type chargeKey struct{}

// charge takes what an operation may cost from its bearer's budget. The response is the refusal (THROTTLED) where there
// is not enough left.
func (e *engine) charge(ctx context.Context, requested int64) (context.Context, *graphql.Response) {
	viewer, err := access.From(ctx)
	if err != nil || e.budgets.Max == 0 { // nobody signed in is refused by the schema
		return ctx, nil
	}
	left, wait := e.budgets.take(viewer.TokenID, requested)
	if wait == 0 {
		return context.WithValue(ctx, chargeKey{}, charge{viewer.TokenID, requested}), nil
	}
	seconds := int64(math.Ceil(wait.Seconds()))
	refusal := fail(throttled, fmt.Sprintf("the document may cost %d and %d is left of the token's budget: try again in %d s, or ask for smaller pages", requested, left, seconds))
	refusal.Extensions["retryAfter"] = seconds
	return ctx, &graphql.Response{Errors: gqlerror.List{refusal}, Extensions: e.budgets.told(requested, nil, left)}
}

// settle gives back what was charged and not used, and tells the cost in the response. What took too long is paid in full:
// it was not for nothing.
func (e *engine) settle(ctx context.Context, op *graphql.OperationContext, resp *graphql.Response) {
	c, ok := ctx.Value(chargeKey{}).(charge)
	if !ok {
		return
	}
	actual := c.requested
	if len(resp.Errors) == 0 || resp.Errors[0].Extensions["code"] != string(timedOut) {
		actual = min(actual, spent(op, resp.Data, len(resp.Errors) > 0))
	}
	resp.Extensions = e.budgets.told(c.requested, &actual, e.budgets.give(c.token, c.requested-actual))
}

// release gives back what an operation was charged that is not run.
func (e *engine) release(ctx context.Context) {
	if c, ok := ctx.Value(chargeKey{}).(charge); ok {
		e.budgets.give(c.token, c.requested)
	}
}

// retryAfter is how many seconds a refused request is to wait; 0 is that waiting mends nothing.
func retryAfter(resp *graphql.Response) int64 {
	if len(resp.Errors) == 0 {
		return 0
	}
	seconds, _ := resp.Errors[0].Extensions["retryAfter"].(int64)
	return seconds
}

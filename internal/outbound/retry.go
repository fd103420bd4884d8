package outbound

import (
	"cmp"
	"context"
	"errors"
	"math/rand/v2"
	"time"

	"stockbridge/internal/fault"
)

// Clock is the time that waiting goes by. The zero Clock is the real one.
type Clock struct {
	Now   func() time.Time
	Sleep func(ctx context.Context, d time.Duration) error // returns early with the context's error when that ends
}

// Time is the current time.
func (c Clock) Time() time.Time {
	if c.Now != nil {
		return c.Now()
	}
	return time.Now()
}

// Pause waits for d, or until ctx ends: then it returns its error.
func (c Clock) Pause(ctx context.Context, d time.Duration) error {
	switch {
	case ctx.Err() != nil || d <= 0:
		return ctx.Err()
	case c.Sleep != nil:
		return c.Sleep(ctx, d)
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Again is a failure that may pass: trying once more can help.
type Again struct {
	Err error // what to tell when patience ends
	// Throttled: the other side is there and wants us to wait. Such attempts are bounded by Retry.Budget alone.
	Throttled bool
	// After is the least wait the other side asked for; 0 if it named none.
	After time.Duration
}

func (a *Again) Error() string { return a.Err.Error() }

// Unwrap returns the failure.
func (a *Again) Unwrap() error { return a.Err }

// defaultTries is how often a request is made that says nothing of it.
const defaultTries = 4

// Retry is how patient a caller is (spec section 6: "retried with back-off and jitter", "waits as told").
// The zero Retry is a fair one.
type Retry struct {
	Tries  int            // attempts in all, throttled ones not counted; 0: 4
	First  time.Duration  // wait before the second attempt, doubled for each one after it; 0: 500 ms
	Most   time.Duration  // longest wait of our own choice; 0: 30 s
	Budget time.Duration  // longest time to wait between attempts in sum; a longer wait asked for is not begun; 0: 2 min
	Jitter func() float64 // at least 0, below 1; nil: random
	Clock  Clock
}

// Do calls try until it answers anything but an *Again, or patience ends: then the *Again's Err is returned. Where that is for
// a wait that the other side asked for, its fault says until when. When ctx ends during a wait its error is returned.
func (r Retry) Do(ctx context.Context, try func() error) error {
	left := cmp.Or(r.Budget, 2*time.Minute)
	tries := cmp.Or(r.Tries, defaultTries)
	untold := 0 // waits of our own choice so far
	for {
		err := try()
		var again *Again
		if !errors.As(err, &again) {
			return err
		}
		if !again.Throttled {
			tries--
		}
		wait := max(again.After, r.backoff(0)) // a peer that says "0" again and again must not be hammered
		if again.After == 0 {
			wait = r.backoff(untold)
			untold++
		}
		if left -= wait; tries <= 0 || left < 0 {
			if f := (*fault.Error)(nil); again.Throttled && again.After > 0 && errors.As(again.Err, &f) {
				f.Until = r.Clock.Time().Add(again.After)
			}
			return again.Err
		}
		if err := r.Clock.Pause(ctx, wait); err != nil {
			return err
		}
	}
}

// backoff is the wait after n waits before it: half of it sure, half by chance, so that callers who failed together do
// not come back together.
func (r Retry) backoff(n int) time.Duration {
	d, most := cmp.Or(r.First, 500*time.Millisecond), cmp.Or(r.Most, 30*time.Second)
	for ; n > 0 && d < most; n-- {
		d *= 2
	}
	d = min(d, most)
	jitter := rand.Float64
	if r.Jitter != nil {
		jitter = r.Jitter
	}
	return d/2 + time.Duration(jitter()*float64(d/2))
}

package outbound

import (
	"context"
	"errors"
	"math"
	"testing"
	"testing/synctest"
	"time"
)

// A peer that bears so many requests a second, and throws the others out, is soon asked at about that rate, and goes on being
// asked at most of it.
func TestPaceSettlesAtWhatThePeerBears(t *testing.T) {
	t.Parallel()
	for name, set := range map[string]float64{"no rate set": 0, "too high a rate set": 50} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				const bears = 8.0 // requests a second, with as many saved up
				p := NewPace(set, Clock{})
				saved, last := bears, time.Now()
				var went, thrown int
				run := func(d time.Duration) {
					went, thrown = 0, 0
					for end := time.Now().Add(d); time.Now().Before(end); {
						if err := p.Wait(t.Context()); err != nil {
							t.Fatal(err)
						}
						time.Sleep(20 * time.Millisecond) // the way there and back
						saved = min(bears, saved+bears*time.Since(last).Seconds())
						last = time.Now()
						if saved < 1 {
							thrown++
							p.Slow()
							continue
						}
						saved--
						went++
						p.Went()
					}
				}
				run(time.Minute)
				run(5 * time.Minute)
				if float64(went) < 0.6*bears*300 || thrown > went/20 {
					t.Errorf("%d went and %d were thrown out in 5 minutes, of %g that the peer bears", went, thrown, bears*300)
				}
			})
		})
	}
}

// Requests that were under way together are slowed down for once; and what was slowed down recovers, to what was set and no further.
func TestPaceHalvesAndRecovers(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 11, 1, 12, 0, 0, 0, time.UTC)
	p := NewPace(16, Clock{Now: func() time.Time { return now }})
	rate := func(want float64) {
		t.Helper()
		if got := p.Rate(); math.Abs(got-want) > 0.01*want {
			t.Errorf("the rate is %g, want %g", got, want)
		}
	}
	p.Slow()
	p.Slow()
	rate(8)
	now = now.Add(time.Second)
	p.Slow()
	rate(4)
	for range 20 {
		now = now.Add(time.Second)
		p.Slow()
	}
	rate(slowest)
	for range 10_000 {
		p.Went()
	}
	rate(16)

	free := NewPace(0, Clock{Now: func() time.Time { return now }})
	free.Went()
	free.Slow()
	if got := free.Rate(); got != unseen/2 {
		t.Errorf("the rate is %g", got)
	}
	for range 2000 {
		free.Went()
	}
	if !math.IsInf(free.Rate(), 1) && free.Rate() < math.MaxFloat64 {
		t.Errorf("a peer that bears everything again is held to %g", free.Rate())
	}
}

// What is slowed down is slowed down for everyone, and a rate below the slowest stays what it is.
func TestSlowRateStaysSlow(t *testing.T) {
	t.Parallel()
	p := NewPace(0.05, Clock{})
	p.Slow()
	if p.Rate() != 0.05 {
		t.Errorf("the rate is %g", p.Rate())
	}
}

func TestCanceledTurnIsGivenBack(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p := NewPace(1, Clock{})
		if err := p.Wait(t.Context()); err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
		defer cancel()
		if err := p.Wait(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("%v", err)
		}
		start := time.Now()
		if err := p.Wait(t.Context()); err != nil || time.Since(start) != 900*time.Millisecond {
			t.Errorf("%v after %s", err, time.Since(start))
		}
	})
}

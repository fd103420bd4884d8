package outbound

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"
)

// spec 6: "time-outs, resets and 5xx: retried with back-off and jitter"; "429/503: waits as told, then goes on".
func TestRetriesWaitAsToldAndNotForEver(t *testing.T) {
	t.Parallel()
	const s, ms = time.Second, time.Millisecond
	down := errors.New("down")
	again := &Again{Err: down}
	told := func(d time.Duration) error { return &Again{Err: down, Throttled: true, After: d} }
	for name, c := range map[string]struct {
		errs  []error // the last one goes on
		want  error
		calls int
		waits []time.Duration
	}{
		"at once":                      {[]error{nil}, nil, 1, nil},
		"final":                        {[]error{context.DeadlineExceeded}, context.DeadlineExceeded, 1, nil},
		"passes":                       {[]error{again, again, nil}, nil, 3, []time.Duration{750 * ms, 1500 * ms}},
		"stays":                        {[]error{again}, down, 4, []time.Duration{750 * ms, 1500 * ms, 2 * s * 3 / 4 * 2}},
		"waits as told":                {[]error{told(7 * s), told(90 * s), nil}, nil, 3, []time.Duration{7 * s, 90 * s}},
		"told costs no try":            {[]error{told(s), told(s), told(s), told(s), told(s), again, nil}, nil, 7, []time.Duration{s, s, s, s, s, 750 * ms}},
		"told more than is left":       {[]error{told(90 * s), told(31 * s)}, down, 2, []time.Duration{90 * s}},
		"told an hour":                 {[]error{told(time.Hour)}, down, 1, nil},
		"throttled, not told how long": {[]error{told(0), told(0), nil}, nil, 3, []time.Duration{750 * ms, 1500 * ms}},
		"told next to nothing":         {[]error{told(ms), nil}, nil, 2, []time.Duration{750 * ms}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var waits []time.Duration
			calls := 0
			err := Retry{
				First: s, Jitter: func() float64 { return 0.5 },
				Clock: Clock{Sleep: func(_ context.Context, d time.Duration) error { waits = append(waits, d); return nil }},
			}.Do(t.Context(), func() error {
				calls++
				return c.errs[min(calls, len(c.errs))-1]
			})
			if err != c.want || calls != c.calls || len(waits) != len(c.waits) {
				t.Fatalf("%d calls, waits %v, %v; want %d, %v, %v", calls, waits, err, c.calls, c.waits, c.want)
			}
			for i := range waits {
				if waits[i] != c.waits[i] {
					t.Errorf("waits %v, want %v", waits, c.waits)
				}
			}
		})
	}
}

func TestWaitsAreBounded(t *testing.T) {
	t.Parallel()
	r := Retry{}
	for n := range 70 {
		for range 20 {
			if d := r.backoff(n); d < 250*time.Millisecond || d > 30*time.Second {
				t.Fatalf("backoff(%d) = %s", n, d)
			}
		}
	}
}

func TestCanceledWaitEndsAtOnce(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		defer cancel()
		start := time.Now()
		err := Retry{}.Do(ctx, func() error {
			return &Again{Err: errors.New("busy"), Throttled: true, After: time.Minute}
		})
		if !errors.Is(err, context.DeadlineExceeded) || time.Since(start) != 10*time.Second {
			t.Errorf("err = %v after %s", err, time.Since(start))
		}
	})
}

func TestPaceHoldsEveryoneBack(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p := NewPace(2, Clock{})
		start := time.Now()
		wait := func(want time.Duration) {
			t.Helper()
			if err := p.Wait(t.Context()); err != nil || time.Since(start) != want {
				t.Errorf("let through after %s (%v), want %s", time.Since(start), err, want)
			}
		}
		wait(0)
		wait(500 * time.Millisecond)
		p.Hold(10 * time.Second)
		p.Hold(time.Second) // the longer one stands
		time.AfterFunc(5*time.Second, func() { p.Hold(15 * time.Second) })
		wait(20500 * time.Millisecond)
	})
}

func TestNoRateIsNoWait(t *testing.T) {
	t.Parallel()
	p := NewPace(0, Clock{Sleep: func(context.Context, time.Duration) error { return errors.New("slept") }})
	for range 1000 {
		if err := p.Wait(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := p.Wait(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("canceled: %v", err)
	}
}

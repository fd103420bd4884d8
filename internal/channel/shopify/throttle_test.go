package shopify

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"stockbridge/internal/channel"
	"stockbridge/internal/channel/shopify/shopifytest"
	"stockbridge/internal/fault"
	"stockbridge/internal/outbound"
)

// wire.md: "throttled = THROTTLED in a 200 or 429: wait (requested − available) ÷ restoreRate". Another program of the app has taken the points that we
// believed to be there.
func TestThrottledRequestWaitsForItsPoints(t *testing.T) {
	t.Parallel()
	for _, status := range []int{200, 429} {
		t.Run(fmt.Sprint(status), func(t *testing.T) {
			t.Parallel()
			w := setup(t, 250, shopifytest.Config{Status: status}, Config{})
			w.pushed(t, batchOf(250)) // the budget is known now: 2000 less 502 and 10
			w.Drain(w.Available())
			w.pushed(t, batchOf(250))
			if got := w.slept(); got != 100*time.Millisecond { // 10 points at 100 a second
				t.Errorf("waited %s", got)
			}
			w.store.items.Purge()
			w.Drain(w.Available() + 8)
			w.pushed(t, batchOf(250))
			// 502 + 8 points, then the 10 to set.
			if got, want := w.slept(), 100*time.Millisecond+5200*time.Millisecond; got < want || got > want+time.Millisecond {
				t.Errorf("waited %s, want %s", got, want)
			}
			if _, _, throttled := w.Spent(); throttled != 2 {
				t.Errorf("throttled %d times", throttled)
			}
		})
	}
}

// Whichever request is throttled, however it is said, the push arrives.
func TestThrottlingAtEveryPoint(t *testing.T) {
	t.Parallel()
	said := map[string]shopifytest.Answer{
		"code":              answer(200, `{"errors":[{"message":"Throttled","extensions":{"code":"THROTTLED"}}]}`),
		"words":             answer(200, `{"errors":[{"message":"Throttled"}]}`),
		"told":              answer(200, `{"errors":[{"message":"Throttled","extensions":{"code":"THROTTLED"}}],"extensions":{"cost":{"requestedQueryCost":50,"actualQueryCost":null,"throttleStatus":{"maximumAvailable":2000,"currentlyAvailable":20,"restoreRate":100}}}}`),
		"told nonsense":     answer(200, `{"errors":[{"message":"Throttled"}],"extensions":{"cost":{"requestedQueryCost":5,"throttleStatus":{"maximumAvailable":2000,"currentlyAvailable":2000,"restoreRate":100}}}}`),
		"429":               answer(429, `{"errors":"Exceeded calls per second"}`),
		"429, Retry-After":  answer(429, ``, "Retry-After", "2.0"),
		"429, with the 200": answer(429, `{"errors":[{"message":"Throttled","extensions":{"code":"THROTTLED"}}]}`, "Retry-After", "1"),
		"503, Retry-After":  answer(503, ``, "Retry-After", "3"),
	}
	for name, how := range said {
		for at := 1; at <= 5; at++ { // Locations, Stocked, Activate, Set, Set of the rest
			t.Run(fmt.Sprint(name, " at ", at), func(t *testing.T) {
				t.Parallel()
				w := setup(t, 3, shopifytest.Config{Strange: strange(2)}, Config{LocationID: "-"})
				one := shopifytest.New(shopifytest.Config{Now: w.clock.Now, Strange: strange(2)})
				one.AddLocation(1, "Only", true)
				for i := range 3 {
					one.AddItem(int64(i+1), fmt.Sprintf("SKU-%d", i+1), 1)
				}
				one.RemoveItem(3)
				one.AddItem(3, "SKU-3")
				w.Config.Handler = one
				one.Before(func(c shopifytest.Call) shopifytest.Answer {
					if c.Number == at {
						return how
					}
					return nil
				})
				outcomes, err := w.store.Push(t.Context(), batchOf(3))
				const a = channel.Acknowledged
				if err != nil || !slices.Equal(verdicts(outcomes), []channel.Verdict{a, channel.Refused, a}) {
					t.Errorf("%+v, %v", outcomes, err)
				}
				if q, active := one.Stock(3, 1); q != 13 || !active || w.slept() == 0 {
					t.Errorf("shows %d, stocked: %t, waited %s", q, active, w.slept())
				}
			})
		}
	}
}

func strange(n int64) func(shopifytest.Quantity) *shopifytest.Err {
	return func(q shopifytest.Quantity) *shopifytest.Err {
		if q.Quantity == n+10 {
			return &shopifytest.Err{Code: "NON_MUTABLE_INVENTORY_ITEM", Message: "a bundle"}
		}
		return nil
	}
}

// A budget that others use up for good ends our patience.
func TestThrottledForGood(t *testing.T) {
	t.Parallel()
	w := setup(t, 3, shopifytest.Config{}, Config{})
	w.pushed(t, batchOf(3))
	w.Before(func(shopifytest.Call) shopifytest.Answer {
		return answer(200, `{"errors":[{"message":"Throttled"}],"extensions":{"cost":{"requestedQueryCost":10,"throttleStatus":{"maximumAvailable":2000,"currentlyAvailable":0,"restoreRate":1}}}}`)
	})
	before := w.slept()
	outcomes, err := w.store.Push(t.Context(), batchOf(3))
	if fault.CodeOf(err) != fault.Throttled || outcomes[0].Verdict != channel.Refused || outcomes[0].Code != "THROTTLED" {
		t.Errorf("%+v, %v", outcomes, err)
	}
	if got := w.slept() - before; got < time.Minute || got > 4*time.Minute {
		t.Errorf("waited %s", got)
	}
	w.Before(nil)
	w.pushed(t, batchOf(3))
}

// A request that is within the budget is not held back, and nobody is throttled by Shopify, however many push at once.
func TestPushesAtOnceShareTheBudget(t *testing.T) {
	t.Parallel()
	w := setup(t, 1000, shopifytest.Config{}, Config{})
	w.pushed(t, batchOf(1))
	var wg sync.WaitGroup
	for i := range concurrency {
		wg.Go(func() {
			b := batch()
			for n := range 50 {
				b.Levels = append(b.Levels, channel.Level{SKU: fmt.Sprintf("SKU-%d", i*50+n+1), Quantity: 5})
			}
			outcomes, err := w.store.Push(t.Context(), b)
			if err != nil || slices.ContainsFunc(outcomes, func(o channel.Outcome) bool { return o.Verdict != channel.Acknowledged }) {
				t.Errorf("%+v, %v", outcomes, err)
			}
		})
	}
	wg.Wait()
	spent, rows, throttled := w.Spent()
	if rows != 801 || throttled > 2 {
		t.Errorf("%d rows set, throttled %d times, %v points", rows, throttled, spent)
	}
}

// reply is what Shopify says of a cost.
func costOf(requested, actual, available float64) *cost {
	c := &cost{Requested: &requested, Actual: &actual}
	c.Throttle.Maximum, c.Throttle.Available, c.Throttle.Rate = 2000, available, 100
	return c
}

func TestBudgetWaitsNoLongerThanItMust(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := newBudget(outbound.Clock{})
		start := time.Now()
		took := func(kind string, guess float64) share {
			t.Helper()
			s, err := b.take(t.Context(), kind, guess)
			if err != nil {
				t.Fatal(err)
			}
			return s
		}
		b.give(took("a", 400), costOf(300, 100, 1900)) // no wait: 1000 are there
		second := took("a", 400)
		if second.points != 300 {
			t.Errorf("the second of a kind took %v, not what the first was said to cost", second.points)
		}
		b.give(second, nil) // lost: 1600 left
		b.give(took("b", 1600), costOf(1600, 1600, 0))
		if waited := time.Since(start); waited != 0 {
			t.Errorf("waited %s with points to spare", waited)
		}
		b.give(took("c", 50), costOf(50, 50, 0))
		if waited := time.Since(start); waited != 500*time.Millisecond {
			t.Errorf("waited %s for 50 points", waited)
		}
		// An answer that was overtaken tells of more points than there are.
		time.Sleep(10 * time.Second)
		slow, fast := took("d", 100), took("e", 700)
		b.give(fast, costOf(700, 700, 200))
		b.give(slow, costOf(100, 100, 900))
		if b.available > 200 {
			t.Errorf("%v points are thought to be there of 200", b.available)
		}
		time.Sleep(time.Hour)
		b.give(took("f", 2000), costOf(2000, 2000, 0)) // full again, and no more than that
		// What a reply gives back wakes who waits.
		flying := make(chan share)
		go func() {
			s, err := b.take(t.Context(), "g", 60)
			if err != nil {
				t.Error(err)
			}
			flying <- s
		}()
		synctest.Wait()
		time.Sleep(100 * time.Millisecond)
		start = time.Now()
		b.give(share{}, costOf(100, 0, 100+b.landed))
		s := <-flying
		if s.points != 60 || time.Since(start) != 0 {
			t.Errorf("took %v after %s", s.points, time.Since(start))
		}
		b.give(s, costOf(60, 60, 0))
		// Who waits comes in turn: the second needs less but does not pass.
		var order []string
		var wg sync.WaitGroup
		for _, kind := range []string{"big", "small"} {
			wg.Go(func() {
				if _, err := b.take(t.Context(), kind, map[string]float64{"big": 500, "small": 5}[kind]); err != nil {
					t.Error(err)
				}
				b.mu.Lock()
				order = append(order, kind)
				b.mu.Unlock()
			})
			synctest.Wait()
		}
		wg.Wait()
		if !slices.Equal(order, []string{"big", "small"}) {
			t.Errorf("%v", order)
		}
		ctx, cancel := context.WithCancel(t.Context())
		go cancel()
		if _, err := b.take(ctx, "h", 2000); err == nil {
			t.Error("a canceled wait took points")
		}
	})
}

package server

import (
	"context"
	"encoding/json"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/99designs/gqlgen/graphql"
)

// shop is a toy whose answers have objects.
type shop struct{ toy }

func (s shop) Exec(ctx context.Context) graphql.ResponseHandler {
	op := graphql.GetOperationContext(ctx)
	if op.OperationName == "Nested" {
		return graphql.OneShot(&graphql.Response{Data: json.RawMessage(`{"self":{"self":{"who":"ada"}}}`)})
	}
	return s.toy.Exec(ctx)
}

// clock is a time that tests move.
type clock struct {
	mu  sync.Mutex
	now time.Time
}

func (c *clock) read() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *clock) advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

func budgeted(t *testing.T, b Budget) (*running, *clock) {
	t.Helper()
	c := &clock{now: time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC)}
	r := start(t, func(config *Config) {
		config.Schema, config.Budget = shop{newToy()}, b
		config.MaxTime = 50 * time.Millisecond
	})
	r.exec.budgets.now = c.read
	return r, c
}

type told struct {
	Data       any
	Extensions struct {
		Cost struct {
			RequestedQueryCost int64
			ActualQueryCost    *int64
			ThrottleStatus     struct{ MaximumAvailable, CurrentlyAvailable, RestoreRate int64 }
		}
	}
}

func costOf(t *testing.T, body string) (c told) {
	t.Helper()
	if err := json.Unmarshal([]byte(body), &c); err != nil {
		t.Fatalf("%v: %s", err, body)
	}
	return c
}

const nested = `query Nested { self { self { who } other: self { who } } }`

func operationOf(name, query string) string {
	b, err := json.Marshal(map[string]any{"query": query, "operationName": name})
	if err != nil {
		panic(err)
	}
	return string(b)
}

// An answer tells what it cost, and what of the charge was given back.
func TestCostIsTold(t *testing.T) {
	t.Parallel()
	r, clock := budgeted(t, Budget{Max: 100, Restore: 10})
	_, body := r.do(t, "POST", "/graphql", operationOf("Nested", nested), signedIn, asJSON)
	if want := `{"data":{"self":{"self":{"who":"ada"}}},"extensions":{"cost":{"requestedQueryCost":3,"actualQueryCost":2,"throttleStatus":{"maximumAvailable":100,"currentlyAvailable":98,"restoreRate":10}}}}`; body != want {
		t.Errorf("got  %s\nwant %s", body, want)
	}
	clock.advance(100 * time.Millisecond)
	for _, step := range []struct {
		body                    string
		requested, actual, left int64
	}{
		{quoted("{ who }"), 1, 1, 98},
		{quoted("mutation { touch }"), 10, 10, 88},
		{quoted("{ self { late } }"), 1, 1, 87},
	} {
		_, body := r.do(t, "POST", "/graphql", step.body, signedIn, asJSON)
		c := costOf(t, body).Extensions.Cost
		if c.RequestedQueryCost != step.requested || c.ActualQueryCost == nil || *c.ActualQueryCost != step.actual || c.ThrottleStatus.CurrentlyAvailable != step.left {
			t.Errorf("%s: %s", step.body, body)
		}
	}
	// What took too long is paid in full; what does not fit, nothing.
	_, body = r.do(t, "POST", "/graphql", quoted("{ late self { self { who } } }"), signedIn, asJSON)
	if c := costOf(t, body).Extensions.Cost; codeOf(t, body) != "TIMEOUT" || c.ActualQueryCost == nil || *c.ActualQueryCost != 2 {
		t.Error(body)
	}
	if _, body = r.do(t, "POST", "/graphql", quoted("{ whom }"), signedIn, asJSON); strings.Contains(body, "cost") {
		t.Error(body)
	}
}

// Who has spent its budget is told how long to wait, and can go on then; others are not held up.
func TestThrottled(t *testing.T) {
	t.Parallel()
	r, clock := budgeted(t, Budget{Max: 10, Restore: 2})
	for range 4 { // 2 each
		if _, body := r.do(t, "POST", "/graphql", operationOf("Nested", nested), signedIn, asJSON); codeOf(t, body) != "" {
			t.Fatal(body)
		}
	}
	clock.advance(-time.Second) // a clock that is set back gives nothing and takes nothing
	r.exec.budgets.take(0, 2)
	for _, accept := range []struct {
		head   string
		status int
	}{{"Accept: application/json", 200}, {strict, 429}} {
		resp, body := r.do(t, "POST", "/graphql", operationOf("Nested", nested), signedIn, asJSON, accept.head)
		c := costOf(t, body)
		if resp.StatusCode != accept.status || codeOf(t, body) != "THROTTLED" || resp.Header.Get("Retry-After") != "2" || strings.Contains(body, `"data"`) {
			t.Errorf("%s: %d %v %s", accept.head, resp.StatusCode, resp.Header, body)
		}
		if cost := c.Extensions.Cost; cost.RequestedQueryCost != 3 || cost.ActualQueryCost != nil || cost.ThrottleStatus.CurrentlyAvailable != 0 || cost.ThrottleStatus.RestoreRate != 2 {
			t.Errorf("%s", body)
		}
		if !strings.Contains(body, `"retryAfter":2`) {
			t.Errorf("the error does not tell the wait: %s", body)
		}
	}
	if wait, _ := r.exec.budgets.take(7, 10); wait != 0 {
		t.Error("another token pays too")
	}
	clock.advance(2 * time.Second)
	if resp, body := r.do(t, "POST", "/graphql", operationOf("Nested", nested), signedIn, asJSON, strict); resp.StatusCode != 200 {
		t.Errorf("after the wait: %d %s", resp.StatusCode, body)
	}
}

// A document that no budget will ever pay is refused outright.
func TestDocumentAboveTheBudget(t *testing.T) {
	t.Parallel()
	r, _ := budgeted(t, Budget{Max: 2, Restore: 1})
	resp, body := r.do(t, "POST", "/graphql", quoted(nested), signedIn, asJSON, strict)
	if codeOf(t, body) != "TOO_COMPLEX" || resp.StatusCode != 400 || !strings.Contains(body, `"cost":3`) || !strings.Contains(body, `"maxCost":2`) {
		t.Errorf("%d %s", resp.StatusCode, body)
	}
}

// A subscription is charged when it begins; what is not run is not paid.
func TestWhatIsCharged(t *testing.T) {
	t.Parallel()
	r, _ := budgeted(t, Budget{Max: 100, Restore: 1})
	left := func() int64 {
		r.exec.budgets.mu.Lock()
		defer r.exec.budgets.mu.Unlock()
		return int64(r.exec.budgets.refilled(0, r.exec.budgets.now()).left)
	}
	for _, step := range []struct {
		body string
		head []string
		left int64
	}{
		{quoted("subscription { ticks(n: 1) }"), []string{asJSON}, 100}, // 406
		{quoted("subscription { ticks(n: -1) }"), []string{asJSON, events}, 90},
		{quoted("{ self { who } }"), []string{asJSON, events}, 89},
		{quoted("{ broken }"), []string{asJSON}, 88}, // it ran
	} {
		r.do(t, "POST", "/graphql", step.body, append(step.head, signedIn)...)
		if got := left(); got != step.left {
			t.Errorf("%s %v: %d is left, want %d", step.body, step.head, got, step.left)
		}
	}
	r.do(t, "GET", "/graphql?query=mutation{touch}", "", signedIn) // 405
	if got := left(); got != 88 {
		t.Errorf("after a mutation by GET %d is left", got)
	}
}

// What is kept of tokens goes with the time that fills their budgets.
func TestFullBudgetsAreForgotten(t *testing.T) {
	t.Parallel()
	b := newBudgets(Budget{Max: 10, Restore: 1})
	c := &clock{now: time.Unix(0, 0)}
	b.now = c.read
	for token := range int64(100_000) {
		b.take(token, 1)
		c.advance(10 * time.Millisecond)
		if len(b.buckets) > 1000 {
			t.Fatalf("%d are kept of %d", len(b.buckets), token)
		}
	}
}

// Many at once take no more than there is.
func TestBudgetHoldsForRequestsAtOnce(t *testing.T) {
	t.Parallel()
	b := newBudgets(Budget{Max: 100, Restore: 1})
	b.now = func() time.Time { return time.Unix(0, 0) }
	var all sync.WaitGroup
	var mu sync.Mutex
	got := 0
	for range 8 {
		all.Go(func() {
			for range 50 {
				if _, wait := b.take(1, 3); wait == 0 {
					mu.Lock()
					got++
					mu.Unlock()
				}
			}
		})
	}
	all.Wait()
	if got != 33 {
		t.Errorf("%d were let in", got)
	}
}

// An answer that is given again costs what it did, and its data is the same to the byte.
func TestReplayTellsItsCost(t *testing.T) {
	eachKeyed(t, func(t *testing.T, r *running, c *counter) {
		r.exec.budgets = newBudgets(Budget{Max: 100, Restore: 1})
		r.exec.budgets.now = func() time.Time { return time.Unix(0, 0) }
		for i, want := range []string{`"currentlyAvailable":90,`, `"currentlyAvailable":80,`} {
			_, body := r.do(t, "POST", "/graphql", quoted("mutation { touch }"), signedIn, asJSON, "Idempotency-Key: k")
			if !strings.HasPrefix(body, `{"data":{"touch": "1"},"extensions":{"cost":{"requestedQueryCost":10,"actualQueryCost":10,`) || !strings.Contains(body, want) {
				t.Errorf("%d: %s", i, body)
			}
		}
		r.do(t, "POST", "/graphql", quoted("mutation B { touch }"), signedIn, asJSON, "Idempotency-Key: k") // refused
		if left := r.exec.budgets.give(0, 0); left != 80 {
			t.Errorf("a refused key was paid: %d is left", left)
		}
	})
}

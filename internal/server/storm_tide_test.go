package server

import (
	"context"
	"sync"
	"sync/atomic"

	"github.com/99designs/gqlgen/graphql"
	"github.com/vektah/gqlparser/v2/ast"

	"stockbridge/graph"
	"stockbridge/internal/access"
	"stockbridge/internal/activity"
)

// tide is how far a merchant's activities are.
type tide struct {
	newest atomic.Int64
	calm   atomic.Bool // nobody leaves or stands still
	bell   activity.Bell

	mu     sync.Mutex // guards steady
	steady map[*subscriber]int64
}

// until waits for something to become true, at most until it is calm.
func (t *tide) until(is func(newest int64) bool) {
	for {
		woken := t.bell.Next()
		if t.calm.Load() || is(t.newest.Load()) {
			return
		}
		<-woken
	}
}

// read notes how far a steady subscriber is.
func (t *tide) read(s *subscriber, id int64) {
	t.mu.Lock()
	t.steady[s] = id
	t.mu.Unlock()
	t.bell.Ring()
}

// near tells whether the steady subscribers are.
func (t *tide) near(newest int64) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, id := range t.steady {
		if id < newest-stormAhead {
			return false
		}
	}
	return true
}

// spread is a schema that counts who executes its subscriptions.
type spread struct{ groups, resumed, lagged atomic.Int64 }

type spreading struct {
	graph.API
	*spread
}

// Exec counts. A subscription that began with what came from then on is executed for one alone only when it fell behind.
func (c spreading) Exec(ctx context.Context) graphql.ResponseHandler {
	if op := graphql.GetOperationContext(ctx); op.Operation.Operation == ast.Subscription {
		switch who := must(access.From(ctx)); {
		case who.Name != "bearer":
			c.groups.Add(1)
		case op.Variables["after"] != nil || op.Headers.Get(lastEventID) != "":
			c.resumed.Add(1)
		default:
			c.lagged.Add(1)
		}
	}
	return c.API.Exec(ctx)
}

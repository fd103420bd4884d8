package server

import (
	"context"

	"github.com/99designs/gqlgen/graphql"
	"github.com/vektah/gqlparser/v2/ast"
	"github.com/vektah/gqlparser/v2/gqlerror"

	"stockbridge/graph"
)

// catchUp executes a member's subscription for itself alone from where it is, until it is told all that is stored. It is
// false when the subscription has ended, or cannot go on.
func (h *groups) catchUp(ctx context.Context, m *member, after string, begun func(cursor string), put func(*shared) error) (more bool) {
	move := func(at int64, cursor string) {
		h.mu.Lock()
		defer h.mu.Unlock()
		m.at, m.cursor = new(at), cursor
	}
	h.mu.Lock()
	t := &graph.Track{From: m.at, After: after, Once: true}
	h.mu.Unlock()
	var failed error
	h.each(graph.WithTrack(ctx, t), m.op, func() {
		if t.Begun() {
			move(t.At(), t.Cursor())
		}
		begun(t.Cursor())
	}, func(resp *graphql.Response) error {
		msg := &shared{at: t.At(), cursor: t.Cursor(), text: append(encode(resp), '}')}
		if failed = put(msg); failed == nil && t.Begun() {
			move(msg.at, msg.cursor)
		}
		return failed
	})
	if failed != nil || ctx.Err() != nil || !t.Done() {
		return false
	}
	move(t.At(), t.Cursor())
	return true
}

// each runs an operation and hands its responses over one by one, until it ends, ctx does or deliver fails. begun is called
// when a subscription has begun. A response is good only until deliver returns.
func (s *Server) each(ctx context.Context, op *graphql.OperationContext, begun func(), deliver func(*graphql.Response) error) {
	defer func() {
		if p := recover(); p != nil {
			_ = deliver(&graphql.Response{Errors: gqlerror.List{s.exec.broke(ctx, p)}}) // the log has it
		}
	}()
	if op.Operation.Operation != ast.Subscription {
		_ = deliver(s.once(ctx, op)) // there is nothing after it
		return
	}
	ctx, cancel := context.WithCancel(ctx) // also when deliver fails, the resolvers end
	defer cancel()
	next, ctx := s.exec.DispatchOperation(ctx, op)
	begun()
	for resp := next(ctx); resp != nil && deliver(resp) == nil; resp = next(ctx) {
	}
}

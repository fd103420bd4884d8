package server

import (
	"bytes"
	"context"
	"net/http"
	"sync"
	"time"

	"github.com/99designs/gqlgen/graphql"
	"github.com/vektah/gqlparser/v2/ast"
	"github.com/vektah/gqlparser/v2/gqlerror"
)

// stream runs a subscription as server-sent events: next for each response, complete after the last. A stream that the
// server breaks off, because it stops or the token no longer stands, has no complete, so that clients connect again.
func (s *Server) stream(ctx context.Context, w http.ResponseWriter, secret string, op *graphql.OperationContext) {
	control := http.NewResponseController(w)
	w.Header().Set("Content-Type", eventStream+"; charset=utf-8")
	w.Header().Set("X-Accel-Buffering", "no") // a proxy that collects events would hold them back
	send := func(text []byte) error {
		_ = control.SetWriteDeadline(time.Now().Add(writeWait)) // not every connection has one, in tests
		if _, err := w.Write(text); err != nil {
			return err
		}
		return control.Flush()
	}

	// The executor runs beside, so that signs of life go out while nothing happens.
	ctx, cancel := context.WithCancel(ctx)
	defer context.AfterFunc(s.streams, cancel)()
	begun, responses := make(chan struct{}), make(chan []byte)
	defer func() {
		cancel()
		for range responses { // until the executor has ended
		}
	}()
	go func() {
		defer close(responses)
		begin := sync.OnceFunc(func() { close(begun) })
		defer begin()
		s.each(ctx, op, begin, func(resp *graphql.Response) error {
			select {
			case responses <- event(resp): // encoded here, for the executor uses the response's memory again
				return nil
			case <-ctx.Done():
				return ctx.Err()
			}
		})
	}()

	life := time.NewTicker(s.pace.beat)
	defer life.Stop()
	checked := time.Now()
	<-begun // who has the head of the answer misses nothing that happens from then on
	if err := send([]byte(":\n\n")); err != nil {
		return
	}
	for {
		var err error
		select {
		case text, more := <-responses:
			if !more {
				if ctx.Err() == nil {
					_ = send(complete)
				}
				return
			}
			err = send(text)
		case now := <-life.C:
			if now.Sub(checked) >= s.pace.recheck {
				checked = now
				if s.revoked(ctx, secret) {
					return
				}
			}
			err = send([]byte(": still here\n\n"))
		}
		if err != nil {
			return
		}
	}
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
	s.metrics.subscriptions.Inc()
	defer s.metrics.subscriptions.Dec()
	next, ctx := s.exec.DispatchOperation(ctx, op)
	begun()
	for resp := next(ctx); resp != nil && deliver(resp) == nil; resp = next(ctx) {
	}
}

var complete = []byte("event: complete\ndata:\n\n")

// event writes one response. Data is one line, whatever white space a scalar brought along.
func event(resp *graphql.Response) []byte {
	text := bytes.ReplaceAll(bytes.ReplaceAll(encode(resp), []byte("\r"), nil), []byte("\n"), []byte("\ndata: "))
	return append(append([]byte("event: next\ndata: "), text...), "\n\n"...)
}

package server

import (
	"bytes"
	"context"
	"net/http"
	"sync"
	"time"

	"github.com/99designs/gqlgen/graphql"
	"github.com/vektah/gqlparser/v2/gqlerror"

	"stockbridge/internal/access"
	"stockbridge/internal/fault"
)

// stream runs a subscription as server-sent events: next for each response, complete after the last. A stream that the
// server breaks off, because it stops or the token no longer stands, has no complete, so that clients connect again.
func (s *Server) stream(ctx context.Context, w http.ResponseWriter, secret string, op *graphql.OperationContext) {
	viewer, err := access.From(ctx)
	if err != nil {
		panic(err) // signed in
	}
	s.metrics.subscriptions.Inc()
	defer s.metrics.subscriptions.Dec()
	revoked := make(chan struct{})
	leave, _ := s.live.begin(&session{grant: access.Grant{Secret: secret, Viewer: viewer}, end: func() { close(revoked) }}, false)
	defer leave()
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

	if m := s.memberOf(ctx, op); m != nil {
		s.follow(ctx, m, send, revoked)
		return
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
			case responses <- event(encode(resp)): // encoded here, for the executor uses the response's memory again
				return nil
			case <-ctx.Done():
				return ctx.Err()
			}
		})
	}()

	life := time.NewTicker(s.pace.beat)
	defer life.Stop()
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
		case <-revoked:
			_ = send(forbidden)
			return
		case <-life.C:
			err = send([]byte(": still here\n\n"))
		}
		if err != nil {
			return
		}
	}
}

var (
	complete = []byte("event: complete\ndata:\n\n")
	// forbidden is the last that a stream tells whose bearer may no longer ask. Without complete, clients ask again, and get 401.
	forbidden = event(encode(&graphql.Response{Errors: gqlerror.List{fail(fault.Unauthenticated, "the token was revoked, has expired, or is for less than it was")}}))
)

// event writes one response. Data is one line, whatever white space a scalar brought along.
func event(response []byte) []byte {
	text := bytes.ReplaceAll(bytes.ReplaceAll(response, []byte("\r"), nil), []byte("\n"), []byte("\ndata: "))
	return append(append([]byte("event: next\ndata: "), text...), "\n\n"...)
}

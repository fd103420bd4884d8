package server

import (
	"bytes"
	"context"
	"errors"
	"net/http"
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
	ctx, revoke := context.WithCancelCause(ctx)
	defer revoke(nil)
	leave, ok := s.live.begin(&session{grant: access.Grant{Secret: secret, Viewer: viewer}, end: func() { revoke(errRevoked) }})
	if !ok {
		s.exec.release(ctx)
		w.Header().Set("Retry-After", "10") // when one closes, nobody knows
		refuse(w, http.StatusTooManyRequests, fault.TooMany, "too many sockets and streams are open with this token: close some")
		return
	}
	defer leave()
	s.metrics.subscriptions.Inc()
	defer s.metrics.subscriptions.Dec()
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

	s.follow(ctx, s.memberOf(ctx, op), send)
	if errors.Is(context.Cause(ctx), errRevoked) {
		_ = send(forbidden) // the client may be gone too
	}
}

// errRevoked ends a stream whose bearer may no longer ask.
var errRevoked = errors.New("the token no longer stands")

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

package onhand

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"

	"stockbridge/internal/fault"
	"stockbridge/internal/outbound"
)

// Refusal is a no of the platform to a request or to a row of it, with the platform's code and words. It is about what was
// sent; the store as a whole can be used.
type Refusal struct {
	Code, Message string
	TooLarge      bool // the request was too long for the platform (413)
}

func (r *Refusal) Error() string { return r.Code + ": " + r.Message }

// Failed is a request that came to nothing, for a reason that is not about what was sent.
type Failed struct {
	Err   error // a *fault.Error, or the context's
	Reply outbound.Reply
}

func (f *Failed) Error() string { return f.Err.Error() }

// Unwrap returns the reason.
func (f *Failed) Unwrap() error { return f.Err }

// Lost tells whether the platform may have done what it was asked. What it wants to be asked again later it has not done.
func (f *Failed) Lost() bool {
	code := fault.CodeOf(f.Err)
	return code == fault.BadReply || code != fault.Throttled && f.Reply.Sent && (f.Reply.Status == 0 || f.Reply.Status >= 500)
}

// Ask makes a request once: whoever tries again looks up allocations again. An error is a *Failed or, for an answer of 4xx that is
// about the request, a *Refusal with code HTTP_<status> and the body's words.
func Ask(ctx context.Context, peer *outbound.Peer, r outbound.Request) (outbound.Reply, error) {
	r.Untried = true
	reply, err := peer.Do(ctx, r)
	if err == nil {
		return reply, nil
	}
	if fault.CodeOf(err) == fault.Refused && reply.Status >= 400 && ctx.Err() == nil {
		return reply, &Refusal{
			Code: fmt.Sprintf("HTTP_%d", reply.Status), Message: cmp.Or(peer.Hide(string(reply.Body)), reply.StatusText()),
			TooLarge: reply.Status == http.StatusRequestEntityTooLarge,
		}
	}
	return reply, &Failed{err, reply}
}

// BadReply is the failure of a request whose answer is not what the platform documents.
func BadReply(peer *outbound.Peer, reply outbound.Reply, cause error, what string) *Failed {
	return &Failed{fault.Wrap(cause, fault.BadReply, "%s: %s", what, cmp.Or(peer.Hide(string(reply.Body)), "(nothing)")), reply}
}

// patiently calls try until it succeeds, fails for good, or patience ends.
func (p *Pusher) patiently(ctx context.Context, try func() error) error {
	return p.cfg.Retry.Do(ctx, func() error {
		if err := ctx.Err(); err != nil {
			return err
		}
		err := try()
		var failed *Failed
		if !errors.As(err, &failed) {
			return err
		}
		switch fault.CodeOf(failed.Err) {
		case fault.Throttled:
			after, _ := outbound.RetryAfter(failed.Reply.Header.Get("Retry-After"), p.cfg.Peer.Clock().Time())
			if budget := cmp.Or(p.cfg.Retry.Budget, patience); after <= budget { // a longer wait is not begun
				p.cfg.Peer.Pace().Hold(after)
			}
			return &outbound.Again{Err: err, Throttled: true, After: after}
		case fault.Unreachable:
			return &outbound.Again{Err: err}
		}
		return err
	})
}

// Plain is a failure or refusal as the fault that callers know.
func Plain(err error) error {
	var failed *Failed
	var refusal *Refusal
	switch {
	case errors.As(err, &failed):
		return failed.Err
	case errors.As(err, &refusal):
		return fault.New(fault.Refused, "%s: %s", refusal.Code, refusal.Message)
	}
	return err
}

package amazon

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"

	"stockbridge/internal/channel"
	"stockbridge/internal/fault"
	"stockbridge/internal/outbound"
)

// call is one operation of the API.
type call struct {
	peer    *outbound.Peer
	limit   *limit
	method  string
	path    string // with its query
	body    any    // nil for none
	into    any    // where the answer goes, a pointer
	once    bool   // it has no idempotency: what may have arrived is not sent again
	untried bool   // one attempt and no more
}

// failure is a request that came to nothing: a fault, with Amazon's code and words where it gave any.
type failure struct {
	fault *fault.Error
	code  string // Amazon's, or HTTP_<status>; "": the fault's
}

func (f *failure) Error() string { return f.fault.Error() }

// Unwrap returns the fault.
func (f *failure) Unwrap() error { return f.fault }

// ask makes a call until Amazon answers it, and reads the answer. The reply is the last one, beside an error too.
//
// Errors are a *failure around CREDENTIALS_REFUSED, THROTTLED (longer than our patience), REFUSED, UNREACHABLE or BAD_REPLY; those of
// outbound.Send and of the login; that of ctx.
func (s *Store) ask(ctx context.Context, c call) (reply outbound.Reply, err error) {
	r := outbound.Request{
		Method: c.method, URL: s.base + c.path, Header: http.Header{"Accept": {"application/json"}}, Once: c.once, Untried: c.untried,
		Judge: func(reply outbound.Reply) error { return s.judge(c, reply) },
	}
	if c.body != nil {
		if r.Body, err = json.Marshal(c.body); err != nil {
			return reply, fmt.Errorf("write a request of Amazon's: %w", err)
		}
		r.Header.Set("Content-Type", "application/json")
	}
	taken := false
	for renewed := false; ; renewed = true {
		t := &turn{limit: c.limit}
		reply, err = c.peer.Do(context.WithValue(ctx, turnKey{}, t), r)
		taken = taken || reply.Taken
		// Amazon answers 403 to a token that has expired, so that one that was good by our clock is worth a new one.
		if f := (*failure)(nil); renewed || reply.Status != http.StatusForbidden || !errors.As(err, &f) || f.code != "Unauthorized" || !s.signer.Refused(t.last) {
			break
		}
	}
	reply.Taken = taken
	return reply, err
}

// apiErrors is the body of what is not 2xx.
type apiErrors struct {
	Errors []struct {
		Code    string `json:"code"`
		Message string `json:"message"`
		Details string `json:"details"`
	} `json:"errors"`
}

// judge reads a reply.
func (s *Store) judge(c call, reply outbound.Reply) error {
	checked := reply.Check(c.peer.Clock().Time())
	if checked == nil {
		if err := json.Unmarshal(reply.Body, c.into); err != nil {
			return &failure{fault: fault.Wrap(err, fault.BadReply, "Amazon answered %s with what is not its JSON: %s", reply.StatusText(), cmp.Or(c.peer.Hide(string(reply.Body)), "(nothing)"))}
		}
		return nil
	}
	f := &failure{code: fmt.Sprintf("HTTP_%d", reply.Status), fault: fault.New(fault.CodeOf(checked), "%s", fault.Message(checked))} // not around checked, whose *Again would be taken for ours
	var body apiErrors
	if json.Unmarshal(reply.Body, &body) == nil && len(body.Errors) > 0 {
		e := body.Errors[0]
		f.code = cmp.Or(c.peer.Hide(e.Code), f.code)
		words := cmp.Or(e.Message, e.Code)
		if e.Details != "" && e.Details != e.Message {
			words += " (" + e.Details + ")"
		}
		f.fault.Message = reply.StatusText() + ", " + f.code + ": " + c.peer.Hide(words)
	}
	if advice := advice(f.code, reply.Status); advice != "" {
		f.fault.Message += "; " + advice
	}
	var again *outbound.Again
	switch {
	case errors.As(checked, &again):
		return &outbound.Again{Err: f, Throttled: again.Throttled, After: again.After}
	case f.code == "QuotaExceeded":
		f.fault.Code = fault.Throttled
		return &outbound.Again{Err: f, Throttled: true}
	}
	return f
}

// advice is what a code of the API's means for who reads it.
func advice(code string, status int) string {
	switch code {
	case "Unauthorized", "AccessDenied", "MissingAuthenticationToken":
		return "the seller must have authorised the application, in this region, and the application must have the role Product Listing"
	case "QuotaExceeded":
		return "others use up what Amazon allows the application for this seller"
	case "NOT_FOUND", "NotFound", "ResourceNotFound":
		return "the seller has no such SKU in these marketplaces, or sellerId is another's"
	case "InvalidInput", "BadRequest", "INVALID_INPUT", "BAD_REQUEST":
		return "look at sellerId, marketplaceIds, region and the SKU's spelling"
	}
	if status == http.StatusUnauthorized || status == http.StatusForbidden {
		return "look at the application's state and its authorisation by the seller"
	}
	return ""
}

// outcome is what a request that failed makes of the levels it was for.
func outcome(ctx context.Context, reply outbound.Reply, err error) channel.Outcome {
	code := fault.CodeOf(err)
	o := channel.Outcome{Verdict: channel.Unsent, Code: string(code), Message: outbound.Excerpt([]byte(fault.Message(err)))}
	if f := (*failure)(nil); errors.As(err, &f) {
		o.Code = cmp.Or(f.code, o.Code)
	}
	switch {
	case ctx.Err() != nil && errors.Is(err, ctx.Err()):
		o.Code, o.Message = "", "canceled before Amazon answered"
	case reply.Status >= 300 && (code == fault.Refused || code == fault.CredentialsRefused):
		o.Verdict = channel.Refused
	}
	if reply.Taken || reply.Status/100 == 2 { // done perhaps, though the answer does not tell
		o.Verdict = channel.Unknown
	}
	return o
}

// stop tells whether the account as a whole can be used after a request that failed: nil if the others may do better. Without a usable
// answer to three in a row it counts as down.
func (s *Store) stop(reply outbound.Reply, err error) error {
	switch code := fault.CodeOf(err); {
	case code == fault.Refused && reply.Status >= 400: // about what was sent
		s.silent.Store(0)
		return nil
	case (code == fault.BadReply || code == fault.Unreachable) && (reply.Sent || reply.Status != 0): // and not that the login failed
		n := s.silent.Add(1)
		if n < inARow {
			return nil
		}
		return fault.Wrap(err, code, "no usable answer to %d requests in a row: %s", n, fault.Message(err))
	}
	return err
}

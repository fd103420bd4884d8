package shopify

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"reflect"
	"strings"
	"time"

	"stockbridge/internal/fault"
	"stockbridge/internal/outbound"
)

// request is one GraphQL operation.
type request struct {
	name      string  // of the operation; with size, what costs are remembered by
	size      int     // objects asked for
	document  string  // the operation
	variables any     // nil for none
	cost      float64 // points it is believed to cost at most, until Shopify has told
	into      any     // where data goes, a pointer
	// check tells what is wrong with the data, nil for nothing; its errors leave open whether the request was carried out.
	check func() error
	once  bool // make one attempt
}

// failure is a request that Shopify did not carry out, as far as is known: a fault, and what it means for what was sent.
type failure struct {
	fault *fault.Error
	code  string // Shopify's code, or HTTP_<status>; "": the fault's
	words string // Shopify's own, with what they mean; "": the fault's
	sent  bool   // the fault is with what was sent, and not with the shop: a part of it may do
	rows  []rowError
}

func (f *failure) Error() string { return f.fault.Error() }

// Unwrap returns the fault.
func (f *failure) Unwrap() error { return f.fault }

// throttled is a THROTTLED that told the state of the bucket: the budget knows how long to wait.
type throttled struct {
	failure
	wait time.Duration
}

// Unwrap returns the failure.
func (t *throttled) Unwrap() error { return &t.failure }

// ask makes a request until Shopify answers it, and reads its data. The reply is the last one, beside an error too; its
// Taken tells whether an attempt may have been carried out without our knowing.
//
// Errors are a *failure around CREDENTIALS_REFUSED (token, or a scope that is missing), THROTTLED (longer than our patience),
// REFUSED, UNREACHABLE or BAD_REPLY; those of outbound.Send; that of ctx.
func (s *Store) ask(ctx context.Context, r request) (reply outbound.Reply, err error) {
	body, err := json.Marshal(struct {
		Query     string `json:"query"`
		Variables any    `json:"variables,omitempty"`
	}{r.document, r.variables})
	if err != nil {
		return reply, fmt.Errorf("write %s: %w", r.name, err)
	}
	t := &turn{budget: s.budget, kind: fmt.Sprint(r.name, "/", r.size), guess: r.cost}
	taken, uncertain := false, false
	req := outbound.Request{
		Method: http.MethodPost, URL: s.url, Body: body, Untried: r.once,
		Header: http.Header{"Content-Type": {"application/json"}, "Accept": {"application/json"}},
		Judge: func(reply outbound.Reply) (err error) {
			uncertain, err = s.judge(reply, r, t)
			taken = taken || uncertain
			return err
		},
	}
	for waited := time.Duration(0); ; {
		reply, err = s.peer.Do(context.WithValue(ctx, turnKey{}, t), req)
		t.end(nil)
		taken = taken || reply.Taken
		var th *throttled
		if !errors.As(err, &th) || r.once {
			break
		}
		if waited += th.wait; waited > s.patience {
			break
		}
	}
	reply.Taken = taken
	if again := (*outbound.Again)(nil); errors.As(err, &again) {
		err = again.Err
	}
	return reply, err
}

// envelope is a reply of GraphQL. Errors are a list, or, from what stands before GraphQL, one text or a map of texts.
type envelope struct {
	Data       json.RawMessage `json:"data"`
	Errors     json.RawMessage `json:"errors"`
	Extensions struct {
		Cost *cost `json:"cost"`
	} `json:"extensions"`
}

type graphError struct {
	Message    string `json:"message"`
	Extensions struct {
		Code           string          `json:"code"`
		RequiredAccess string          `json:"requiredAccess"`
		Problems       json.RawMessage `json:"problems"` // of INVALID_VARIABLE: [{"path":["quantities",3,"quantity"],"explanation":"…"}]
	} `json:"extensions"`
}

// judge reads a reply. uncertain tells of an error that the request may have been carried out all the same.
func (s *Store) judge(reply outbound.Reply, r request, t *turn) (uncertain bool, err error) {
	var e envelope
	wrong := json.Unmarshal(reply.Body, &e)
	if wrong == nil {
		t.end(e.Extensions.Cost)
	}
	var list []graphError
	if wrong == nil && len(e.Errors) > 0 && json.Unmarshal(e.Errors, &list) != nil {
		var text string
		if json.Unmarshal(e.Errors, &text) != nil {
			text = string(e.Errors)
		}
		list = []graphError{{Message: text}}
	}
	for _, g := range list {
		if isThrottled(g) {
			return false, s.throttle(reply, g, e.Extensions.Cost, t)
		}
	}
	if reply.Status < 200 || reply.Status > 299 {
		return false, s.status(reply, list) // Peer.Do knows that 5xx are uncertain
	}
	bad := func(err error, what string) error {
		words := what + ": " + s.peer.Hide(string(reply.Body))
		return &failure{fault: fault.Wrap(err, fault.BadReply, "%s", words)}
	}
	switch {
	case wrong != nil:
		return true, bad(wrong, "the reply is not what GraphQL answers")
	case len(list) > 0:
		return s.graph(list)
	case len(e.Data) == 0 || bytes.Equal(e.Data, []byte("null")):
		return true, bad(nil, "the reply holds no data")
	}
	reflect.ValueOf(r.into).Elem().SetZero() // an attempt before may have filled it
	if err := json.Unmarshal(e.Data, r.into); err != nil {
		return true, bad(err, "the data cannot be read")
	}
	if r.check == nil {
		return false, nil
	}
	err = r.check()
	return err != nil, err
}

func isThrottled(g graphError) bool {
	return g.Extensions.Code == "THROTTLED" || g.Extensions.Code == "" && strings.EqualFold(g.Message, "Throttled")
}

// throttle is a request that found too few points.
func (s *Store) throttle(reply outbound.Reply, g graphError, c *cost, t *turn) error {
	f := failure{fault: fault.New(fault.Throttled, "Shopify has too few points left for the app: %s", s.peer.Hide(g.Message)), code: "THROTTLED"}
	if c.told() {
		needed := t.guess
		if c.Requested != nil {
			needed = *c.Requested
		}
		if short := needed - c.Throttle.Available; short > 0 {
			return &throttled{f, time.Duration(short / c.Throttle.Rate * float64(time.Second))}
		}
	}
	wait, _ := outbound.RetryAfter(reply.Header.Get("Retry-After"), s.peer.Clock().Time())
	return &outbound.Again{Err: &f, Throttled: true, After: wait}
}

// status is a reply that is not 2xx.
func (s *Store) status(reply outbound.Reply, list []graphError) error {
	words := reply.StatusText()
	if len(list) > 0 {
		words += ": " + s.peer.Hide(list[0].Message)
	} else if body := s.peer.Hide(string(reply.Body)); body != "" {
		words += ": " + body
	}
	f := &failure{code: fmt.Sprintf("HTTP_%d", reply.Status), words: words}
	switch reply.Status {
	case http.StatusUnauthorized, http.StatusForbidden:
		f.fault = fault.New(fault.CredentialsRefused, "Shopify refuses the access token of %s: %s", s.cfg.Shop, words)
		return f
	case http.StatusPaymentRequired:
		f.fault = fault.New(fault.Refused, "the shop %s is frozen until its bill with Shopify is paid: %s", s.cfg.Shop, words)
		return f
	case http.StatusLocked:
		f.fault = fault.New(fault.Refused, "the shop %s is locked; its owner must ask Shopify: %s", s.cfg.Shop, words)
		return f
	case http.StatusNotFound:
		f.fault = fault.New(fault.Refused, "there is no shop %s, or no API version %s: %s", s.cfg.Shop, s.cfg.APIVersion, words)
		return f
	case 430: // Shopify's own: a request that it takes for an attack
		f.fault = fault.New(fault.Refused, "Shopify's security turns the request away: %s", words)
		return f
	}
	err := reply.Check(s.peer.Clock().Time())
	f.fault = fault.New(fault.CodeOf(err), "%s", fault.Message(err)) // not around err, whose *Again would be taken for ours
	f.sent = reply.Status == http.StatusBadRequest || reply.Status == http.StatusRequestEntityTooLarge || reply.Status == http.StatusUnprocessableEntity
	if again := (*outbound.Again)(nil); errors.As(err, &again) {
		return &outbound.Again{Err: f, Throttled: again.Throttled, After: again.After}
	}
	return f
}

// graph is a 200 with errors in it.
func (s *Store) graph(list []graphError) (uncertain bool, err error) {
	g := list[0]
	for _, other := range list { // the one that says most
		if other.Extensions.Code == "ACCESS_DENIED" || other.Extensions.Code == "SHOP_INACTIVE" {
			g = other
		}
	}
	words := s.peer.Hide(g.Message)
	f := &failure{code: g.Extensions.Code, words: words}
	switch g.Extensions.Code {
	case "ACCESS_DENIED":
		scope := cmp.Or(s.peer.Hide(g.Extensions.RequiredAccess), words)
		f.fault = fault.New(fault.CredentialsRefused, "the access token lacks a scope: %s; the app needs %s: grant them and install the app again", scope, strings.Join(scopes, ", "))
		f.words = ""
		return false, f
	case "SHOP_INACTIVE":
		f.fault = fault.New(fault.Refused, "the shop %s is not active: %s", s.cfg.Shop, words)
		return false, f
	case "INTERNAL_SERVER_ERROR", "TIMEOUT":
		f.fault = fault.New(fault.Unreachable, "Shopify failed within: %s", words)
		return true, &outbound.Again{Err: f}
	case "INVALID_VARIABLE":
		f.rows = problems(g)
	}
	f.fault = fault.New(fault.Refused, "Shopify refuses the request: %s", words)
	f.sent = true
	return false, f
}

// problems are the rows that an INVALID_VARIABLE names.
func problems(g graphError) (rows []rowError) {
	var list []struct {
		Path        []any  `json:"path"`
		Explanation string `json:"explanation"`
	}
	if json.Unmarshal(g.Extensions.Problems, &list) != nil {
		return nil // told in the message
	}
	for _, p := range list {
		e := rowError{Code: g.Extensions.Code, Message: cmp.Or(p.Explanation, g.Message)}
		for _, part := range p.Path {
			e.Field = append(e.Field, fmt.Sprint(part))
		}
		if _, ok := e.row(maxRows); ok {
			rows = append(rows, e)
		}
	}
	return rows
}

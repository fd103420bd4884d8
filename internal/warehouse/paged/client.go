package paged

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"stockbridge/internal/fault"
	"stockbridge/internal/outbound"
	"stockbridge/internal/warehouse"
)

// patience is how long a warehouse that asks for time is borne with per page, in sum (spec section 6). A pull may take its
// time, unlike a push.
const patience = 15 * time.Minute

// Client asks one warehouse.
type Client struct {
	Name string // for words: "ShipBob"
	Peer *outbound.Peer
}

// NewClient makes a Client of what the server gives and what the adapter knows. It dials nobody.
func NewClient(name string, opts outbound.Options, cfg outbound.PeerConfig) Client {
	cfg.Name, cfg.Network, cfg.Retry, cfg.Log = cmp.Or(opts.Name, name), opts.Network, opts.Retry, opts.Log
	cfg.Retry.Budget = cmp.Or(opts.Retry.Budget, patience)
	return Client{Name: name, Peer: outbound.NewPeer(cfg)}
}

// untried marks the context of a request that is not tried again, so that the sign-in that it may need is not either.
type untried struct{}

// Ask makes a request and reads the JSON of its reply into a value. Without a Judge of its own the request is judged by Judge. An Untried
// request makes what its Credentials ask for Untried too, if they ask with a Client.
//
// Errors are CREDENTIALS_REFUSED, UNREACHABLE, ADDRESS_REFUSED, THROTTLED and BAD_REPLY, those of the peer's Credentials, and
// the context's.
func (c Client) Ask(ctx context.Context, r outbound.Request, into any) error {
	if r.Judge == nil {
		r.Judge = c.Judge
	}
	if r.Untried {
		ctx = context.WithValue(ctx, untried{}, true)
	}
	r.Untried = ctx.Value(untried{}) != nil
	reply, err := c.Peer.Do(ctx, r)
	if err != nil {
		return err
	}
	return c.Decode(reply, into)
}

// Judge is outbound.Reply.Check, but for what is no page and no matter of credentials or time: that is BAD_REPLY, since a
// warehouse cannot refuse to be read in any way that is worth telling apart.
func (c Client) Judge(reply outbound.Reply) error {
	err := reply.Check(c.Peer.Clock().Time())
	if refused, ok := errors.AsType[*fault.Error](err); ok && refused.Code == fault.Refused {
		return fault.Wrap(err, fault.BadReply, "%s", refused.Message)
	}
	return err
}

// Decode reads a reply that must be one JSON document and nothing else. Its error is BAD_REPLY.
func (c Client) Decode(reply outbound.Reply, into any) error {
	err := json.Unmarshal(reply.Body, into)
	if err == nil {
		return nil
	}
	words := fmt.Sprintf("the reply is not what was asked for (%v)", err)
	if syntax, ok := errors.AsType[*json.SyntaxError](err); ok {
		words = fmt.Sprintf("the reply is not JSON but %q (%v at byte %d)", reply.Header.Get("Content-Type"), err, syntax.Offset)
		if syntax.Offset >= int64(len(reply.Body)) {
			words = "the reply is cut short: it ends before its JSON does"
		}
	}
	if text := c.Peer.Hide(string(reply.Body[:min(len(reply.Body), 4<<10)])); text != "" && !strings.HasPrefix(text, "{") {
		words += ": " + text
	}
	return fault.Wrap(err, fault.BadReply, "%s: %s", c.Name, words)
}

// Bearer is a token that is not renewed, sent as Authorization: Bearer.
type Bearer string

// Sign implements outbound.Credentials.
func (b Bearer) Sign(_ context.Context, req *http.Request) error {
	req.Header.Set("Authorization", "Bearer "+string(b))
	return nil
}

// Refused implements outbound.Credentials.
func (Bearer) Refused(*http.Request) bool { return false }

// maxCursor bounds a cursor, which is remembered and travels back.
const maxCursor = 4 << 10

// Cursors remembers where a pull has been, so that pages in a circle end it.
type Cursors map[string]bool

// Take notes the cursor of the next page. Its error is BAD_REPLY.
func (c Cursors) Take(name, cursor string) error {
	switch {
	case len(cursor) > maxCursor:
		return fault.New(fault.BadReply, "%s: the place of the next page is longer than %d bytes", name, maxCursor)
	case c[cursor]:
		return fault.New(fault.BadReply, "%s gives the next page as %s twice: its pages go in a circle", name, warehouse.Excerpt(cursor))
	}
	c[cursor] = true
	return nil
}

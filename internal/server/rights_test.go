package server

import (
	"context"
	"errors"
	"io"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"stockbridge/ent/schema/enum"
	"stockbridge/internal/access"
)

// spec 5.2: a merchant taken from a token ends what it began, for all sockets and streams with it; one that is added does not, nor
// does a database that is away.
func TestLesserRightEndsWhatItBegan(t *testing.T) {
	t.Parallel()
	var now atomic.Pointer[access.Viewer] // nil: the database is away
	asked := make(chan int, 1000)
	before := &access.Viewer{Name: "ada", Role: access.Partner, MerchantIDs: []int64{1, 2}}
	now.Store(before)
	r := start(t, func(c *Config) {
		c.Authenticate = func(context.Context, string) (*access.Viewer, error) { return before, nil }
		c.Recheck = func(_ context.Context, grants []access.Grant) ([]*access.Viewer, error) {
			select {
			case asked <- len(grants):
			default:
			}
			if v := now.Load(); v != nil {
				return []*access.Viewer{v}, nil
			}
			return nil, errors.New("the database is away")
		}
	})
	r.pace.recheck = time.Millisecond
	one, two := r.ready(t), r.ready(t)
	live := r.listen(t, "subscription { ticks(n: 1) }")
	for _, v := range []*access.Viewer{before, nil, {Role: access.Partner, MerchantIDs: []int64{1, 2, 3}}} {
		now.Store(v)
		for range 3 {
			if n := <-asked; n != 1 {
				t.Fatalf("asked for %d tokens at once, want the one that all use", n)
			}
		}
	}
	for len(asked) > 0 {
		<-asked
	}
	one.send(`{"type":"ping"}`)
	one.expect(`{"type":"pong"}`)
	now.Store(&access.Viewer{Role: access.Partner, MerchantIDs: []int64{2, 3}})
	one.expectClose(4403)
	two.expectClose(4403)
	if text, err := io.ReadAll(live); err != nil || !strings.HasSuffix(string(text), `"code":"UNAUTHENTICATED"}}]}`+"\n\n") || strings.Contains(string(text), "complete") {
		t.Errorf("%q %v", text, err)
	}
}

// spec 5.2: a revoked token ends its sockets and streams, and those of others go on.
func TestRevokedTokenEndsItsOwnAlone(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"sqlite", "postgres"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			l := startLive(t, name, nil)
			l.pace.recheck = 10 * time.Millisecond
			gone, token := l.token(enum.Partner, "alpha")
			stays, _ := l.token(enum.Partner, "alpha")
			a, b := l.signedIn(t, gone), l.signedIn(t, stays)
			for _, c := range []*client{a, b} {
				c.send(subscribeWith("1", follow, map[string]any{"m": l.merchant("alpha")}))
			}
			body := quotedVars(follow, map[string]any{"m": l.merchant("alpha")})
			ends, on := l.stream(t, gone, body, ""), l.stream(t, stays, body, "")
			l.begun(1, 4)
			must(l.db.RevokeToken(t.Context(), token))
			a.expectClose(4403)
			ends.until("\n\n")
			if got := ends.rest(); got != string(forbidden) {
				t.Errorf("the stream ends with %q", got)
			}
			l.begun(1, 2)
			l.report("alpha", "A")
			on.until("\n\n")
			if got := on.until("\n\n"); !strings.Contains(got, `"sku":"A"`) {
				t.Errorf("the other stream goes on with %q", got)
			}
			if m := b.next(); m.Payload.Data["activity"]["sku"] != "A" {
				t.Errorf("got %+v", m)
			}
		})
	}
}

// One token has so many sockets at once, and a place is free again when one closes.
func TestSocketsOfOneTokenAreBounded(t *testing.T) {
	t.Parallel()
	r := start(t, func(c *Config) { c.MaxSockets = 2 })
	one := r.ready(t)
	r.ready(t)
	more := r.dial(t, nil)
	more.send(`{"type":"connection_init","payload":{"Authorization":"Bearer good"}}`)
	more.expectClose(1013)
	if err := one.Close(); err != nil {
		t.Fatal(err)
	}
	for { // until the server has noticed
		c := r.dial(t, nil)
		c.send(`{"type":"connection_init","payload":{"Authorization":"Bearer good"}}`)
		if _, text, err := c.ReadMessage(); err == nil && string(text) == `{"type":"connection_ack"}` {
			return
		}
	}
}

// A stream counts as a socket does, and is refused in words of HTTP.
func TestStreamsOfOneTokenAreBounded(t *testing.T) {
	t.Parallel()
	r := start(t, func(c *Config) { c.MaxSockets = 2 })
	const query = "subscription { ticks(n: 1) }"
	r.ready(t)
	one := r.listen(t, query)
	resp, body := r.do(t, "POST", "/graphql", quoted(query), signedIn, asJSON, events)
	if resp.StatusCode != 429 || codeOf(t, body) != "TOO_MANY" || resp.Header.Get("Retry-After") == "" {
		t.Errorf("%s %s %s", resp.Status, resp.Header, body)
	}
	more := r.dial(t, nil)
	more.send(`{"type":"connection_init","payload":{"Authorization":"Bearer good"}}`)
	more.expectClose(1013)
	if err := one.(io.Closer).Close(); err != nil {
		t.Fatal(err)
	}
	for { // until the server has noticed
		c := r.dial(t, nil)
		c.send(`{"type":"connection_init","payload":{"Authorization":"Bearer good"}}`)
		if _, text, err := c.ReadMessage(); err == nil && string(text) == `{"type":"connection_ack"}` {
			return
		}
	}
}

// A socket that asks for nothing is closed in the end, one with a subscription is not, and both are pinged.
func TestIdleSocketIsClosed(t *testing.T) {
	t.Parallel()
	r := start(t, nil)
	r.pace.beat, r.pace.idle = 200*time.Millisecond, 0
	busy := r.ready(t)
	busy.send(subscribe("1", "subscription { ticks(n: 1) }"))
	busy.expect(`{"id":"1","type":"next","payload":{"data":{"ticks":1}}}`)
	r.ready(t).expectClose(1000)
	busy.send(`{"type":"ping"}`)
	busy.expect(`{"type":"pong"}`)
}

package server

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/gorilla/websocket"

	"stockbridge/internal/access"
)

// client of graphql-transport-ws.
type client struct {
	*websocket.Conn
	t *testing.T
}

func (r *running) dial(t *testing.T, head http.Header) *client {
	t.Helper()
	d := websocket.Dialer{Subprotocols: []string{subprotocol}}
	conn, resp, err := d.DialContext(t.Context(), "ws"+strings.TrimPrefix(r.url, "http")+"/graphql", head)
	if err != nil {
		t.Fatal(err, resp)
	}
	t.Cleanup(func() { _ = conn.Close() })
	if err := conn.SetReadDeadline(time.Now().Add(time.Minute)); err != nil {
		t.Fatal(err)
	}
	return &client{conn, t}
}

// ready is a client that is signed in.
func (r *running) ready(t *testing.T) *client {
	t.Helper()
	c := r.dial(t, nil)
	c.send(`{"type":"connection_init","payload":{"Authorization":"Bearer good"}}`)
	c.expect(`{"type":"connection_ack"}`)
	return c
}

func (c *client) send(text string) {
	c.t.Helper()
	if err := c.WriteMessage(websocket.TextMessage, []byte(text)); err != nil {
		c.t.Fatal(err)
	}
}

func (c *client) expect(want string) {
	c.t.Helper()
	_, got, err := c.ReadMessage()
	if err != nil || string(got) != want {
		c.t.Fatalf("%s (%v), want %s", got, err, want)
	}
}

func (c *client) expectClose(code int) {
	c.t.Helper()
	for {
		_, text, err := c.ReadMessage()
		var closed *websocket.CloseError
		if err == nil {
			if !strings.Contains(string(text), `"next"`) {
				c.t.Fatalf("%s, want close %d", text, code)
			}
			continue
		}
		if !errors.As(err, &closed) || closed.Code != code {
			c.t.Fatalf("%v, want close %d", err, code)
		}
		return
	}
}

func subscribe(id, query string) string {
	return fmt.Sprintf(`{"id":%q,"type":"subscribe","payload":%s}`, id, quoted(query))
}

// spec 5.3, 5.4: signing in by connection_init, operations of every kind on one socket.
func TestSocketRunsOperations(t *testing.T) {
	t.Parallel()
	r := start(t, nil)
	c := r.ready(t)
	c.send(subscribe("1", "{ who }"))
	c.expect(`{"id":"1","type":"next","payload":{"data":{"who":"ada"}}}`)
	c.expect(`{"id":"1","type":"complete"}`)

	c.send(subscribe("1", "mutation { touch }")) // an id is free again once it is done
	c.expect(`{"id":"1","type":"next","payload":{"data":{"touch":"ada"}}}`)
	c.expect(`{"id":"1","type":"complete"}`)

	c.send(subscribe("2", "subscription { ticks(n: 2) }"))
	c.expect(`{"id":"2","type":"next","payload":{"data":{"ticks":1}}}`)
	c.expect(`{"id":"2","type":"next","payload":{"data":{"ticks":2}}}`)
	c.send(`{"type":"ping","payload":{"n":1}}`)
	c.expect(`{"type":"pong","payload":{"n":1}}`)
	c.send(`{"type":"pong"}`)
	c.send(`{"id":"2","type":"complete"}`)
	c.send(`{"id":"9","type":"complete"}`) // of nothing: it may have crossed ours
	c.send(subscribe("2", "subscription { ticks(n: -1) }"))
	c.expect(`{"id":"2","type":"complete"}`)

	c.send(subscribe("4", ""))
	if _, text, err := c.ReadMessage(); err != nil || !strings.HasPrefix(string(text), `{"id":"4","type":"error","payload":[`) {
		t.Fatalf("an empty document: %s %v", text, err)
	}
	c.send(subscribe("3", "{ whom }"))
	_, text, err := c.ReadMessage()
	if err != nil {
		t.Fatal(err)
	}
	var m struct {
		ID, Type string
		Payload  json.RawMessage
	}
	if err := json.Unmarshal(text, &m); err != nil || m.ID != "3" || m.Type != "error" || codeOf(t, `{"errors":`+string(m.Payload)+`}`) != "GRAPHQL_VALIDATION_FAILED" {
		t.Errorf("%s %v", text, err)
	}
	c.send(subscribe("3", "subscription { broken }"))
	if _, text, err = c.ReadMessage(); err != nil || !strings.Contains(string(text), `"error"`) {
		t.Errorf("%s %v", text, err)
	}
	c.send(subscribe("4", "{ broken }"))
	c.expect(`{"id":"4","type":"next","payload":{"errors":[{"message":"internal error; the server's log says more","extensions":{"code":"INTERNAL"}}]}}`)
	c.expect(`{"id":"4","type":"complete"}`)
}

// A token in the upgrade's header serves clients that can set one; an empty payload of connection_init is fine then.
func TestSocketTakesTokenOfUpgrade(t *testing.T) {
	t.Parallel()
	r := start(t, nil)
	c := r.dial(t, http.Header{"Authorization": {"Bearer good"}})
	c.send(`{"type":"connection_init","payload":null}`)
	c.expect(`{"type":"connection_ack"}`)
	c.send(subscribe("1", "{ who }"))
	c.expect(`{"id":"1","type":"next","payload":{"data":{"who":"ada"}}}`)
}

// A payload that has a token under several names means the documented one.
func TestSocketTakesTokenOfDocumentedName(t *testing.T) {
	t.Parallel()
	r := start(t, nil)
	for range 20 { // objects have no order
		c := r.dial(t, nil)
		c.send(`{"type":"connection_init","payload":{"authorization":"Bearer bad","Authorization":"Bearer good","AUTHORIZATION":"Bearer bad"}}`)
		c.expect(`{"type":"connection_ack"}`)
	}
}

// A token that cannot be looked up in time ends the socket; that time bounds nothing of what is asked afterwards.
func TestSocketSignInIsBounded(t *testing.T) {
	t.Parallel()
	looked := make(chan context.Context, 1)
	r := start(t, func(c *Config) {
		c.Authenticate = func(ctx context.Context, _ string) (*access.Viewer, error) {
			looked <- ctx
			if _, bounded := ctx.Deadline(); !bounded {
				return nil, errors.New("this may take for ever")
			}
			return &access.Viewer{Name: "ada"}, nil
		}
	})
	c := r.ready(t)
	<-(<-looked).Done() // the look-up is over
	c.send(subscribe("1", "subscription { ticks(n: 1) }"))
	c.expect(`{"id":"1","type":"next","payload":{"data":{"ticks":1}}}`)
}

// The close codes are those of the protocol.
func TestSocketCloseCodes(t *testing.T) {
	t.Parallel()
	r := start(t, func(c *Config) { c.MaxBody = 4 << 10 })
	const init = `{"type":"connection_init","payload":{"Authorization":"Bearer good"}}`
	for name, tc := range map[string]struct {
		send []string // after which nothing but next and the close comes
		code int
	}{
		"not signed in":      {[]string{`{"type":"connection_init"}`}, 4403},
		"bad token":          {[]string{`{"type":"connection_init","payload":{"Authorization":"Bearer bad"}}`}, 4403},
		"bad scheme":         {[]string{`{"type":"connection_init","payload":{"authorization":"good"}}`}, 4403},
		"token is no text":   {[]string{`{"type":"connection_init","payload":{"Authorization":7}}`}, 4403},
		"two tokens":         {[]string{`{"type":"connection_init","payload":{"AUTHORIZATION":"Bearer good","authorization":"Bearer good"}}`}, 4403},
		"database away":      {[]string{`{"type":"connection_init","payload":{"Authorization":"Bearer unlucky"}}`}, 1013},
		"payload no object":  {[]string{`{"type":"connection_init","payload":"x"}`}, 4400},
		"too early":          {[]string{subscribe("1", "{ who }")}, 4401},
		"twice":              {[]string{init, init}, 4429},
		"not JSON":           {[]string{init, "hello"}, 4400},
		"not UTF-8":          {[]string{init, "{\"type\":\"ping\",\"payload\":{\"x\":\"\xff\"}}"}, 1007},
		"ping with a text":   {[]string{init, `{"type":"ping","payload":"x"}`}, 4400},
		"pong with a list":   {[]string{init, `{"type":"pong","payload":[1]}`}, 4400},
		"unknown type":       {[]string{init, `{"type":"start"}`}, 4400},
		"no type":            {[]string{init, `{}`}, 4400},
		"no id":              {[]string{init, `{"type":"subscribe","payload":{"query":"{who}"}}`}, 4400},
		"id is a number":     {[]string{init, `{"id":1,"type":"subscribe","payload":{"query":"{who}"}}`}, 4400},
		"no payload":         {[]string{init, `{"id":"1","type":"subscribe"}`}, 4400},
		"no query":           {[]string{init, `{"id":"1","type":"subscribe","payload":{}}`}, 4400},
		"id in use":          {[]string{init, subscribe("1", "subscription { ticks(n: 1) }"), subscribe("1", "{ who }")}, 4409},
		"id in use, long id": {[]string{init, subscribe(strings.Repeat("ü", 99), "subscription { ticks(n: 1) }"), subscribe(strings.Repeat("ü", 99), "{ who }")}, 4409},
		"too large":          {[]string{init, strings.Repeat(" ", 5<<10)}, 1009},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := r.dial(t, nil)
			for i, text := range tc.send {
				if i == 1 {
					c.expect(`{"type":"connection_ack"}`)
				}
				c.send(text)
			}
			c.expectClose(tc.code)
		})
	}
}

// A socket that says nothing does not stay.
func TestSocketInitTimeout(t *testing.T) {
	t.Parallel()
	r := start(t, nil)
	r.pace.init = time.Millisecond
	r.dial(t, nil).expectClose(4408)
}

// A refused upgrade is a plain HTTP answer.
func TestSocketUpgradeRefused(t *testing.T) {
	t.Parallel()
	r := start(t, nil)
	for name, tc := range map[string]struct {
		head   http.Header
		status int
	}{
		"bad token":      {http.Header{"Authorization": {"Bearer bad"}}, 401},
		"foreign origin": {http.Header{"Origin": {"https://evil.example"}}, 403},
	} {
		d := websocket.Dialer{Subprotocols: []string{subprotocol}}
		_, resp, err := d.DialContext(t.Context(), "ws"+strings.TrimPrefix(r.url, "http")+"/graphql", tc.head)
		if err == nil || resp == nil || resp.StatusCode != tc.status {
			t.Errorf("%s: %v %v", name, resp, err)
		}
	}
	old := must(http.NewRequestWithContext(t.Context(), http.MethodGet, r.url+"/graphql", nil))
	old.Header = http.Header{"Connection": {"Upgrade"}, "Upgrade": {"websocket"}, "Sec-Websocket-Version": {"8"}, "Sec-Websocket-Key": {"dGhlIHNhbXBsZSBub25jZQ=="}}
	resp := must(http.DefaultClient.Do(old))
	defer resp.Body.Close() //nolint:errcheck // what it says does not matter
	if resp.StatusCode != 400 || resp.Header.Get("Sec-WebSocket-Version") != "13" {
		t.Errorf("an old version: %v", resp)
	}
	d := websocket.Dialer{Subprotocols: []string{"graphql-ws"}}
	conn, _, err := d.DialContext(t.Context(), "ws"+strings.TrimPrefix(r.url, "http")+"/graphql", nil)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close() //nolint:errcheck // closed by the server
	(&client{conn, t}).expectClose(4406)
}

// One socket runs so many operations at once and no more.
func TestSocketOperationsAreBounded(t *testing.T) {
	t.Parallel()
	r := start(t, nil)
	c := r.ready(t)
	for i := range maxOperations {
		c.send(subscribe(fmt.Sprint(i), "subscription { ticks(n: 0) }"))
	}
	c.send(subscribe("more", "{ who }"))
	_, text, err := c.ReadMessage()
	if err != nil || !strings.Contains(string(text), "TOO_MANY") {
		t.Errorf("%s %v", text, err)
	}
}

// A server that stops says so: clients connect again, to another replica or the next process.
func TestShutdownClosesSockets(t *testing.T) {
	t.Parallel()
	r := start(t, nil)
	c := r.ready(t)
	c.send(subscribe("1", "subscription { ticks(n: 1) }"))
	c.expect(`{"id":"1","type":"next","payload":{"data":{"ticks":1}}}`)
	done := make(chan error, 1)
	go func() { done <- r.Shutdown(t.Context()) }()
	c.expectClose(websocket.CloseGoingAway)
	if err := <-done; err != nil {
		t.Error(err)
	}
}

// A client that does not read holds up neither others nor the stop.
func TestShutdownWithClientThatDoesNotRead(t *testing.T) {
	t.Parallel()
	r := start(t, nil)
	stuck := r.ready(t)
	stuck.send(subscribe("1", "subscription { ticks(n: 100000000) }"))
	c := r.ready(t)
	c.send(subscribe("1", "{ who }"))
	c.expect(`{"id":"1","type":"next","payload":{"data":{"who":"ada"}}}`)
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	begun := time.Now()
	if err := r.Shutdown(ctx); !errors.Is(err, context.DeadlineExceeded) || time.Since(begun) > time.Second {
		t.Errorf("after %v: %v", time.Since(begun), err)
	}
}

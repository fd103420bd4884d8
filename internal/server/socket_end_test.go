package server

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/99designs/gqlgen/graphql"
	"github.com/gorilla/websocket"
	"github.com/vektah/gqlparser/v2/ast"
)

// held is a toy whose operations wait for the test: touch until it is let go, and each document before it is checked.
type held struct {
	toy
	check   atomic.Pointer[func()] // called before a document is checked; nil is nothing
	touched chan struct{}          // closed when touch runs
	goOn    chan struct{}          // touch ends when it is closed
	drains  chan struct{}          // closed when a socket is drained
	large   []byte                 // what who is answered with; nil is what the toy says
}

func hold() *held {
	return &held{toy: newToy(), touched: make(chan struct{}), goOn: make(chan struct{}), drains: make(chan struct{})}
}

func (h *held) Schema() *ast.Schema {
	if check := h.check.Load(); check != nil {
		(*check)()
	}
	return h.toy.Schema()
}

func (h *held) Exec(ctx context.Context) graphql.ResponseHandler {
	switch graphql.GetOperationContext(ctx).Operation.SelectionSet[0].(*ast.Field).Name {
	case "touch":
		close(h.touched)
		select {
		case <-h.goOn:
		case <-ctx.Done():
			return graphql.OneShot(graphql.ErrorResponse(ctx, "%v", ctx.Err()))
		}
	case "who":
		if h.large != nil {
			return graphql.OneShot(&graphql.Response{Data: h.large})
		}
	}
	return h.toy.Exec(ctx)
}

// Enabled, Handle, WithAttrs and WithGroup implement slog.Handler.
func (h *held) Enabled(context.Context, slog.Level) bool { return true }
func (h *held) WithAttrs([]slog.Attr) slog.Handler       { return h }
func (h *held) WithGroup(string) slog.Handler            { return h }
func (h *held) Handle(_ context.Context, r slog.Record) error {
	if r.Message == "socket drains" {
		close(h.drains)
	}
	return nil
}

// A server that stops ends subscriptions and lets a mutation finish: what it did is told, and then the socket is closed.
func TestShutdownLetsMutationOfSocketFinish(t *testing.T) {
	t.Parallel()
	h := hold()
	r := start(t, func(c *Config) { c.Schema, c.Log = h, slog.New(h) })
	c := r.ready(t)
	c.send(subscribe("1", "subscription { ticks(n: 1) }"))
	c.expect(`{"id":"1","type":"next","payload":{"data":{"ticks":1}}}`)
	c.send(subscribe("2", "mutation { touch }"))
	<-h.touched
	done := make(chan error, 1)
	go func() { done <- r.Shutdown(context.Background()) }()
	<-h.drains // what the stop ends, it has
	close(h.goOn)
	c.expect(`{"id":"2","type":"next","payload":{"data":{"touch":"ada"}}}`)
	c.expect(`{"id":"2","type":"complete"}`)
	c.expectClose(websocket.CloseGoingAway)
	if err := <-done; err != nil {
		t.Error(err)
	}
}

// Who sends too much, or what is no WebSocket frame, is told so, and not cut off in the middle of it.
func TestWrongFrameIsAnswered(t *testing.T) {
	t.Parallel()
	r := start(t, nil)
	much := strings.Repeat(" ", 4<<20)
	for name, tc := range map[string]struct {
		send func(*client) error
		code int
	}{
		"too large":  {func(c *client) error { return c.WriteMessage(websocket.TextMessage, []byte(much)) }, websocket.CloseMessageTooBig},
		"not masked": {func(c *client) error { _, err := io.WriteString(c.NetConn(), "\x81\x01"+much); return err }, websocket.CloseProtocolError},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := r.ready(t)
			c.send(subscribe("1", "subscription { ticks(n: 0) }"))
			if err := tc.send(c); err != nil {
				t.Fatal(err)
			}
			c.expectClose(tc.code)
			if rest, err := io.ReadAll(c.NetConn()); err != nil || len(rest) > 0 { // and then the server sends no more
				t.Errorf("after the close: %q %v", rest, err)
			}
		})
	}
}

// A client that went away without reading what it asked for holds nothing up, whatever waits for a place in its queue.
func TestDeadSocketIsLetGo(t *testing.T) {
	t.Parallel()
	h := hold()
	h.large = fmt.Appendf(nil, `{"who":%q}`, strings.Repeat("x", 32<<20)) // more than the system takes for a client that does not read
	r := start(t, func(c *Config) { c.Schema = h })
	c := r.ready(t)
	c.send(subscribe("1", "{ who }"))
	conn := c.NetConn().(*net.TCPConn)
	if _, err := io.ReadFull(conn, make([]byte, 100)); err != nil { // it is on its way
		t.Fatal(err)
	}
	checked := make(chan struct{}, 8*maxQueued)
	h.check.Store(new(func() { checked <- struct{}{} }))
	for i := range 2 * maxQueued {
		c.send(subscribe(fmt.Sprint("bad ", i), "{ whom }"))
		<-checked // few at once, so that none is one too many
	}
	if err := conn.CloseWrite(); err != nil {
		t.Fatal(err)
	}
	for len(r.live.list()) > 0 { // until the server has noticed
		select {
		case <-time.After(time.Millisecond):
		case <-t.Context().Done():
			return
		}
	}
	ctx, cancel := context.WithTimeout(t.Context(), writeWait/2)
	defer cancel()
	if err := r.Shutdown(ctx); err != nil {
		t.Error(err)
	}
}

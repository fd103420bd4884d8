package server

import (
	"context"
	"fmt"
	"io"
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
	ended   chan struct{}          // has one for each subscription that was ended
	large   []byte                 // what who is answered with; nil is what the toy says
}

func hold() *held {
	return &held{toy: newToy(), touched: make(chan struct{}), goOn: make(chan struct{}), ended: make(chan struct{}, maxOperations)}
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
	case "ticks":
		context.AfterFunc(ctx, func() { h.ended <- struct{}{} })
	}
	return h.toy.Exec(ctx)
}

// A server that stops ends subscriptions and lets a mutation finish: what it did is told, and then the socket is closed.
func TestShutdownLetsMutationOfSocketFinish(t *testing.T) {
	t.Parallel()
	h := hold()
	r := start(t, func(c *Config) { c.Schema = h })
	c := r.ready(t)
	c.send(subscribe("1", "subscription { ticks(n: 1) }"))
	c.expect(`{"id":"1","type":"next","payload":{"data":{"ticks":1}}}`)
	c.send(subscribe("2", "mutation { touch }"))
	<-h.touched
	done := make(chan error, 1)
	go func() { done <- r.Shutdown(context.Background()) }()
	<-h.ended // what the stop ends, it has
	close(h.goOn)
	c.expect(`{"id":"2","type":"next","payload":{"data":{"touch":"ada"}}}`)
	c.expect(`{"id":"2","type":"complete"}`)
	c.expectClose(websocket.CloseGoingAway)
	if err := <-done; err != nil {
		t.Error(err)
	}
}

// A subscription that is still being checked when the server stops holds nothing up.
func TestShutdownEndsSubscriptionThatIsBeingChecked(t *testing.T) {
	t.Parallel()
	h := hold()
	r := start(t, func(c *Config) { c.Schema = h })
	c := r.ready(t)
	c.send(subscribe("0", "subscription { ticks(n: 1) }"))
	c.expect(`{"id":"0","type":"next","payload":{"data":{"ticks":1}}}`)
	c.send(subscribe("1", "mutation { touch }"))
	<-h.touched
	checking, goOn := make(chan struct{}), make(chan struct{})
	h.check.Store(new(func() { close(checking); <-goOn }))
	c.send(subscribe("2", "subscription { ticks(n: 0) }"))
	<-checking
	h.check.Store(nil)
	done := make(chan error, 1)
	go func() { done <- r.Shutdown(context.Background()) }()
	<-h.ended // of the first: the stop has come to this socket
	close(goOn)
	<-h.ended
	close(h.goOn)
	c.expect(`{"id":"1","type":"next","payload":{"data":{"touch":"ada"}}}`)
	c.expect(`{"id":"1","type":"complete"}`)
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

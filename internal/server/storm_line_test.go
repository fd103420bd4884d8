package server

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"time"

	"github.com/gorilla/websocket"
)

// smallBuffer is what the operating system keeps for one connection in one direction, about, in bytes: with more, a client
// could stand still for long before the server notices.
const smallBuffer = 64 << 10

// narrow is a listener whose connections keep little.
type narrow struct{ net.Listener }

func (l narrow) Accept() (net.Conn, error) {
	conn, err := l.Listener.Accept()
	if c, ok := conn.(*net.TCPConn); ok && err == nil {
		err = c.SetWriteBuffer(smallBuffer)
	}
	return conn, err
}

// line is one connection to a server, with one subscription under way.
type line struct {
	on     *live
	conn   *net.TCPConn
	number int             // of the subscription on its socket
	ws     *websocket.Conn // nil: server-sent events
	body   io.Closer
	events *bufio.Reader
}

// news is what a server tells.
type news struct {
	ID, Cursor string // of the activity, or the level's id
	Figure     int64  // of the level
	extension  string // the cursor beside
	bare       string // a cursor that comes without anything else: where to go on
	over       bool   // the server stops
}

// dialNarrow is a connection of a client that keeps little.
func (l *live) dialNarrow(ctx context.Context) (*net.TCPConn, error) {
	conn, err := (&net.Dialer{}).DialContext(ctx, "tcp", strings.TrimPrefix(l.url, "http://"))
	if err != nil {
		return nil, err
	}
	c, ok := conn.(*net.TCPConn)
	if !ok {
		return nil, fmt.Errorf("%T is no TCP", conn)
	}
	return c, c.SetReadBuffer(smallBuffer)
}

// openSocket signs in by WebSocket.
func (l *live) openSocket(ctx context.Context, secret string) (*line, error) {
	conn, err := l.dialNarrow(ctx)
	if err != nil {
		return nil, err
	}
	d := websocket.Dialer{Subprotocols: []string{subprotocol}, NetDialContext: func(context.Context, string, string) (net.Conn, error) { return conn, nil }}
	ws, resp, err := d.DialContext(ctx, "ws"+strings.TrimPrefix(l.url, "http")+"/graphql", http.Header{"Authorization": {"Bearer " + secret}}) //nolint:bodyclose // gorilla has read it
	if err != nil {
		return nil, errors.Join(fmt.Errorf("upgrade: %w (%v)", err, resp), conn.Close())
	}
	n := &line{on: l, conn: conn, ws: ws}
	if err := ws.WriteMessage(websocket.TextMessage, []byte(`{"type":"connection_init"}`)); err != nil {
		return nil, errors.Join(err, conn.Close())
	}
	if _, text, err := ws.ReadMessage(); err != nil || string(text) != `{"type":"connection_ack"}` {
		return nil, errors.Join(fmt.Errorf("instead of connection_ack: %q %w", text, err), conn.Close())
	}
	return n, nil
}

// subscribe asks on a socket, and ends what it asked before.
func (n *line) subscribe(query string, variables map[string]any) error {
	var err error
	if n.number > 0 {
		err = n.ws.WriteMessage(websocket.TextMessage, fmt.Appendf(nil, `{"id":"%d","type":"complete"}`, n.number))
	}
	n.number++
	return errors.Join(err, n.ws.WriteMessage(websocket.TextMessage, []byte(subscribeWith(fmt.Sprint(n.number), query, variables))))
}

// openEvents subscribes by server-sent events.
func (l *live) openEvents(ctx context.Context, secret, query string, variables map[string]any, last string) (*line, error) {
	n := &line{on: l}
	transport := &http.Transport{DisableKeepAlives: true, DisableCompression: true, DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		var err error
		n.conn, err = l.dialNarrow(ctx)
		return n.conn, err
	}}
	req, err := http.NewRequestWithContext(ctx, "POST", l.url+"/graphql", strings.NewReader(quotedVars(query, variables)))
	if err != nil {
		return nil, err
	}
	req.Header = http.Header{"Authorization": {"Bearer " + secret}, "Content-Type": {"application/json"}, "Accept": {"text/event-stream"}}
	if last != "" {
		req.Header.Set(lastEventID, last)
	}
	resp, err := transport.RoundTrip(req)
	if err != nil {
		return nil, err
	}
	n.body, n.events = resp.Body, bufio.NewReader(resp.Body)
	if resp.StatusCode != http.StatusOK {
		return nil, errors.Join(fmt.Errorf("status %s", resp.Status), n.body.Close())
	}
	return n, nil
}

// next waits for what comes next. The minute is not for speed, but for a test that would hang.
func (n *line) next() (news, error) {
	_ = n.conn.SetReadDeadline(time.Now().Add(time.Minute)) // of a connection that has ended, the rest is to be read yet
	if n.ws == nil {
		return n.nextEvent()
	}
	for {
		_, text, err := n.ws.ReadMessage()
		if websocket.IsCloseError(err, websocket.CloseGoingAway) {
			return news{over: true}, nil
		}
		if err != nil {
			return news{}, fmt.Errorf("socket: %w", err)
		}
		var m struct {
			ID, Type string
			Payload  json.RawMessage
		}
		if err := json.Unmarshal(text, &m); err != nil {
			return news{}, fmt.Errorf("%s: %w", text, err)
		}
		id := fmt.Sprint(n.number)
		switch {
		case m.Type == "next" && m.ID == id:
			return read(m.Payload)
		case m.Type == "ping":
			var goodbye struct{ Cursors map[string]string }
			if err := json.Unmarshal(m.Payload, &goodbye); err != nil {
				return news{}, fmt.Errorf("%s: %w", text, err)
			}
			if cursor := goodbye.Cursors[id]; cursor != "" {
				return news{bare: cursor}, nil
			}
		case m.Type == "next" || m.Type == "complete" && m.ID != id: // of what was asked before, on its way when that was ended
		default:
			return news{}, fmt.Errorf("socket: %s", text)
		}
	}
}

func (n *line) nextEvent() (news, error) {
	id, kind, data := "", "", []byte(nil)
	for {
		text, err := n.events.ReadBytes('\n')
		if errors.Is(err, io.EOF) && len(text) == 0 { // ended in order: the server stops
			return news{over: true}, nil
		}
		if err != nil {
			return news{}, fmt.Errorf("stream: %w", err)
		}
		if text[0] == ':' {
			continue
		}
		field, value, _ := bytes.Cut(bytes.TrimSuffix(text, []byte("\n")), []byte(": "))
		switch string(field) {
		case "id":
			id = string(value)
		case "event":
			kind = string(value)
		case "data":
			data = value
		case "": // the end of an event
			if kind == "" {
				return news{bare: id}, nil
			}
			if kind != "next" {
				return news{}, fmt.Errorf("stream: event %q, %s", kind, data)
			}
			told, err := read(data)
			if err == nil && id != told.extension {
				err = fmt.Errorf("the event has id %q, and the cursor %q in it", id, told.extension)
			}
			return told, err
		default:
			return news{}, fmt.Errorf("stream: %q", text)
		}
	}
}

// read reads one response.
func read(response []byte) (news, error) {
	var r struct {
		Data       map[string]news
		Errors     json.RawMessage
		Extensions struct{ Cursor string }
	}
	if err := json.Unmarshal(response, &r); err != nil {
		return news{}, fmt.Errorf("%s: %w", response, err)
	}
	if r.Errors != nil || len(r.Data) != 1 {
		return news{}, fmt.Errorf("the response %s", response)
	}
	for _, told := range r.Data {
		told.extension = r.Extensions.Cursor
		if told.Cursor != told.extension {
			return news{}, fmt.Errorf("the activity's cursor is %q, and the one beside %q", told.Cursor, told.extension)
		}
		return told, nil
	}
	panic("there is one")
}

// begun waits until the subscription of a socket is in its group; false when the server stopped, or ctx ended, before.
func (n *line) begun(ctx context.Context) bool {
	for !n.grouped() {
		if n.on.streams.Err() != nil {
			return false
		}
		select {
		case <-time.After(time.Millisecond):
		case <-ctx.Done():
			return false
		}
	}
	return true
}

// grouped tells whether it is now. A stream of events has begun when it is answered.
func (n *line) grouped() bool {
	if n.ws == nil {
		return true
	}
	n.on.groups.mu.Lock()
	defer n.on.groups.mu.Unlock()
	for _, g := range n.on.groups.byKey {
		g.mu.Lock()
		for m := range g.members {
			if op, ok := m.outlet.(*operation); ok && op.id == fmt.Sprint(n.number) && op.c.conn.RemoteAddr().String() == n.conn.LocalAddr().String() {
				joined := g.joinable
				g.mu.Unlock()
				return joined
			}
		}
		g.mu.Unlock()
	}
	return false
}

// hangUp breaks the connection off; hard, so that the server hears of it by a reset.
func (n *line) hangUp(hard bool) {
	if hard {
		_ = n.conn.SetLinger(0) // no matter: it is closed either way
	}
	_ = n.conn.Close() // what was to come is not wanted
	if n.body != nil {
		_ = n.body.Close() // ends the transport's own reading
	}
}

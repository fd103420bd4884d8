package server

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"maps"
	"net"
	"slices"
	"strings"
	"sync"
	"time"
	"unicode/utf8"

	"github.com/gorilla/websocket"

	"stockbridge/internal/access"
	"stockbridge/internal/fault"
)

// Close codes of graphql-transport-ws (PROTOCOL.md of graphql-ws).
const (
	closeInvalid     = 4400
	closeEarly       = 4401 // subscribe before connection_ack
	closeForbidden   = 4403 // the token does not stand, or no longer
	closeSubprotocol = 4406
	closeInitTimeout = 4408
	closeTaken       = 4409 // an id that is in use
	closeInitTwice   = 4429
)

const (
	subprotocol   = "graphql-transport-ws"
	maxOperations = 100             // under way on one socket
	readBuffer    = 512             // bytes; messages of clients are short
	closeWait     = 2 * time.Second // for the client's answer to our close
)

// socket is one WebSocket. One goroutine reads; those of queries, mutations and subscriptions that are not (yet) in a group
// run beside. All have ended when serve returns.
type socket struct {
	*Server
	conn   *websocket.Conn // reads, and writes through wire
	wire   *wire
	ctx    context.Context // from connection_init on it carries the viewer
	cancel context.CancelFunc
	secret string
	acked  bool   // of the reading goroutine, as are ctx and secret until then
	leave  func() // no longer looked after
	begun  time.Time
	work   sync.WaitGroup // Add only under mu, while !over

	mu      sync.Mutex // guards the rest
	closing bool
	over    bool // nothing new is begun
	running map[string]*operation
	heard   time.Time // when it last had an operation under way
}

// message of graphql-transport-ws.
type message struct {
	ID      string          `json:"id,omitempty"`
	Type    string          `json:"type"`
	Payload json.RawMessage `json:"payload,omitempty"`
}

// hasObject tells whether the payload is an object, null or left out.
func (m message) hasObject() bool {
	var object map[string]json.RawMessage
	return len(m.Payload) == 0 || json.Unmarshal(m.Payload, &object) == nil
}

func (c *socket) serve() {
	defer func() {
		c.leave()
		c.stop() // also who is writing just now, and with it the answer to the client's close
		_ = c.wire.Close()
		c.wire.writing.Wait()
		c.Log.LogAttrs(c.ctx, slog.LevelDebug, "socket closed", slog.String("viewer", requestOf(c.ctx).viewer), slog.Duration("took", time.Since(c.begun)))
	}()
	c.conn.SetReadLimit(c.MaxBody)
	c.conn.SetPongHandler(func(string) error { c.extend(); return nil })
	c.conn.SetPingHandler(func(data string) error {
		return c.wire.put(c.sockets, frame{opcode: websocket.PongMessage, head: []byte(data)})
	})
	c.extend()
	defer context.AfterFunc(c.streams, c.drain)()
	defer context.AfterFunc(c.sockets, func() { _ = c.wire.Close() })() // the client had its time
	if c.conn.Subprotocol() != subprotocol {
		c.close(closeSubprotocol, "Subprotocol not acceptable: speak "+subprotocol)
	}
	timer := time.AfterFunc(c.pace.init, func() { c.close(closeInitTimeout, "Connection initialisation timeout") })
	defer timer.Stop()
	for {
		kind, data, err := c.conn.ReadMessage()
		if err != nil {
			c.discard(err)
			return
		}
		if c.extend(); c.isClosing() {
			continue // until the client answers the close, or its time is up
		}
		if kind == websocket.TextMessage && !utf8.Valid(data) { // RFC 6455, 8.1
			c.close(websocket.CloseInvalidFramePayloadData, "Invalid message: not UTF-8")
			continue
		}
		var m message
		if kind != websocket.TextMessage || json.Unmarshal(data, &m) != nil {
			c.close(closeInvalid, "Invalid message: not a JSON object with a type")
			continue
		}
		if beats := m.Type == "ping" || m.Type == "pong"; beats && !m.hasObject() {
			c.close(closeInvalid, "Invalid message: the payload of "+m.Type+" is not an object")
			continue
		}
		switch m.Type {
		case "connection_init":
			timer.Stop() // looking the token up has its own
			c.init(m)
		case "ping":
			c.send(message{Type: "pong", Payload: m.Payload})
		case "pong":
		case "subscribe":
			c.subscribe(m)
		case "complete":
			if m.ID == "" {
				c.close(closeInvalid, "Invalid message: complete has no id")
				continue
			}
			c.finish(m.ID, nil)
		default:
			c.close(closeInvalid, "Invalid message: unknown type")
		}
	}
}

// init signs in with the token of the payload, else of the upgrade's header.
func (c *socket) init(m message) {
	if c.acked {
		c.close(closeInitTwice, "Too many initialisation requests")
		return
	}
	var payload map[string]any
	if len(m.Payload) > 0 && json.Unmarshal(m.Payload, &payload) != nil {
		c.close(closeInvalid, "Invalid message: the payload of connection_init is not an object")
		return
	}
	signed, secret, err := c.ctx, c.secret, error(nil)
	if given := authorizations(payload); len(given) > 0 {
		look, cancel := context.WithTimeout(c.ctx, c.pace.init) // of which the socket's context holds nothing
		signed, secret, err = c.signIn(look, given)
		cancel()
	}
	switch {
	case err != nil && fault.CodeOf(err) != fault.Unauthenticated:
		c.Log.ErrorContext(c.ctx, "sign in", "err", err)
		c.close(websocket.CloseTryAgainLater, "the token cannot be looked up now")
		return
	case err != nil:
		c.close(closeForbidden, "Forbidden: "+fault.Message(err))
		return
	case secret == "":
		c.close(closeForbidden, `Forbidden: send {"Authorization": "Bearer <token>"} as payload of connection_init`)
		return
	}
	viewer, err := access.From(signed)
	if err != nil {
		panic(err) // signed in
	}
	leave, ok := c.live.begin(&session{grant: access.Grant{Secret: secret, Viewer: viewer}, beat: c.beat, end: func() {
		c.close(closeForbidden, "Forbidden: the token was revoked, has expired, or is for less than it was")
	}})
	if !ok {
		c.close(websocket.CloseTryAgainLater, "too many sockets and streams are open with this token: close some")
		return
	}
	c.leave, c.secret = leave, secret
	c.mu.Lock()
	c.ctx, c.acked, c.heard = access.With(c.ctx, viewer), true, time.Now()
	c.mu.Unlock()
	c.send(message{Type: "connection_ack"})
}

// authorizations are the payload's: the one under the name as it is documented, else those in any case, of which two are
// refused by whoever reads them.
func authorizations(payload map[string]any) (all []string) {
	const documented = "Authorization"
	for name, value := range payload {
		text, _ := value.(string) // what is no text is no bearer
		if name == documented {
			return []string{text}
		}
		if strings.EqualFold(name, documented) {
			all = append(all, text)
		}
	}
	return all
}

// beat gives a sign of life; who does not answer is dropped by reading. A socket that nothing was asked of for long is closed.
func (c *socket) beat() {
	now := time.Now()
	c.mu.Lock()
	if len(c.running) > 0 {
		c.heard = now
	}
	idle := now.Sub(c.heard) > c.pace.idle
	c.mu.Unlock()
	if idle {
		c.close(websocket.CloseNormalClosure, "nothing was asked for long; connect again when there is something")
		return
	}
	if c.wire.offer(frame{opcode: websocket.PingMessage}) {
		c.wire.flush()
	}
}

// frame is a message as it is sent.
func (m message) frame() frame {
	text, err := json.Marshal(m)
	if err != nil {
		panic(err) // the payload is JSON
	}
	return textFrame(text)
}

// send waits for a place in the queue only while the socket stands. A client that is gone is noticed by reading.
func (c *socket) send(m message) { _ = c.wire.put(c.ctx, m.frame()) }

// stop ends what is under way and waits for it.
func (c *socket) stop() {
	c.mu.Lock()
	c.over = true
	all := slices.Collect(maps.Values(c.running))
	c.mu.Unlock()
	c.cancel()
	c.work.Wait()
	for _, op := range all {
		c.finish(op.id, op)
	}
}

// drain closes the socket of a server that stops, after what was handed out; queries and mutations are let finish. A ping
// before the close tells where each subscription is, and the close's reason too where there is only one.
func (c *socket) drain() {
	c.mu.Lock()
	closing := c.closing
	c.over = true
	for _, op := range c.running {
		if op.counts {
			op.cancel()
		}
	}
	c.mu.Unlock()
	c.Log.DebugContext(c.sockets, "socket drains") // c.ctx is of the reading goroutine until it is signed in
	if closing {
		return
	}
	c.work.Wait() // at most MaxTime, or until the socket is cut off
	c.mu.Lock()
	all := slices.Collect(maps.Values(c.running))
	c.mu.Unlock()
	cursors := make(map[string]string)
	only := ""
	for _, op := range all {
		if op.member == nil {
			continue
		}
		if cursor := c.groups.leave(op.member); cursor != "" && !op.void.Load() {
			cursors[op.id], only = cursor, cursor
		}
	}
	reason := "the server is stopping"
	if len(cursors) > 0 {
		payload, err := json.Marshal(map[string]any{"cursors": cursors})
		if err != nil {
			panic(err) // texts
		}
		c.wire.must(message{Type: "ping", Payload: payload}.frame())
	}
	if len(cursors) == 1 {
		reason += "; go on after " + only
	}
	c.close(websocket.CloseGoingAway, reason)
}

// close says why and ends the operations; the reader goes on until the client has answered, so that the close frame is
// not lost to a reset.
func (c *socket) close(code int, reason string) {
	for len(reason) > 123 { // what fits a control frame
		_, size := utf8.DecodeLastRuneInString(reason)
		reason = reason[:len(reason)-size]
	}
	c.last(frame{opcode: websocket.CloseMessage, head: websocket.FormatCloseMessage(code, reason)}, func() {})
}

// last ends the operations and sends what is queued, at last f. Then the client has closeWait to answer, and sent is called.
// It does nothing on a socket that is closing.
func (c *socket) last(f frame, sent func()) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closing {
		return
	}
	c.closing, c.over = true, true
	c.cancel()
	for _, op := range c.running {
		op.quiet.Store(true)
	}
	c.wire.last(f, func() {
		_ = c.conn.SetReadDeadline(time.Now().Add(closeWait)) // it may be gone already
		sent()
	})
}

// discard is for reading that failed. Where the client sent what is too large or no WebSocket frame, gorilla/websocket has
// written the close that says so; a connection that is closed with something unread is reset, and the client may never
// read it. So what comes is read until the client goes away, or its time is up.
func (c *socket) discard(err error) {
	var closed *websocket.CloseError
	var broken net.Error
	if errors.As(err, &closed) || errors.As(err, &broken) {
		return // nobody sends any more
	}
	c.last(frame{}, func() {
		if half, ok := c.wire.Conn.(interface{ CloseWrite() error }); ok {
			_ = half.CloseWrite() // it may be gone already
		}
	})
	_, _ = io.Copy(io.Discard, c.wire.Conn) // it ends with an error: that the time is up
}

func (c *socket) isClosing() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.closing
}

// extend gives the client more time to show life.
func (c *socket) extend() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.closing {
		_ = c.conn.SetReadDeadline(time.Now().Add(3 * c.pace.beat))
	}
}

package server

import (
	"bytes"
	"context"
	"encoding/json"
	"net/http"
	"strings"
	"sync"
	"time"
	"unicode/utf8"

	"github.com/99designs/gqlgen/graphql"
	"github.com/gorilla/websocket"
	"github.com/vektah/gqlparser/v2/gqlerror"

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
	closeWait     = 2 * time.Second // for the client's answer to our close
)

// socket is one WebSocket. One goroutine reads; one per operation runs it and writes, waiting for the client; one keeps
// the connection alive. All have ended when serve returns.
type socket struct {
	*Server
	conn   *websocket.Conn
	ctx    context.Context // from connection_init on it carries the viewer
	cancel context.CancelFunc
	secret string
	acked  bool // of the reading goroutine, as are ctx and secret until then
	work   sync.WaitGroup

	writing sync.Mutex // one message at a time
	mu      sync.Mutex // guards the rest
	closing bool
	running map[string]*operation
}

// operation is a subscribe that is under way.
type operation struct{ cancel context.CancelFunc }

// message of graphql-transport-ws.
type message struct {
	ID      string          `json:"id,omitempty"`
	Type    string          `json:"type"`
	Payload json.RawMessage `json:"payload,omitempty"`
}

// socket upgrades a request and serves it until the client or the server ends it.
func (s *Server) socket(w http.ResponseWriter, r *http.Request) {
	if !s.originAllowed(r) {
		refuse(w, http.StatusForbidden, fault.Forbidden, "pages of another origin may not open sockets here, except those of --allow-origin")
		return
	}
	ctx, secret := r.Context(), ""
	if header := r.Header.Values("Authorization"); len(header) > 0 {
		var err error
		if ctx, secret, err = s.signIn(ctx, header); err != nil {
			s.refuseSignIn(w, r, err)
			return
		}
	}
	up := websocket.Upgrader{
		Subprotocols: []string{subprotocol}, HandshakeTimeout: headerWait, ReadBufferSize: 1 << 10, WriteBufferSize: 4 << 10, WriteBufferPool: &s.buffers,
		CheckOrigin: func(*http.Request) bool { return true }, // done
		Error: func(w http.ResponseWriter, _ *http.Request, status int, reason error) {
			refuse(w, status, badRequest, reason.Error())
		},
	}
	conn, err := up.Upgrade(w, r, nil)
	if err != nil {
		return // answered
	}
	ctx, cancel := context.WithCancel(ctx)
	c := &socket{Server: s, conn: conn, ctx: ctx, cancel: cancel, secret: secret, running: make(map[string]*operation)}
	c.serve()
}

func (c *socket) serve() {
	defer func() {
		c.cancel()
		_ = c.conn.Close() // nothing is left to be lost; a write that waits for the client ends
		c.work.Wait()
	}()
	c.conn.SetReadLimit(c.MaxBody)
	c.conn.SetPongHandler(func(string) error { c.extend(); return nil })
	c.extend()
	defer context.AfterFunc(c.streams, func() { c.close(websocket.CloseGoingAway, "the server is stopping") })()
	defer context.AfterFunc(c.sockets, func() { _ = c.conn.NetConn().Close() })() // the client had its time
	if c.conn.Subprotocol() != subprotocol {
		c.close(closeSubprotocol, "Subprotocol not acceptable: speak "+subprotocol)
	}
	timer := time.AfterFunc(c.pace.init, func() { c.close(closeInitTimeout, "Connection initialisation timeout") })
	defer timer.Stop()
	for {
		kind, data, err := c.conn.ReadMessage()
		if err != nil {
			return
		}
		if c.extend(); c.isClosing() {
			continue // until the client answers the close, or its time is up
		}
		var m message
		if kind != websocket.TextMessage || json.Unmarshal(data, &m) != nil {
			c.close(closeInvalid, "Invalid message: not a JSON object with a type")
			continue
		}
		switch m.Type {
		case "connection_init":
			timer.Stop()
			c.init(m)
		case "ping":
			c.send(message{Type: "pong", Payload: m.Payload})
		case "pong":
		case "subscribe":
			c.subscribe(m)
		case "complete":
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
	ctx, secret, err := c.ctx, c.secret, error(nil)
	for name, value := range payload {
		if strings.EqualFold(name, "Authorization") {
			text, _ := value.(string) // what is no text is no bearer
			ctx, secret, err = c.signIn(c.ctx, []string{text})
		}
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
	c.secret = secret
	c.ctx, c.acked = ctx, true
	c.send(message{Type: "connection_ack"})
	c.work.Go(c.keepAlive)
}

// keepAlive gives signs of life, and closes a socket whose token was revoked or has expired.
func (c *socket) keepAlive() {
	life := time.NewTicker(c.pace.beat)
	defer life.Stop()
	for checked := time.Now(); ; {
		select {
		case <-c.ctx.Done():
			return
		case now := <-life.C:
			_ = c.conn.WriteControl(websocket.PingMessage, nil, now.Add(c.pace.beat)) // who does not answer is dropped by reading
			if now.Sub(checked) < c.pace.recheck {
				continue
			}
			checked = now
			if c.revoked(c.ctx, c.secret) {
				c.close(closeForbidden, "Forbidden: the token was revoked, or has expired")
			}
		}
	}
}

func (c *socket) subscribe(m message) {
	var payload document
	switch {
	case !c.acked:
		c.close(closeEarly, "Unauthorized: send connection_init and wait for connection_ack")
		return
	case m.ID == "":
		c.close(closeInvalid, "Invalid message: subscribe has no id")
		return
	case decode(bytes.NewReader(m.Payload), &payload) != nil || !payload.asks():
		c.close(closeInvalid, `Invalid message: the payload of subscribe is not {"query": "…"}`)
		return
	}
	ctx, cancel := context.WithCancel(c.ctx)
	op := &operation{cancel: cancel}
	c.mu.Lock()
	_, taken := c.running[m.ID]
	full := len(c.running) >= maxOperations
	if !taken && !full {
		c.running[m.ID] = op
	}
	c.mu.Unlock()
	switch {
	case taken:
		cancel()
		c.close(closeTaken, "Subscriber for "+m.ID+" already exists")
	case full:
		cancel()
		c.refuse(m.ID, gqlerror.List{fail(fault.TooMany, "100 operations are under way on this socket: complete some, or open another")})
	default:
		c.work.Go(func() {
			defer cancel()
			c.run(ctx, m.ID, op, payload.params(nil))
		})
	}
}

// run runs one operation to its end and writes what comes of it.
func (c *socket) run(ctx context.Context, id string, op *operation, params *graphql.RawParams) {
	ctx, prepared, refused := c.exec.prepare(ctx, params)
	if refused != nil {
		if c.finish(id, op) {
			c.refuse(id, refused.Errors)
		}
		return
	}
	head, err := json.Marshal(id)
	if err != nil {
		panic(err) // a string
	}
	head = append(append([]byte(`{"id":`), head...), `,"type":"next","payload":`...)
	c.each(ctx, prepared, func() {}, func(resp *graphql.Response) error {
		return c.write(func() bool { return c.runs(id, op) }, append(append(bytes.Clone(head), encode(resp)...), '}'))
	})
	if ctx.Err() == nil && c.finish(id, op) {
		c.send(message{ID: id, Type: "complete"})
	}
}

// runs tells whether the client has not completed the operation.
func (c *socket) runs(id string, op *operation) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.running[id] == op
}

// finish ends an operation, any of that id when op is nil; false when it had ended before.
func (c *socket) finish(id string, op *operation) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	found, ok := c.running[id]
	if !ok || op != nil && found != op {
		return false
	}
	delete(c.running, id)
	found.cancel()
	return true
}

// refuse ends an operation that could not be run.
func (c *socket) refuse(id string, errs gqlerror.List) {
	payload, err := json.Marshal(errs)
	if err != nil {
		panic(err) // errors hold nothing but JSON
	}
	c.send(message{ID: id, Type: "error", Payload: payload})
}

func (c *socket) send(m message) {
	text, err := json.Marshal(m)
	if err != nil {
		panic(err) // the payload is JSON
	}
	_ = c.write(func() bool { return true }, text) // a client that is gone is noticed by reading
}

// write sends one message, if it still should be sent when its turn comes. A socket whose client does not take it in time
// is done.
func (c *socket) write(still func() bool, text []byte) error {
	c.writing.Lock()
	defer c.writing.Unlock()
	if c.ctx.Err() != nil || !still() {
		return context.Canceled
	}
	_ = c.conn.SetWriteDeadline(time.Now().Add(writeWait)) // cannot fail: it is only noted
	err := c.conn.WriteMessage(websocket.TextMessage, text)
	if err != nil {
		c.close(websocket.CloseGoingAway, "")
	}
	return err
}

// close says why and ends the operations; the reader goes on until the client has answered, so that the close frame is
// not lost to a reset.
func (c *socket) close(code int, reason string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closing {
		return
	}
	c.closing = true
	c.cancel()
	for len(reason) > 123 { // what fits a control frame
		_, size := utf8.DecodeLastRuneInString(reason)
		reason = reason[:len(reason)-size]
	}
	until := time.Now().Add(closeWait)
	_ = c.conn.WriteControl(websocket.CloseMessage, websocket.FormatCloseMessage(code, reason), until) // it may be gone already
	_ = c.conn.SetReadDeadline(until)
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

package server

import (
	"bytes"
	"context"
	"encoding/json"
	"log/slog"
	"net/http"
	"runtime/debug"
	"strings"
	"sync"
	"time"
	"unicode/utf8"

	"github.com/99designs/gqlgen/graphql"
	"github.com/gorilla/websocket"
	"github.com/vektah/gqlparser/v2/ast"
	"github.com/vektah/gqlparser/v2/gqlerror"

	"stockbridge/graph"
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
	closeWait     = 2 * time.Second // for the client's answer to our close
)

// socket is one WebSocket. One goroutine reads. Queries, mutations and subscriptions that have not caught up have one each, and
// so has the outbox while there is something to write; a subscription that has caught up is served by its group. All have
// ended when serve returns.
type socket struct {
	*Server
	conn   *websocket.Conn
	out    outbox
	ctx    context.Context // from connection_init on it carries the viewer
	cancel context.CancelFunc
	secret string
	acked  bool      // of the reading goroutine, as are ctx and secret until then
	pinged time.Time // of the sweeper
	work   sync.WaitGroup

	mu      sync.Mutex // guards the rest
	closing bool
	ended   bool // no goroutine may begin
	running map[string]*operation
}

// operation is a subscribe that is under way. For a subscription it is the outlet.
type operation struct {
	socket *socket
	id     string
	head   []byte // of its next messages
	cancel context.CancelFunc
	sub    *subscription // nil as long as it is none; guarded by socket.mu
}

// wireMessage is a message of graphql-transport-ws.
type wireMessage struct {
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
		Subprotocols: []string{subprotocol}, HandshakeTimeout: headerWait, ReadBufferSize: 512, WriteBufferSize: 512, WriteBufferPool: &s.buffers,
		CheckOrigin: func(*http.Request) bool { return true }, // done
		Error: func(w http.ResponseWriter, _ *http.Request, status int, reason error) {
			refuse(w, status, badRequest, reason.Error())
		},
	}
	conn, err := up.Upgrade(w, r, nil)
	if err != nil {
		return // answered
	}
	leave, ok := s.enter()
	if !ok {
		_ = conn.Close() // between the request and here the server began to stop
		return
	}
	// The request's goroutine, with all that net/http keeps for it, is not needed for what may be hours of silence.
	light := context.WithValue(context.Background(), requestKey{}, &request{viewer: requestOf(ctx).viewer})
	if v, err := access.From(ctx); err == nil { // else the token comes with connection_init
		light = access.With(light, v)
	}
	go func() {
		defer leave()
		defer func() {
			if p := recover(); p != nil {
				s.Log.Error("panic", "panic", p, "stack", string(debug.Stack()))
			}
		}()
		s.serveSocket(light, conn, secret)
	}()
}

// serveSocket serves a WebSocket until the client or the server ends it.
func (s *Server) serveSocket(ctx context.Context, conn *websocket.Conn, secret string) {
	ctx, cancel := context.WithCancel(ctx)
	c := &socket{Server: s, conn: conn, ctx: ctx, cancel: cancel, secret: secret, running: make(map[string]*operation), pinged: time.Now()}
	c.out = outbox{conn: conn.NetConn(), work: &c.work, pool: &s.outboxes, fail: func(error) { cancel(); _ = conn.Close() }}
	s.metrics.sockets.Inc()
	defer s.metrics.sockets.Dec()
	c.serve()
}

func (c *socket) serve() {
	begun := time.Now()
	defer func() {
		c.cancel()
		c.rights.release(c)
		c.mu.Lock()
		c.ended = true
		running := c.running
		c.running = nil
		c.mu.Unlock()
		for _, op := range running {
			op.stop()
		}
		c.out.end()
		late := time.AfterFunc(closeWait, func() { _ = c.conn.Close() }) // for the rest of what waits
		c.work.Wait()
		late.Stop()
		_ = c.conn.Close() // the client has all that it will have
		c.Log.LogAttrs(context.Background(), slog.LevelDebug, "socket ended", slog.String("viewer", requestOf(c.ctx).viewer), slog.Duration("took", time.Since(begun)))
	}()
	c.conn.SetReadLimit(c.MaxBody)
	// Nothing but the outbox writes.
	c.conn.SetPongHandler(func(string) error { c.extend(); return nil })
	c.conn.SetPingHandler(func(text string) error {
		c.extend()
		c.answer(frame{op: websocket.PongMessage, head: []byte(text)})
		return nil
	})
	c.conn.SetCloseHandler(func(code int, _ string) error {
		answer := frame{op: websocket.CloseMessage}
		if code != websocket.CloseNoStatusReceived {
			answer.head = websocket.FormatCloseMessage(code, "")
		}
		c.answer(answer)
		return nil
	})
	c.extend()
	c.rights.watch(c)
	defer context.AfterFunc(c.streams, func() { c.close(websocket.CloseGoingAway, c.goodbye()) })()
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
		var m wireMessage
		if kind != websocket.TextMessage || json.Unmarshal(data, &m) != nil {
			c.close(closeInvalid, "Invalid message: not a JSON object with a type")
			continue
		}
		switch m.Type {
		case "connection_init":
			timer.Stop()
			c.init(m)
		case "ping":
			c.send(wireMessage{Type: "pong", Payload: m.Payload})
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
func (c *socket) init(m wireMessage) {
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
	viewer, verr := access.From(ctx)
	if verr != nil {
		panic(verr) // who has a secret is known
	}
	if err := c.rights.hold(secret, viewer, c); err != nil {
		c.close(closeInitTwice, fault.Message(err))
		return
	}
	c.secret = secret
	c.ctx, c.acked = ctx, true
	c.send(wireMessage{Type: "connection_ack"})
}

func (c *socket) subscribe(m wireMessage) {
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
	id, err := json.Marshal(m.ID)
	if err != nil {
		panic(err) // a string
	}
	ctx, cancel := context.WithCancel(c.ctx)
	op := &operation{socket: c, id: m.ID, cancel: cancel, head: append(append([]byte(`{"id":`), id...), `,"type":"next","payload":`...)}
	c.mu.Lock()
	_, taken := c.running[m.ID]
	full := len(c.running) >= maxOperations
	if !taken && !full && !c.ended {
		c.running[m.ID] = op
		c.work.Go(func() { c.run(ctx, op, payload.params(nil)) })
	}
	c.mu.Unlock()
	switch {
	case taken:
		cancel()
		c.close(closeTaken, "Subscriber for "+m.ID+" already exists")
	case full:
		cancel()
		c.refuse(m.ID, gqlerror.List{fail(fault.TooMany, "100 operations are under way on this socket: complete some, or open another")})
	}
}

// run runs a query or mutation to its end, and a subscription until its group serves it.
func (c *socket) run(ctx context.Context, op *operation, params *graphql.RawParams) {
	ctx, prepared, refused := c.exec.prepare(ctx, params)
	if refused != nil {
		if c.finish(op.id, op) {
			c.refuse(op.id, refused.Errors)
		}
		return
	}
	if prepared.Operation.Operation != ast.Subscription {
		c.each(ctx, prepared, func() {}, func(resp *graphql.Response) error {
			return op.put(ctx, &message{payload: encode(resp)})
		})
		if ctx.Err() == nil {
			op.end()
		}
		return
	}
	// Only what the subscription needs goes on: the context of the request's preparation holds a lot.
	v, err := access.From(ctx)
	if err != nil {
		panic(err) // nobody comes here who is not signed in
	}
	sub, err := c.subscriptionOf(access.With(ctx, v), prepared, op, "")
	if err != nil {
		panic(err) // variables were JSON
	}
	c.mu.Lock()
	op.sub = sub
	alive := c.running[op.id] == op
	c.mu.Unlock()
	if !alive {
		return
	}
	c.metrics.subscriptions.Inc()
	context.AfterFunc(ctx, c.metrics.subscriptions.Dec)
	c.shared.run(sub, func() {})
}

// stop ends an operation, which is no longer among those that run.
func (op *operation) stop() {
	op.cancel()
	op.socket.mu.Lock()
	sub := op.sub
	op.socket.mu.Unlock()
	if sub != nil {
		op.socket.shared.leave(sub)
	}
}

// runs tells whether neither side has ended the operation.
func (op *operation) runs() bool {
	op.socket.mu.Lock()
	defer op.socket.mu.Unlock()
	return op.socket.running[op.id] == op
}

func (op *operation) frame(m *message) frame {
	return frame{op: websocket.TextMessage, head: op.head, body: m.payload, tail: "}"}
}

// offer implements outlet.
func (op *operation) offer(m *message) bool {
	return !op.runs() || op.socket.out.add(op.frame(m), op.socket.pace.room)
}

// put implements outlet.
func (op *operation) put(ctx context.Context, m *message) error {
	if !op.runs() {
		return context.Canceled
	}
	return op.socket.out.wait(ctx, op.frame(m), op.socket.pace.room)
}

// end implements outlet.
func (op *operation) end() {
	if op.socket.finish(op.id, op) {
		op.socket.send(wireMessage{ID: op.id, Type: "complete"})
	}
}

// spawn implements outlet.
func (op *operation) spawn(f func()) {
	op.socket.mu.Lock()
	defer op.socket.mu.Unlock()
	if !op.socket.ended {
		op.socket.work.Go(f)
	}
}

// finish ends an operation, any of that id when op is nil; false when it had ended before.
func (c *socket) finish(id string, op *operation) bool {
	c.mu.Lock()
	found, ok := c.running[id]
	if !ok || op != nil && found != op {
		c.mu.Unlock()
		return false
	}
	delete(c.running, id)
	c.mu.Unlock()
	if op == nil {
		found.stop()
	} else {
		found.cancel() // who ends it has left its group, or never was in one
	}
	return true
}

// refuse ends an operation that could not be run.
func (c *socket) refuse(id string, errs gqlerror.List) {
	payload, err := json.Marshal(errs)
	if err != nil {
		panic(err) // errors hold nothing but JSON
	}
	c.send(wireMessage{ID: id, Type: "error", Payload: payload})
}

func (c *socket) send(m wireMessage) {
	text, err := json.Marshal(m)
	if err != nil {
		panic(err) // the payload is JSON
	}
	c.answer(frame{op: websocket.TextMessage, head: text})
}

// answer queues what the client asked for. One that asks on and on and takes no answers is let go.
func (c *socket) answer(f frame) {
	if !c.out.add(f, c.pace.room.more()) {
		c.cancel()
		_ = c.conn.Close() // ends the reading, and with it all
	}
}

// goodbye tells a client how to go on elsewhere: after the cursor, up to which each of its subscriptions was told of everything.
func (c *socket) goodbye() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	least := int64(0)
	for _, op := range c.running {
		if op.sub != nil && op.sub.sharing == graph.Facts {
			if at := op.sub.position.Load(); least == 0 || at < least {
				least = at
			}
		}
	}
	if least == 0 {
		return "the server is stopping"
	}
	return "the server is stopping; go on after: " + graph.Cursor(least)
}

// forbid implements holder.
func (c *socket) forbid(why string) { c.close(closeForbidden, "Forbidden: "+why) }

// beat implements watched: it gives a sign of life, and demands one.
func (c *socket) beat(now time.Time) {
	if now.Sub(c.pinged) >= c.pace.beat {
		c.pinged = now
		c.answer(frame{op: websocket.PingMessage})
	}
}

// close says why and ends the operations, once what waits is written; the reader goes on until the client has answered, so
// that the close frame is not lost to a reset.
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
	c.answer(frame{op: websocket.CloseMessage, head: websocket.FormatCloseMessage(code, reason)})
	_ = c.conn.SetReadDeadline(time.Now().Add(closeWait))
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

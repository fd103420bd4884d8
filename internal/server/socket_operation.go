package server

import (
	"bytes"
	"context"
	"encoding/json"
	"sync/atomic"

	"github.com/99designs/gqlgen/graphql"
	"github.com/gorilla/websocket"
	"github.com/vektah/gqlparser/v2/ast"
	"github.com/vektah/gqlparser/v2/gqlerror"

	"stockbridge/graph"
	"stockbridge/internal/fault"
)

// operation is a subscribe that is under way.
type operation struct {
	c      *socket
	id     string
	head   []byte // of its messages
	cancel context.CancelFunc
	counts bool        // in the number of subscriptions; guarded by socket.mu
	void   atomic.Bool // it has ended: what waits of it is not sent
	quiet  atomic.Bool // nothing more is offered, for the socket is closing
	member *member     // nil for a query or mutation; guarded by socket.mu
	ctx    context.Context
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
	case decode(bytes.NewReader(m.Payload), &payload) != nil || payload.Query == nil && !payload.asks():
		c.close(closeInvalid, `Invalid message: the payload of subscribe is not {"query": "…"}`)
		return
	}
	op := &operation{c: c, id: m.ID}
	op.ctx, op.cancel = context.WithCancel(c.ctx)
	c.mu.Lock()
	_, taken := c.running[m.ID]
	full := len(c.running) >= maxOperations
	over := c.over
	if !taken && !full && !over {
		c.running[m.ID] = op
		c.work.Go(func() { c.run(op, payload.params(nil)) })
	}
	c.mu.Unlock()
	switch {
	case over:
		op.cancel()
	case taken:
		op.cancel()
		c.close(closeTaken, "Subscriber for "+m.ID+" already exists")
	case full:
		op.cancel()
		c.refuse(m.ID, gqlerror.List{fail(fault.TooMany, "100 operations are under way on this socket: complete some, or open another")})
	}
}

// run runs one operation and writes what comes of it. A subscription that is in its group has not ended when this returns.
func (c *socket) run(op *operation, params *graphql.RawParams) {
	ctx, prepared, refused := c.exec.prepare(op.ctx, params)
	if refused != nil {
		if c.finish(op.id, op) {
			c.refuse(op.id, refused.Errors)
		}
		return
	}
	head, err := json.Marshal(op.id)
	if err != nil {
		panic(err) // a string
	}
	op.head = append(append([]byte(`{"id":`), head...), `,"type":"next","payload":`...)
	if prepared.Operation.Operation == ast.Subscription {
		c.metrics.subscriptions.Inc()
		c.mu.Lock()
		if op.counts = c.running[op.id] == op; !op.counts {
			c.metrics.subscriptions.Dec()
		}
		if c.over { // a server that stops ends subscriptions, and did not know yet that this is one
			op.cancel()
		}
		c.mu.Unlock()
		m := c.memberOf(ctx, prepared)
		m.outlet = op
		c.mu.Lock()
		op.member = m
		c.mu.Unlock()
		c.follow(op, resumes(prepared))
		return
	}
	c.each(ctx, prepared, func() {}, func(resp *graphql.Response) error {
		return op.put(&shared{text: append(encode(resp), '}')})
	})
	op.complete()
}

// follow brings a subscription into its group, catching up first where it is behind.
func (c *socket) follow(op *operation, behind bool) {
	m := op.member
	for op.ctx.Err() == nil {
		if behind && m.sharing == graph.State {
			if c.wire.ready(op.ctx, writeBytes) != nil {
				return
			}
		} else if behind && !c.groups.catchUp(op.ctx, m, "", func(string) {}, op.put) {
			op.complete()
			return
		}
		joined, err := c.groups.join(op.ctx, m)
		if joined || err != nil {
			return
		}
		behind = true
	}
}

func (op *operation) frame(msg *shared) frame {
	return frame{opcode: websocket.TextMessage, head: op.head, body: msg.text, void: &op.void}
}

// put sends a message when the client has taken enough of those before.
func (op *operation) put(msg *shared) error {
	if err := op.ctx.Err(); err != nil {
		return err
	}
	return op.c.wire.put(op.ctx, op.frame(msg))
}

// complete ends an operation of which nothing more comes.
func (op *operation) complete() {
	if op.ctx.Err() == nil && op.c.finish(op.id, op) {
		op.c.send(message{ID: op.id, Type: "complete"})
	}
}

// offer implements outlet.
func (op *operation) offer(msg *shared) bool {
	return op.quiet.Load() || op.c.wire.offer(op.frame(msg))
}

// flush implements outlet.
func (op *operation) flush() { op.c.wire.flush() }

// lag implements outlet: the subscription goes on by itself.
func (op *operation) lag() {
	op.c.mu.Lock()
	defer op.c.mu.Unlock()
	if !op.c.over {
		op.c.work.Go(func() { op.c.follow(op, true) })
	}
}

// end implements outlet.
func (op *operation) end() {
	if op.c.forget(op.id, op) == op {
		op.c.wire.must(message{ID: op.id, Type: "complete"}.frame())
	}
}

// finish ends an operation, any of that id when op is nil; false when it had ended before.
func (c *socket) finish(id string, op *operation) bool {
	found := c.forget(id, op)
	if found == nil {
		return false
	}
	found.void.Store(op == nil) // what the client completes itself is not to be mixed up with what it asks next under that id
	c.mu.Lock()
	m := found.member
	c.mu.Unlock()
	if m != nil {
		c.groups.leave(m)
	}
	return true
}

// forget takes an operation out of those under way; nil when it had ended before.
func (c *socket) forget(id string, op *operation) *operation {
	c.mu.Lock()
	defer c.mu.Unlock()
	found, ok := c.running[id]
	if !ok || op != nil && found != op {
		return nil
	}
	delete(c.running, id)
	if found.counts {
		c.metrics.subscriptions.Dec()
	}
	found.cancel()
	return found
}

// refuse ends an operation that could not be run.
func (c *socket) refuse(id string, errs gqlerror.List) {
	payload, err := json.Marshal(errs)
	if err != nil {
		panic(err) // errors hold nothing but JSON
	}
	c.send(message{ID: id, Type: "error", Payload: payload})
}

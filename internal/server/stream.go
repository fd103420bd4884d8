package server

import (
	"bytes"
	"context"
	"net/http"
	"sync"
	"time"

	"github.com/99designs/gqlgen/graphql"
	"github.com/vektah/gqlparser/v2/ast"
	"github.com/vektah/gqlparser/v2/gqlerror"

	"stockbridge/graph"
	"stockbridge/internal/access"
	"stockbridge/internal/fault"
)

// lastEventHeader resumes a stream after the event that a client has seen last.
const lastEventHeader = "Last-Event-ID"

// eventOutlet is one stream of server-sent events. The goroutine of its request writes; for a subscription that has not caught up
// there is one more.
type eventOutlet struct {
	within room
	work   sync.WaitGroup

	mu      sync.Mutex // guards the rest
	waiting []*message
	bytes   int
	done    bool          // after what waits, complete follows
	why     string        // the token no longer stands
	gone    bool          // nobody reads what is added
	more    chan struct{} // of one place: something was added
	freed   chan struct{} // closed when there is room again; nil while nobody waits
}

func (e *eventOutlet) signal() {
	select {
	case e.more <- struct{}{}:
	default:
	}
}

// offer implements outlet.
func (e *eventOutlet) offer(m *message) bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.add(m)
}

func (e *eventOutlet) add(m *message) bool {
	if len(e.waiting) >= e.within.messages || e.bytes > 0 && e.bytes+len(m.payload) > e.within.bytes {
		return false
	}
	e.waiting = append(e.waiting, m)
	e.bytes += len(m.payload)
	e.signal()
	return true
}

// put implements outlet.
func (e *eventOutlet) put(ctx context.Context, m *message) error {
	for {
		e.mu.Lock()
		if ctx.Err() != nil || e.add(m) {
			e.mu.Unlock()
			return ctx.Err()
		}
		if e.freed == nil {
			e.freed = make(chan struct{})
		}
		room := e.freed
		e.mu.Unlock()
		select {
		case <-room:
		case <-ctx.Done():
		}
	}
}

// end implements outlet.
func (e *eventOutlet) end() {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.done = true
	e.signal()
}

// spawn implements outlet.
func (e *eventOutlet) spawn(f func()) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if !e.gone {
		e.work.Go(f)
	}
}

// forbid implements holder.
func (e *eventOutlet) forbid(why string) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.why = why
	e.signal()
}

// take returns what waits, and how it goes on after that.
func (e *eventOutlet) take() (waiting []*message, done bool, why string) {
	e.mu.Lock()
	defer e.mu.Unlock()
	waiting, e.waiting, e.bytes = e.waiting, nil, 0
	if e.freed != nil {
		close(e.freed)
		e.freed = nil
	}
	return waiting, e.done, e.why
}

// close lets go of who adds, and waits for them.
func (e *eventOutlet) close() {
	e.mu.Lock()
	e.gone = true
	e.mu.Unlock()
	e.work.Wait()
}

// stream runs a subscription as server-sent events: next for each response, complete after the last. Events of facts have
// their cursor as id. A stream that the server breaks off, because it stops or the token no longer stands, has no complete, so that clients
// connect again: after the last id.
func (s *Server) stream(ctx context.Context, w http.ResponseWriter, r *http.Request, secret string, op *graphql.OperationContext) {
	e := &eventOutlet{within: s.pace.room, more: make(chan struct{}, 1)}
	viewer, err := access.From(ctx)
	if err != nil {
		panic(err) // nobody comes here who is not signed in
	}
	if err := s.rights.hold(secret, viewer, e); err != nil {
		s.exec.release(ctx)
		w.Header().Set("Retry-After", "10")
		refuse(w, http.StatusTooManyRequests, fault.CodeOf(err), fault.Message(err))
		return
	}
	defer func() {
		s.rights.mu.Lock()
		defer s.rights.mu.Unlock()
		s.rights.drop(secret, e)
	}()
	ctx, cancel := context.WithCancel(ctx)
	defer context.AfterFunc(s.streams, cancel)()
	sub, err := s.subscriptionOf(ctx, op, e, r.Header.Get(lastEventHeader))
	if err != nil {
		panic(err) // variables were JSON
	}
	s.metrics.subscriptions.Inc()
	defer s.metrics.subscriptions.Dec()
	defer func() {
		cancel()
		s.shared.leave(sub)
		e.close()
	}()
	begun := make(chan struct{})
	e.spawn(func() { s.shared.run(sub, sync.OnceFunc(func() { close(begun) })) })

	control := http.NewResponseController(w)
	w.Header().Set("Content-Type", eventStream+"; charset=utf-8")
	w.Header().Set("X-Accel-Buffering", "no") // a proxy that collects events would hold them back
	send := func(text []byte) error {
		_ = control.SetWriteDeadline(time.Now().Add(writeWait)) // not every connection has one, in tests
		if _, err := w.Write(text); err != nil {
			return err
		}
		return control.Flush()
	}
	<-begun // who has the head of the answer misses nothing that happens from then on
	if err := send([]byte(":\n\n")); err != nil {
		return
	}
	life := time.NewTicker(s.pace.beat)
	defer life.Stop()
	for {
		var text []byte
		select {
		case <-e.more:
		case <-life.C:
			text = append(text, ": still here\n\n"...)
		case <-ctx.Done():
		}
		waiting, done, why := e.take()
		for _, m := range waiting {
			text = appendEvent(text, m)
		}
		over := true
		switch at := sub.position.Load(); {
		case why != "":
			text = append(text, event(&graphql.Response{Errors: gqlerror.List{fail(fault.Forbidden, why)}})...)
		case done:
			text = append(text, complete...)
		case s.streams.Err() != nil && sub.sharing == graph.Facts && at > 0: // how to go on elsewhere
			text = append(text, "id: "+graph.Cursor(at)+"\n: the server is stopping\n\n"...)
		default:
			over = ctx.Err() != nil
		}
		if len(text) > 0 {
			if err := send(text); err != nil {
				return
			}
		}
		if over {
			return
		}
	}
}

// each runs an operation and hands its responses over one by one, until it ends, ctx does or deliver fails. begun is called
// when a subscription has begun. A response is good only until deliver returns.
func (s *Server) each(ctx context.Context, op *graphql.OperationContext, begun func(), deliver func(*graphql.Response) error) {
	defer func() {
		if p := recover(); p != nil {
			_ = deliver(&graphql.Response{Errors: gqlerror.List{s.exec.broke(ctx, p)}}) // the log has it
		}
	}()
	if op.Operation.Operation != ast.Subscription {
		_ = deliver(s.once(ctx, op)) // there is nothing after it
		return
	}
	s.metrics.executions.Inc()
	defer s.metrics.executions.Dec()
	next, ctx := s.exec.DispatchOperation(ctx, op)
	begun()
	for resp := next(ctx); resp != nil && deliver(resp) == nil; resp = next(ctx) {
	}
}

var complete = []byte("event: complete\ndata:\n\n")

// event writes one response. Data is one line, whatever white space a scalar brought along.
func event(resp *graphql.Response) []byte { return appendEvent(nil, &message{payload: encode(resp)}) }

func appendEvent(text []byte, m *message) []byte {
	text = append(text, "event: next\n"...)
	if m.position > 0 {
		text = append(text, "id: "+graph.Cursor(m.position)+"\n"...)
	}
	data := m.payload
	if bytes.ContainsAny(data, "\r\n") {
		data = bytes.ReplaceAll(bytes.ReplaceAll(data, []byte("\r"), nil), []byte("\n"), []byte("\ndata: "))
	}
	text = append(append(text, "data: "...), data...)
	return append(text, "\n\n"...)
}

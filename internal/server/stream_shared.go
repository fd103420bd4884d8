package server

import (
	"context"
	"sync"
	"time"

	"stockbridge/graph"
)

// lastEventID is the header in which a client of server-sent events says what it has.
const lastEventID = "Last-Event-ID"

// streamed is what waits for one stream.
type streamed struct {
	wake chan struct{}

	mu    sync.Mutex // guards the rest
	queue []*shared
	bytes int
	late  bool // out of the group, for there was no room
	done  bool
}

func (o *streamed) offer(msg *shared) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	if crowded(len(o.queue), o.bytes, len(msg.text)) {
		return false
	}
	o.queue = append(o.queue, msg)
	o.bytes += len(msg.text)
	return true
}

func (o *streamed) flush() {
	select {
	case o.wake <- struct{}{}:
	default:
	}
}

func (o *streamed) lag() {
	o.mu.Lock()
	o.late = true
	o.mu.Unlock()
	o.flush()
}

func (o *streamed) end() {
	o.mu.Lock()
	o.done = true
	o.mu.Unlock()
}

// take is what waits, as events, and whether more comes.
func (o *streamed) take() (text []byte, late, done bool) {
	o.mu.Lock()
	queue := o.queue
	o.queue, o.bytes, late, done = nil, 0, o.late, o.done
	o.late = false
	o.mu.Unlock()
	for _, msg := range queue {
		text = append(text, msg.event()...)
	}
	return text, late, done
}

// event has the cursor as its id, so that a client that connects again goes on from there by itself.
func (m *shared) event() []byte {
	if m.cursor == "" {
		return event(m.json())
	}
	return append([]byte("id: "+m.cursor+"\n"), event(m.json())...)
}

// follow streams a subscription that others may share: first, from where the client was, for itself alone, then in the group.
func (s *Server) follow(ctx context.Context, m *member, send func([]byte) error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer context.AfterFunc(s.streams, cancel)()
	out := &streamed{wake: make(chan struct{}, 1)}
	m.outlet = out
	var once sync.Once
	begin := func(cursor string) { // who has the head of the answer misses nothing that happens from then on
		once.Do(func() {
			head := ":\n\n"
			if cursor != "" {
				head = "id: " + cursor + "\n\n" // no event, but where to go on
			}
			_ = send([]byte(head)) // a client that is gone is noticed when there is more to send
		})
	}
	defer func() {
		cursor := s.groups.leave(m)
		if s.streams.Err() != nil { // what was handed out, and where to go on elsewhere
			text, _, done := out.take()
			if cursor != "" && !done {
				text = append(text, "id: "+cursor+"\n\n"...)
			}
			if len(text) > 0 {
				_ = send(text) // it was cut off
			}
		}
	}()
	after := m.op.Headers.Get(lastEventID)
	behind := m.sharing == graph.Stream && (after != "" || resumes(m.op))
	for {
		if behind {
			put := func(msg *shared) error {
				if err := ctx.Err(); err != nil { // it may be of nothing but that: the client goes on elsewhere
					return err
				}
				return send(msg.event())
			}
			if !s.groups.catchUp(ctx, m, after, begin, put) {
				if ctx.Err() == nil {
					_ = send(complete)
				}
				return
			}
			after = ""
		}
		joined, err := s.groups.join(ctx, m)
		if err != nil {
			return
		}
		if joined {
			begin(s.groups.joined(m))
			if !s.take(ctx, out, send) {
				return
			}
		}
		behind = m.sharing == graph.Stream
	}
}

// take sends what the group hands out; true when the stream fell behind.
func (s *Server) take(ctx context.Context, out *streamed, send func([]byte) error) (late bool) {
	life := time.NewTicker(s.pace.beat)
	defer life.Stop()
	for {
		if ctx.Err() != nil { // also when there is more to send
			return false
		}
		text, late, done := out.take()
		if done {
			text = append(text, complete...)
		}
		if len(text) > 0 && send(text) != nil || done {
			return false
		}
		if late {
			return true
		}
		select {
		case <-out.wake:
		case <-life.C:
			if send([]byte(": still here\n\n")) != nil {
				return false
			}
		case <-ctx.Done():
			return false
		}
	}
}

// joined is where a member was when it joined. Where it is may be further on by now, with messages that wait to be sent.
func (h *groups) joined(m *member) string {
	h.mu.Lock()
	defer h.mu.Unlock()
	return m.joined
}

package server

import (
	"context"
	"encoding/binary"
	"net"
	"sync"
	"time"

	"github.com/gorilla/websocket"
)

// room is how much may wait for one client.
type room struct{ messages, bytes int }

// more is for answers to what the client sends, which must not be held back by what is told unasked. A client that asks on and
// on and takes no answers is let go.
func (r room) more() room { return room{4 * r.messages, 4 * r.bytes} }

const writeAtOnce = 64 << 10 // bytes

// frame is one message on its way to a WebSocket.
type frame struct {
	op         byte   // websocket.TextMessage, CloseMessage, …
	head, body []byte // written one after the other; body may be shared
	tail       string
}

func (f *frame) size() int { return len(f.head) + len(f.body) + len(f.tail) }

// outbox holds what waits for a WebSocket, and writes it: as much as there is at once, on a goroutine that lives as long as
// there is something. Messages go out whole and in order. It bypasses websocket.Conn, which writes every message by itself;
// nothing else may write to the connection.
type outbox struct {
	conn net.Conn
	work *sync.WaitGroup
	pool *sync.Pool  // of *[]byte
	fail func(error) // told once when the connection takes no more

	mu      sync.Mutex // guards the rest
	frames  []frame
	bytes   int
	writing bool
	last    bool          // nothing may be added: a close is in, or the connection is gone
	freed   chan struct{} // closed when there is room again; nil while nobody waits
}

// add queues a frame. It answers false where there is no room for it within the bounds given.
func (o *outbox) add(f frame, within room) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.addLocked(f, within)
}

func (o *outbox) addLocked(f frame, within room) bool {
	if o.last {
		return true // it is too late for it to matter
	}
	if len(o.frames) >= within.messages || o.bytes > 0 && o.bytes+f.size() > within.bytes {
		return false
	}
	o.frames = append(o.frames, f)
	o.bytes += f.size()
	if f.op == websocket.CloseMessage {
		o.last = true
	}
	if !o.writing {
		o.writing = true
		o.work.Go(o.write)
	}
	return true
}

// wait queues a frame when there is room for it.
func (o *outbox) wait(ctx context.Context, f frame, within room) error {
	for {
		o.mu.Lock()
		if ctx.Err() != nil || o.last || o.addLocked(f, within) {
			gone := o.last
			o.mu.Unlock()
			if gone && ctx.Err() == nil {
				return context.Canceled
			}
			return ctx.Err()
		}
		if o.freed == nil {
			o.freed = make(chan struct{})
		}
		room := o.freed
		o.mu.Unlock()
		select {
		case <-room:
		case <-ctx.Done():
		}
	}
}

// end lets nothing more be added. What is in is written.
func (o *outbox) end() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.last = true
}

// take returns what waits, and ends the writing when that is nothing.
func (o *outbox) take(used []frame) []frame {
	o.mu.Lock()
	defer o.mu.Unlock()
	frames := o.frames
	if len(frames) == 0 {
		o.writing, o.frames = false, nil
		return nil
	}
	clear(used)
	o.frames, o.bytes = used[:0], 0
	if o.freed != nil {
		close(o.freed)
		o.freed = nil
	}
	return frames
}

// write writes until nothing waits.
func (o *outbox) write() {
	buffer := o.pool.Get().(*[]byte)
	defer o.pool.Put(buffer)
	var broken error
	for frames := o.take(nil); frames != nil; frames = o.take(frames) {
		if broken != nil {
			continue // who adds need not know
		}
		text := (*buffer)[:0]
		for i := range frames {
			text = appendFrame(text, &frames[i])
			if broken == nil && (len(text) >= writeAtOnce || i == len(frames)-1) {
				_ = o.conn.SetWriteDeadline(time.Now().Add(writeWait)) // cannot fail: it is only noted
				_, broken = o.conn.Write(text)
				text = text[:0]
			}
		}
		if cap(text) <= 2*writeAtOnce {
			*buffer = text
		}
		if broken != nil {
			o.end()
			o.fail(broken)
		}
	}
}

// appendFrame writes a frame as a server does: whole and unmasked (RFC 6455, 5.2).
func appendFrame(b []byte, f *frame) []byte {
	const final = 0x80
	b = append(b, final|f.op)
	switch n := f.size(); {
	case n < 126:
		b = append(b, byte(n))
	case n < 1<<16:
		b = binary.BigEndian.AppendUint16(append(b, 126), uint16(n))
	default:
		b = binary.BigEndian.AppendUint64(append(b, 127), uint64(n))
	}
	b = append(b, f.head...)
	b = append(b, f.body...)
	return append(b, f.tail...)
}

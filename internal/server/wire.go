package server

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"net"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/gorilla/websocket"
)

// Bounds of what waits for one client to take it. A subscription that finds them reached reads on from storage later.
const (
	maxQueued      = 256
	maxQueuedBytes = 256 << 10
	writeBytes     = 64 << 10 // one write takes about so many
)

var errFull = errors.New("the client does not take what it is sent")

// frame is one WebSocket message that waits: head and body, of which the body may be shared with others.
type frame struct {
	head, body []byte
	void       *atomic.Bool // no longer to be sent when set; nil: to be sent in any case
	opcode     byte         // 0: head is sent as it is
}

func (f *frame) size() int { return len(f.head) + len(f.body) }

// wire is a connection that is never waited for: what is sent waits in a queue, and all of it goes out in one write. As long as
// the client keeps up, whoever sends does the write, which costs no switch of goroutines; when the connection is full, a
// goroutine does, until the queue is empty. It takes what gorilla/websocket writes too, so that nothing is mixed up.
type wire struct {
	net.Conn
	buffers *sync.Pool      // of *[]byte, for one write
	raw     syscall.RawConn // nil where a write cannot be tried
	writing sync.WaitGroup
	attempt attempt

	mu    sync.Mutex // guards the rest
	queue []frame
	bytes int // in queue
	busy  bool
	err   error
	shut  bool          // the last was queued: what comes after it is dropped
	room  chan struct{} // closed when something was taken; nil while nobody waits
}

func newWire(conn net.Conn, buffers *sync.Pool) *wire {
	w := &wire{Conn: conn, buffers: buffers}
	if c, ok := conn.(syscall.Conn); ok && triesWrites {
		w.raw, _ = c.SyscallConn() // without it, a goroutine writes
	}
	return w
}

// Write implements net.Conn for gorilla/websocket: the answer to the upgrade, and control frames.
func (w *wire) Write(b []byte) (int, error) {
	w.mu.Lock()
	if w.bytes > 2*maxQueuedBytes {
		w.mu.Unlock()
		return 0, errFull
	}
	err := w.add(frame{head: bytes.Clone(b)})
	w.mu.Unlock()
	w.flush()
	return len(b), err
}

// SetWriteDeadline does nothing: the wire has its own.
func (w *wire) SetWriteDeadline(time.Time) error { return nil }

// add appends to the queue. w.mu is held.
func (w *wire) add(f frame) error {
	if w.err == nil && !w.shut {
		w.queue = append(w.queue, f)
		w.bytes += f.size()
	}
	return w.err
}

func (w *wire) full(more int) bool { return crowded(len(w.queue), w.bytes, more) }

// crowded tells whether a queue of so many messages and bytes has no room for more bytes. An empty one takes any.
func crowded(messages, bytes, more int) bool {
	return messages >= maxQueued || bytes > 0 && bytes+more > maxQueuedBytes
}

// offer queues a frame that flush will send; false when there is no room.
func (w *wire) offer(f frame) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.full(f.size()) {
		return false
	}
	_ = w.add(f) // of a connection that is gone, nothing is missed
	return true
}

// must queues a small frame, room or not.
func (w *wire) must(f frame) {
	w.mu.Lock()
	defer w.mu.Unlock()
	_ = w.add(f) // of a connection that is gone, nothing is missed
}

// put queues a frame when there is room, and sends it.
func (w *wire) put(ctx context.Context, f frame) error {
	if err := w.ready(ctx, f.size()); err != nil {
		return err
	}
	w.mu.Lock()
	err := w.add(f) // few put at once: the bound is one of order
	w.mu.Unlock()
	w.flush()
	return err
}

// ready waits until there is room.
func (w *wire) ready(ctx context.Context, size int) error {
	for {
		w.mu.Lock()
		if w.err != nil || !w.full(size) {
			err := w.err
			w.mu.Unlock()
			return err
		}
		if w.room == nil {
			w.room = make(chan struct{})
		}
		room := w.room
		w.mu.Unlock()
		select {
		case <-room:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// last queues a frame, room or not, and calls then when all was sent or cannot be.
func (w *wire) last(f frame, then func()) {
	w.mu.Lock()
	if w.add(f) != nil {
		w.mu.Unlock()
		then()
		return
	}
	w.shut = true
	w.writing.Add(1) // before Close, so that whoever waits waits for this too
	w.mu.Unlock()
	w.flush()
	go func() {
		defer w.writing.Done()
		for {
			w.mu.Lock()
			if w.err != nil || len(w.queue) == 0 && !w.busy {
				w.mu.Unlock()
				then()
				return
			}
			if w.room == nil {
				w.room = make(chan struct{})
			}
			room := w.room
			w.mu.Unlock()
			<-room
		}
	}()
}

// flush sends what is queued. It does not wait.
func (w *wire) flush() {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.busy || w.err != nil {
		return
	}
	w.busy = true
	for w.err == nil {
		buf := w.take()
		if buf == nil {
			break
		}
		w.mu.Unlock()
		n, err := w.try(*buf)
		w.mu.Lock()
		if err == nil && w.err == nil && n < len(*buf) { // nothing is begun after Close: it is waited for
			w.writing.Go(func() { w.drain(buf, n) })
			return
		}
		w.done(buf, err)
	}
	w.busy = false
}

// drain goes on with a buffer of which so much is sent, and then with the queue, waiting for the client.
func (w *wire) drain(buf *[]byte, sent int) {
	for buf != nil {
		_ = w.Conn.SetWriteDeadline(time.Now().Add(writeWait)) // one that is closed says so when written to
		_, err := w.Conn.Write((*buf)[sent:])
		w.mu.Lock()
		w.done(buf, err)
		buf, sent = nil, 0
		if w.err == nil {
			buf = w.take()
		}
		if buf == nil { // the queue is empty, so whoever adds to it next finds nobody busy, and sends
			_ = w.Conn.SetWriteDeadline(time.Time{}) // before another writer sets its own
			w.busy = false
		}
		w.mu.Unlock()
	}
}

// take moves what is queued into a buffer, nil when there is nothing. w.mu is held.
func (w *wire) take() *[]byte {
	var buf *[]byte
	n := 0
	for ; n < len(w.queue); n++ {
		f := &w.queue[n]
		if buf != nil && len(*buf)+f.size() > writeBytes {
			break
		}
		w.bytes -= f.size()
		if f.void != nil && f.void.Load() {
			continue
		}
		if buf == nil {
			var ok bool
			if buf, ok = w.buffers.Get().(*[]byte); !ok {
				buf = new([]byte)
			}
		}
		*buf = f.append(*buf)
	}
	clear(w.queue[:n])
	if n == len(w.queue) {
		if w.queue = w.queue[:0]; cap(w.queue) > 16 {
			w.queue = nil // most are silent most of the time
		}
	} else {
		w.queue = w.queue[n:]
	}
	if buf == nil {
		w.tell()
	}
	return buf
}

// done gives a buffer back and lets those go on who wait for room. w.mu is held.
func (w *wire) done(buf *[]byte, err error) {
	if cap(*buf) <= 2*writeBytes {
		*buf = (*buf)[:0]
		w.buffers.Put(buf)
	}
	if err != nil && w.err == nil {
		w.err, w.queue, w.bytes = err, nil, 0
		_ = w.Conn.Close() // reading notices
	}
	w.tell()
}

func (w *wire) tell() {
	if w.room != nil {
		close(w.room)
		w.room = nil
	}
}

// append writes the frame as a server does (RFC 6455, 5.2): whole, not masked.
func (f *frame) append(to []byte) []byte {
	if f.opcode != 0 {
		to = append(to, 0x80|f.opcode)
		switch n := f.size(); {
		case n < 126:
			to = append(to, byte(n))
		case n < 1<<16:
			to = binary.BigEndian.AppendUint16(append(to, 126), uint16(n))
		default:
			to = binary.BigEndian.AppendUint64(append(to, 127), uint64(n))
		}
	}
	return append(append(to, f.head...), f.body...)
}

// textFrame is a message as it is.
func textFrame(text []byte) frame { return frame{opcode: websocket.TextMessage, head: text} }

// Close closes the connection; afterwards nothing is written any more.
func (w *wire) Close() error {
	w.mu.Lock()
	if w.err == nil {
		w.err, w.queue, w.bytes = net.ErrClosed, nil, 0
	}
	w.tell()
	w.mu.Unlock()
	return w.Conn.Close()
}

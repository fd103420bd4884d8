package server

import (
	"context"
	"runtime"
	"sync"

	"github.com/99designs/gqlgen/graphql"

	"stockbridge/graph"
)

// Bounds of what a group keeps for members that come, or come back, a little late.
const (
	recentMessages = 64
	recentBytes    = 128 << 10
)

// Bounds of what waits between executing and handing out. It is handed out as one, before any of it is sent: with half of what
// may wait for a client (wire), the queue of one that keeps up always takes it, though each message has a head of its own
// there. One message that is larger waits alone, and an empty queue takes that too.
const (
	pendingMessages = maxQueued / 2
	pendingBytes    = maxQueuedBytes / 2
)

// group executes one subscription for its members. It lives as long as it has some.
type group struct {
	of      *groups
	key     groupKey
	sharing graph.Sharing
	track   *graph.Track
	cancel  context.CancelFunc
	begun   chan struct{} // closed when it began, or did not
	waiting int           // who waits for that; guarded by groups.mu

	mu       sync.Mutex // guards the rest
	members  map[*member]struct{}
	at       int64 // position of the last message; before it, of the beginning
	cursor   string
	from     int64 // recent has all after this
	recent   []*shared
	bytes    int // in recent
	pending  []*shared
	waits    int           // bytes in pending
	sending  bool          // somebody hands out what is pending
	sent     chan struct{} // closed when what is pending was taken; nil while nobody waits for that
	ended    bool
	joinable bool // it began, and has not ended
}

func (g *group) stands() bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.joinable
}

// add gives a member what it lacks; false when that is no longer here.
func (g *group) add(m *member) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	if !g.joinable || m.at != nil && *m.at < g.from {
		return false
	}
	if g.sharing == graph.State {
		m.at = new(g.at - 1)
	}
	if m.cursor == "" {
		m.cursor = g.track.CursorAt(*m.at)
	}
	m.joined = m.cursor
	for _, msg := range g.recent {
		if !m.give(msg) {
			return false // its position is known: it catches up from there
		}
	}
	g.members[m] = struct{}{}
	return true
}

// run executes the subscription until it ends or nobody is left.
func (g *group) run(ctx context.Context, op *graphql.OperationContext) {
	defer g.cancel()
	began := sync.OnceFunc(func() { close(g.begun) })
	defer began()
	number := int64(0)
	g.of.each(ctx, op, func() {
		g.of.mu.Lock()
		defer g.of.mu.Unlock()
		g.mu.Lock()
		defer g.mu.Unlock()
		if g.joinable = g.sharing == graph.State || g.track.Begun(); g.joinable {
			g.at, g.from, g.cursor = g.track.At(), g.track.At(), g.track.Cursor()
		}
		for m := range g.members { // the founder
			if m.at == nil && g.joinable {
				m.at = new(g.at)
			}
			if m.cursor == "" {
				m.cursor = g.cursor
			}
			m.joined = m.cursor
		}
		began()
	}, func(resp *graphql.Response) error {
		number++
		msg := &shared{at: number, text: append(encode(resp), '}')}
		if g.sharing == graph.Stream {
			msg.at, msg.cursor = g.track.At(), g.track.Cursor()
		}
		return g.push(ctx, msg)
	})
	_ = g.push(ctx, &shared{end: true}) // whoever left needs no end
}

// push takes a message for all members. It waits while too much of that is not handed out yet, never for a client.
func (g *group) push(ctx context.Context, msg *shared) error {
	g.mu.Lock()
	for len(g.pending) >= pendingMessages || g.waits > 0 && g.waits+len(msg.text) > pendingBytes {
		if g.sent == nil {
			g.sent = make(chan struct{})
		}
		sent := g.sent
		g.mu.Unlock()
		select {
		case <-sent:
		case <-ctx.Done():
			return ctx.Err()
		}
		g.mu.Lock()
	}
	g.pending = append(g.pending, msg)
	g.waits += len(msg.text)
	if g.sending {
		g.mu.Unlock()
		return nil
	}
	g.sending = true
	few := len(g.members) <= 8
	g.mu.Unlock()
	if few {
		g.handOut()
	} else {
		g.of.work.Go(g.handOut) // so that what is executed meanwhile goes out together
	}
	return nil
}

// handOut gives members what is pending until nothing is.
func (g *group) handOut() {
	for {
		h := g.of
		h.mu.Lock()
		g.mu.Lock()
		batch := g.pending
		g.pending, g.waits = nil, 0
		if g.sent != nil {
			close(g.sent)
			g.sent = nil
		}
		if len(batch) == 0 {
			g.sending = false
			g.mu.Unlock()
			h.mu.Unlock()
			return
		}
		g.remember(batch)
		outlets := make([]outlet, 0, len(g.members))
		var late []*member
		for m := range g.members {
			outlets = append(outlets, m.outlet)
			for _, msg := range batch {
				if !m.give(msg) {
					late = append(late, m)
					break
				}
			}
		}
		for _, m := range late {
			delete(g.members, m)
			m.group = nil
		}
		if g.ended {
			for m := range g.members {
				m.group = nil
			}
			clear(g.members)
		}
		g.mu.Unlock()
		h.prune(g)
		h.mu.Unlock()
		flush(outlets)
		for _, m := range late {
			m.lag()
		}
	}
}

// remember keeps messages for those who come late, and moves on. g.mu is held.
func (g *group) remember(batch []*shared) {
	for _, msg := range batch {
		if msg.end {
			g.ended, g.joinable = true, false
			continue
		}
		g.at, g.cursor = msg.at, msg.cursor
		g.recent = append(g.recent, msg)
		g.bytes += len(msg.text)
	}
	most := recentMessages
	if g.sharing == graph.State {
		most = 1
	}
	for len(g.recent) > most || g.bytes > recentBytes && len(g.recent) > 1 {
		g.from = g.recent[0].at
		g.bytes -= len(g.recent[0].text)
		g.recent[0] = nil
		g.recent = g.recent[1:]
	}
}

// flush sends to many, on as many processors as there are.
func flush(all []outlet) {
	const some = 128
	workers := min(runtime.GOMAXPROCS(0), len(all)/some)
	if workers < 2 {
		for _, o := range all {
			o.flush()
		}
		return
	}
	var done sync.WaitGroup
	for i := range workers {
		done.Go(func() {
			for _, o := range all[i*len(all)/workers : (i+1)*len(all)/workers] {
				o.flush()
			}
		})
	}
	done.Wait()
}

package server

import (
	"context"
	"runtime"
	"sync"

	"github.com/99designs/gqlgen/graphql"

	"stockbridge/graph"
	"stockbridge/internal/access"
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

// shared is one response, encoded once for all who get it.
type shared struct {
	at     int64  // its position; in a State, its number
	cursor string // to go on after it; "" is none
	text   []byte // and the brace that closes a message of graphql-transport-ws around it
	end    bool   // there is nothing after the one before this
}

// json is the response alone.
func (m *shared) json() []byte { return m.text[:len(m.text)-1] }

// outlet is where a member's messages go. Its methods do not wait, and are called one at a time.
type outlet interface {
	offer(*shared) bool // false: there is no room
	flush()             // sends what was offered
	lag()               // the member was put out of its group, for it had no room
	end()               // nothing more comes
}

// member is one client's subscription, in a group or on its way there.
type member struct {
	outlet
	key     groupKey
	sharing graph.Sharing
	viewer  *access.Viewer
	op      *graphql.OperationContext

	// Guarded by groups.mu.
	at     *int64 // all up to this position was offered; nil before it is known
	cursor string // for at; "" where there is none
	joined string // cursor when it joined: nothing after it was offered before
	group  *group // nil while it is in none
}

// memberOf is a client's subscription, on its way to a group.
func (s *Server) memberOf(ctx context.Context, op *graphql.OperationContext) *member {
	viewer, err := access.From(ctx)
	if err != nil {
		panic(err) // signed in
	}
	return &member{key: keyOf(viewer, op), sharing: s.Schema.Sharing(rootField(op).Name), viewer: viewer, op: op}
}

// groups are the subscriptions that are executed once for all who ask the same.
type groups struct {
	*Server
	work sync.WaitGroup

	mu    sync.Mutex // guards the map and who belongs where; taken before a group's
	byKey map[groupKey]*group
}

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

// join makes m a member from its position on. It is false when the group is past that by more than it keeps: m has to catch
// up first. ctx is m's.
func (h *groups) join(ctx context.Context, m *member) (bool, error) {
	for {
		h.mu.Lock()
		if m.sharing == graph.State {
			m.at = nil // numbers are a group's own, and the last state is told to all who come
		}
		g := h.byKey[m.key]
		if g != nil && m.sharing == graph.Stream && m.at == nil {
			h.mu.Unlock()
			if !h.fromNowOn(ctx, m) {
				return false, ctx.Err()
			}
			continue
		}
		if err := ctx.Err(); g == nil || err != nil {
			if err == nil {
				g = h.found(m)
			}
			h.mu.Unlock()
			if err != nil {
				return false, err
			}
			select {
			case <-g.begun:
			case <-ctx.Done():
			}
			return true, nil
		}
		g.waiting++
		h.mu.Unlock()
		select {
		case <-g.begun:
		case <-ctx.Done():
		}
		h.mu.Lock()
		g.waiting--
		joined, again := ctx.Err() == nil && g.add(m), ctx.Err() == nil && !g.stands()
		if joined {
			m.group = g
		} else if again && h.byKey[m.key] == g { // it did not begin, or is over: what it says is not for those who come now
			delete(h.byKey, m.key)
		}
		h.prune(g)
		h.mu.Unlock()
		switch {
		case ctx.Err() != nil:
			return false, ctx.Err()
		case joined:
			m.flush()
			return true, nil
		case !again:
			return false, nil
		}
	}
}

// fromNowOn gives a member the position that one has who begins a group: what was committed before is not for it, also where the
// others have yet to be told. It is false where that cannot be found: what executes alone then looks too, and tells why.
func (h *groups) fromNowOn(ctx context.Context, m *member) bool {
	at, err := h.Schema.Newest(ctx)
	if err != nil {
		if ctx.Err() == nil {
			h.Log.WarnContext(ctx, "where the feed ends could not be looked up for a subscription; it looks again", "err", err)
		}
		return false
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	m.at = &at
	return true
}

// found begins a group with one member, which asks for the others too. h.mu is held.
func (h *groups) found(m *member) *group {
	g := &group{of: h, key: m.key, sharing: m.sharing, track: &graph.Track{From: m.at}, begun: make(chan struct{}), members: map[*member]struct{}{m: {}}}
	if m.at != nil {
		g.track.From = new(*m.at)
	}
	var ctx context.Context
	ctx, g.cancel = context.WithCancel(access.With(h.sockets, &access.Viewer{Name: "all who ask the same", Role: m.viewer.Role, MerchantIDs: m.viewer.MerchantIDs}))
	h.byKey[m.key], m.group = g, g
	h.work.Go(func() { g.run(graph.WithTrack(ctx, g.track), m.op) })
	return g
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

// give offers a message unless the member has it. False when there is no room.
func (m *member) give(msg *shared) bool {
	if msg.end {
		m.outlet.end()
		return true
	}
	if m.at != nil && msg.at <= *m.at {
		return true
	}
	if !m.offer(msg) {
		return false
	}
	if m.at != nil {
		*m.at = msg.at
		m.cursor = msg.cursor
	}
	return true
}

// leave takes a member out of its group. Nothing is offered to it afterwards. It tells the position it had, "" for none.
func (h *groups) leave(m *member) string {
	h.mu.Lock()
	defer h.mu.Unlock()
	if g := m.group; g != nil {
		g.mu.Lock()
		delete(g.members, m)
		g.mu.Unlock()
		m.group = nil
		h.prune(g)
	}
	return m.cursor
}

// prune ends a group that nobody is in or comes to. h.mu is held.
func (h *groups) prune(g *group) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if len(g.members) > 0 || g.waiting > 0 {
		return
	}
	g.joinable = false
	g.cancel()
	if h.byKey[g.key] == g {
		delete(h.byKey, g.key)
	}
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

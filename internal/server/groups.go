package server

import (
	"context"
	"sync"

	"stockbridge/graph"
	"stockbridge/internal/access"
)

// groups are the subscriptions that are executed once for all who ask the same.
type groups struct {
	*Server
	work sync.WaitGroup

	mu    sync.Mutex // guards the map and who belongs where; taken before a group's
	byKey map[groupKey]*group
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

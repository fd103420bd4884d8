package server

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"sync"
	"sync/atomic"

	"github.com/99designs/gqlgen/graphql"
	"github.com/vektah/gqlparser/v2/ast"

	"stockbridge/graph"
	"stockbridge/internal/access"
)

// message is one response of a subscription, encoded once for all who get it.
type message struct {
	payload  []byte // the response as JSON
	position int64  // where it stands in the feed; 0: nowhere
}

// outlet takes the messages of one subscription to its client.
type outlet interface {
	// offer takes a message if there is room for it, and never waits.
	offer(*message) bool
	// put waits for room. The error is that of ctx, or says that the client is gone.
	put(context.Context, *message) error
	// end says that nothing more comes.
	end()
	// spawn runs f beside, if the client is still there; who serves the client waits for it.
	spawn(f func())
}

// subscription is one client's. It is served by a goroutine of its own while it is behind, and by that of its group else.
type subscription struct {
	ctx      context.Context // of the client; carries the viewer
	op       *graphql.OperationContext
	out      outlet
	sharing  graph.Sharing
	key      [sha256.Size]byte     // equal for those who may share
	after    string                // the cursor that the transport was told to begin after, "" for that of the document
	position atomic.Int64          // all up to here is with the outlet
	last     *message              // of States: what the client was shown last; of who serves it
	group    atomic.Pointer[group] // that it is a member of
	left     atomic.Bool           // nothing more is to come
}

// group is one execution for all who ask the same.
type group struct {
	shared *shared
	sub    *subscription // what is executed; any member's would do
	cancel context.CancelFunc

	mu      sync.Mutex // guards the rest; taken after shared.mu
	members map[*subscription]struct{}
	recent  []*message // the latest, so that who comes from storage finds what came meanwhile
	covers  int64      // all messages after this position are in recent
	ended   bool
}

// recentMessages is how many messages a group keeps for who joins it.
const recentMessages = 64

// shared are the executions under way.
type shared struct {
	server *Server
	work   sync.WaitGroup

	mu     sync.Mutex // guards groups
	groups map[[sha256.Size]byte]*group
}

// subscriptionOf makes a subscription of an operation that was prepared.
func (s *Server) subscriptionOf(ctx context.Context, op *graphql.OperationContext, out outlet, after string) (*subscription, error) {
	sub := &subscription{ctx: ctx, op: op, out: out, after: after}
	root := rootField(op.Operation.SelectionSet)
	if s.Sharing == nil || root == nil {
		return sub, nil
	}
	sub.sharing = s.Sharing(root.Name)
	variables := op.Variables
	if arg := root.Arguments.ForName("after"); arg != nil && arg.Value.Kind == ast.Variable && uses(op.Operation.SelectionSet, arg.Value.Raw) == 1 {
		variables = make(map[string]any, len(op.Variables))
		for name, v := range op.Variables {
			if name != arg.Value.Raw {
				variables[name] = v
			}
		}
	}
	v, err := access.From(ctx)
	if err != nil {
		return nil, err
	}
	scope := v.MerchantIDs
	if v.Role == access.Admin {
		scope = nil
	}
	text, err := json.Marshal([]any{v.Role, scope, op.RawQuery, op.OperationName, variables}) // keys are in order
	if err != nil {
		return nil, fmt.Errorf("tell a subscription apart: %w", err)
	}
	sub.key = sha256.Sum256(text)
	return sub, nil
}

// rootField is the field of a subscription, of which there is one.
func rootField(set ast.SelectionSet) *ast.Field {
	for _, selection := range set {
		switch s := selection.(type) {
		case *ast.Field:
			return s
		case *ast.InlineFragment:
			return rootField(s.SelectionSet)
		case *ast.FragmentSpread:
			return rootField(s.Definition.SelectionSet)
		}
	}
	return nil
}

// uses counts where a selection has a variable. Fragments that are spread twice count twice, up to two: no more is asked.
func uses(set ast.SelectionSet, variable string) (n int) {
	directives := func(all ast.DirectiveList) {
		for _, d := range all {
			for _, arg := range d.Arguments {
				n += usesIn(arg.Value, variable)
			}
		}
	}
	for _, selection := range set {
		if n > 1 {
			return n
		}
		switch s := selection.(type) {
		case *ast.Field:
			for _, arg := range s.Arguments {
				n += usesIn(arg.Value, variable)
			}
			directives(s.Directives)
			n += uses(s.SelectionSet, variable)
		case *ast.InlineFragment:
			directives(s.Directives)
			n += uses(s.SelectionSet, variable)
		case *ast.FragmentSpread:
			directives(s.Directives)
			n += uses(s.Definition.SelectionSet, variable)
		}
	}
	return n
}

func usesIn(v *ast.Value, variable string) (n int) {
	if v.Kind == ast.Variable && v.Raw == variable {
		n++
	}
	for _, child := range v.Children {
		n += usesIn(child.Value, variable)
	}
	return n
}

// run serves a subscription until it is a member of a group, which serves it from then on, or has ended. begun is called when
// nothing that happens from then on can be missed.
func (h *shared) run(sub *subscription, begun func()) {
	defer begun()
	switch sub.sharing {
	case graph.Alone:
		h.alone(sub, &graph.Stream{Begin: graph.FromArguments}, begun)
		h.finish(sub)
	case graph.States:
		h.join(sub)
	case graph.Facts:
		first := &graph.Stream{Begin: graph.FromArguments, After: sub.after, Stored: true}
		if newest := h.server.Newest; sub.after == "" && !sub.begins() && newest != nil {
			if at, err := newest(sub.ctx); err == nil { // else the execution finds out too, and says so
				sub.position.Store(at)
				begun()
				if h.join(sub) {
					return
				}
				first.Begin = at
			}
		}
		h.catchUp(sub, first, begun)
	}
}

// begins tells whether the document says where the subscription begins.
func (sub *subscription) begins() bool {
	after, _ := rootField(sub.op.Operation.SelectionSet).ArgumentMap(sub.op.Variables)["after"].(string)
	return after != ""
}

// catchUp brings a subscription from storage to where a group is, and makes it a member.
func (h *shared) catchUp(sub *subscription, stream *graph.Stream, begun func()) {
	for {
		h.alone(sub, stream, begun)
		if stream.Reached() == 0 || sub.ctx.Err() != nil {
			h.finish(sub)
			return
		}
		sub.position.Store(max(sub.position.Load(), stream.Reached()))
		if h.join(sub) {
			return
		}
		stream = &graph.Stream{Begin: sub.position.Load(), Stored: true}
	}
}

// finish ends a subscription whose execution has, unless it is its client that has ended.
func (h *shared) finish(sub *subscription) {
	if sub.ctx.Err() == nil {
		sub.left.Store(true)
		sub.out.end()
	}
}

// alone runs an execution for one subscription, which waits for its client.
func (h *shared) alone(sub *subscription, stream *graph.Stream, begun func()) {
	ctx, cancel := context.WithCancel(sub.ctx)
	defer cancel()
	h.server.each(graph.WithStream(ctx, stream), sub.op, begun, func(resp *graphql.Response) error {
		m := h.message(sub, stream, resp)
		if err := sub.out.put(ctx, m); err != nil {
			return err
		}
		if m.position > 0 {
			sub.position.Store(m.position)
		}
		return nil
	})
}

// message encodes a response.
func (h *shared) message(sub *subscription, stream *graph.Stream, resp *graphql.Response) *message {
	m := &message{}
	if sub.sharing == graph.Facts {
		if m.position = stream.Position(); m.position > 0 {
			told := *resp
			told.Extensions = map[string]any{"cursor": graph.Cursor(m.position)}
			for name, v := range resp.Extensions {
				told.Extensions[name] = v
			}
			resp = &told
		}
	}
	m.payload = encode(resp)
	return m
}

// join makes a subscription a member of the group of those who ask the same, at its position. It answers false where the
// group no longer has what came after that.
func (h *shared) join(sub *subscription) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	g := h.groups[sub.key]
	if g != nil {
		g.mu.Lock()
		if g.ended {
			g.mu.Unlock()
			g = nil
		}
	}
	if g == nil {
		g = h.begin(sub)
	}
	defer g.mu.Unlock()
	if sub.sharing == graph.Facts && g.covers > sub.position.Load() {
		return false
	}
	for _, m := range g.recent {
		if !g.give(sub, m) {
			if sub.sharing == graph.States {
				sub.out.spawn(func() { h.show(sub, m) })
				return true
			}
			return false
		}
	}
	g.members[sub] = struct{}{}
	sub.op = g.sub.op // its own is not needed any more: positions tell where to begin
	sub.group.Store(g)
	if sub.left.Load() { // while it was joining
		delete(g.members, sub)
		g.retire()
	}
	return true
}

// show waits until a client that was behind is shown a state, and goes on with what came meanwhile.
func (h *shared) show(sub *subscription, m *message) {
	if sub.out.put(sub.ctx, m) == nil {
		sub.last = m
		h.join(sub)
	}
}

// begin makes the group of a subscription and executes it. h.mu is held, and g.mu when it returns: a group without members
// would end.
func (h *shared) begin(sub *subscription) *group {
	v, _ := access.From(sub.ctx)
	ctx, cancel := context.WithCancel(access.With(h.server.streams, v))
	g := &group{shared: h, sub: &subscription{op: sub.op, sharing: sub.sharing, key: sub.key}, cancel: cancel, members: map[*subscription]struct{}{}, covers: sub.position.Load()}
	g.mu.Lock()
	h.groups[sub.key] = g
	stream := &graph.Stream{Begin: graph.FromArguments}
	if sub.sharing == graph.Facts {
		stream.Begin = g.covers
	}
	h.work.Go(func() {
		defer cancel()
		h.server.each(graph.WithStream(ctx, stream), g.sub.op, func() {}, func(resp *graphql.Response) error {
			g.hand(h.message(g.sub, stream, resp))
			return nil
		})
		g.end(ctx.Err() == nil)
	})
	return g
}

// give offers a member what it has not seen yet. g.mu is held.
func (g *group) give(sub *subscription, m *message) bool {
	if m == sub.last || m.position > 0 && m.position <= sub.position.Load() {
		return true
	}
	if !sub.out.offer(m) {
		return false
	}
	if m.position > 0 {
		sub.position.Store(m.position)
	}
	if sub.sharing == graph.States {
		sub.last = m
	}
	return true
}

// hand gives a message to all members. Who has no room for it leaves, and is served by itself until it has caught up.
func (g *group) hand(m *message) {
	g.mu.Lock()
	defer g.mu.Unlock()
	keep := recentMessages
	if g.sub.sharing == graph.States {
		keep = 1
	}
	if len(g.recent) == keep {
		g.covers = g.recent[0].position
		g.recent = append(g.recent[:0], g.recent[1:]...)
	}
	g.recent = append(g.recent, m)
	for sub := range g.members {
		if g.give(sub, m) {
			continue
		}
		delete(g.members, sub)
		sub.group.Store(nil)
		sub.out.spawn(func() {
			if sub.sharing == graph.States {
				g.shared.show(sub, m)
				return
			}
			g.shared.catchUp(sub, &graph.Stream{Begin: sub.position.Load(), Stored: true}, func() {})
		})
	}
	g.retire()
}

// leave ends a subscription from the client's side.
func (h *shared) leave(sub *subscription) {
	sub.left.Store(true)
	if g := sub.group.Load(); g != nil {
		g.mu.Lock()
		defer g.mu.Unlock()
		delete(g.members, sub)
		g.retire()
	}
}

// retire ends a group without members. g.mu is held.
func (g *group) retire() {
	if len(g.members) == 0 && !g.ended {
		g.ended = true
		g.cancel()
	}
}

// end takes a group that has ended out, and ends its members if it came to its end by itself.
func (g *group) end(byItself bool) {
	h := g.shared
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.groups[g.sub.key] == g {
		delete(h.groups, g.sub.key)
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	g.ended = true
	for sub := range g.members {
		sub.group.Store(nil)
		if byItself && sub.ctx.Err() == nil {
			sub.left.Store(true)
			sub.out.end()
		}
	}
	g.members = nil
}

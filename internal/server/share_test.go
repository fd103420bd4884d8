package server

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"

	"github.com/99designs/gqlgen/graphql"
	"github.com/gorilla/websocket"
	"github.com/vektah/gqlparser/v2/ast"

	"stockbridge/graph"
	"stockbridge/internal/access"
)

// happenings are a feed in memory: what the toy's field facts tells of.
type happenings struct {
	mu    sync.Mutex
	facts []string
	more  chan struct{}
	runs  int // executions so far
}

func newHappenings() *happenings { return &happenings{more: make(chan struct{})} }

func (h *happenings) add(facts ...string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.facts = append(h.facts, facts...)
	close(h.more)
	h.more = make(chan struct{})
}

// after is the fact after a position, and whether there is one; more is closed when there is another.
func (h *happenings) after(position int64) (fact string, ok bool, more <-chan struct{}) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if position >= 0 && position < int64(len(h.facts)) {
		return h.facts[position], true, nil
	}
	return "", false, h.more
}

func (h *happenings) newest(context.Context) (int64, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	return int64(len(h.facts)), nil
}

func (h *happenings) executions() int {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.runs
}

// exec answers facts(after:) as the real schema answers activity, together with who the execution is for.
func (h *happenings) exec(ctx context.Context, field *ast.Field, variables map[string]any) graphql.ResponseHandler {
	h.mu.Lock()
	h.runs++
	at := int64(len(h.facts))
	h.mu.Unlock()
	stream := graph.StreamOf(ctx)
	after, _ := field.ArgumentMap(variables)["after"].(string)
	if stream.After != "" {
		after = stream.After
	}
	if after != "" {
		at = -1
		for n := range int64(1 << 16) {
			if graph.Cursor(n) == after {
				at = n
				break
			}
		}
	}
	if stream.Begin != graph.FromArguments {
		at = stream.Begin
	}
	if at < 0 {
		return graphql.OneShot(graphql.ErrorResponse(ctx, "no such cursor"))
	}
	viewer, err := access.From(ctx)
	if err != nil {
		return graphql.OneShot(graphql.ErrorResponse(ctx, "%v", err))
	}
	return func(ctx context.Context) *graphql.Response {
		for {
			fact, ok, more := h.after(at)
			switch {
			case ok:
				at++
				stream.Sends(at)
				return &graphql.Response{Data: fmt.Appendf(nil, `{"facts":%q}`, fmt.Sprint(fact, " for ", viewer.Role, viewer.MerchantIDs))}
			case stream.Stored:
				stream.Reach(at)
				return nil
			}
			select {
			case <-more:
			case <-ctx.Done():
				return nil
			}
		}
	}
}

// state counts the facts, until one is called end.
func (h *happenings) state() graphql.ResponseHandler {
	h.mu.Lock()
	h.runs++
	h.mu.Unlock()
	told, ended := int64(-1), false
	return func(ctx context.Context) *graphql.Response {
		for !ended && ctx.Err() == nil {
			now, err := h.newest(ctx)
			if err != nil {
				return graphql.ErrorResponse(ctx, "%v", err)
			}
			if now > told {
				last, _, _ := h.after(now - 1)
				told, ended = now, last == "end"
				return &graphql.Response{Data: fmt.Appendf(nil, `{"state":%d}`, now)}
			}
			_, _, more := h.after(told)
			select {
			case <-more:
			case <-ctx.Done():
			}
		}
		return nil
	}
}

// sharing is a server of facts whose secrets are "ROLE name merchants".
func sharing(t *testing.T, set func(*Config)) (*running, *happenings) {
	h := newHappenings()
	r := start(t, func(c *Config) {
		t := c.Schema.(toy)
		t.happenings = h
		c.Schema = t
		c.Newest = h.newest
		c.Sharing = func(field string) graph.Sharing {
			return map[string]graph.Sharing{"facts": graph.Facts, "state": graph.States}[field]
		}
		c.Authenticate = func(_ context.Context, secret string) (*access.Viewer, error) {
			v := &access.Viewer{Name: secret, Role: access.Role(strings.SplitN(secret, "_", 2)[0])}
			for _, c := range secret {
				if c >= '0' && c <= '9' {
					v.MerchantIDs = append(v.MerchantIDs, int64(c-'0'))
				}
			}
			return v, nil
		}
		if set != nil {
			set(c)
		}
	})
	return r, h
}

func (r *running) as(t *testing.T, secret string) *client {
	t.Helper()
	c := r.dial(t, nil)
	c.send(`{"type":"connection_init","payload":{"Authorization":"Bearer ` + secret + `"}}`)
	c.expect(`{"type":"connection_ack"}`)
	return c
}

func (c *client) follow(after string) {
	c.t.Helper()
	variables := map[string]any{}
	if after != "" {
		variables["after"] = after
	}
	payload, err := json.Marshal(map[string]any{"query": "subscription($after: String) { facts(after: $after) }", "variables": variables})
	if err != nil {
		c.t.Fatal(err)
	}
	c.send(`{"id":"1","type":"subscribe","payload":` + string(payload) + `}`)
}

func (c *client) told() (fact, cursor string) {
	c.t.Helper()
	var m struct {
		Type    string
		Payload struct {
			Data       struct{ Facts string }
			Extensions struct{ Cursor string }
		}
	}
	if err := c.ReadJSON(&m); err != nil || m.Type != "next" {
		c.t.Fatalf("%+v %v", m, err)
	}
	return m.Payload.Data.Facts, m.Payload.Extensions.Cursor
}

// members waits until so many subscriptions are members of groups.
func (r *running) members(t *testing.T, want int) {
	t.Helper()
	for {
		n := 0
		r.shared.mu.Lock()
		for _, g := range r.shared.groups {
			g.mu.Lock()
			n += len(g.members)
			g.mu.Unlock()
		}
		r.shared.mu.Unlock()
		if n == want {
			return
		}
		if t.Context().Err() != nil {
			t.Fatalf("%d members, want %d", n, want)
		}
	}
}

// Those who ask the same within one scope are one execution; across scopes nothing is shared, whatever the documents say.
func TestScopesShareNothing(t *testing.T) {
	t.Parallel()
	r, h := sharing(t, nil)
	secrets := []string{"PARTNER_1", "PARTNER_1_too", "PARTNER_2", "PARTNER_12", "OPERATOR_1", "ADMIN_a", "ADMIN_b2"}
	var clients []*client
	for _, secret := range secrets {
		for range 3 {
			c := r.as(t, secret)
			c.follow("")
			clients = append(clients, c)
		}
	}
	r.members(t, len(clients))
	h.add("one")
	for i, c := range clients {
		v, err := r.Authenticate(t.Context(), secrets[i/3])
		if err != nil {
			t.Fatal(err)
		}
		if v.Role == access.Admin { // sees all, whatever is listed
			v.MerchantIDs = nil
		}
		fact, cursor := c.told()
		if v.Role == access.Admin {
			fact = strings.Replace(fact, "[2]", "[]", 1)
		}
		if want := fmt.Sprint("one for ", v.Role, v.MerchantIDs); fact != want || cursor != graph.Cursor(1) {
			t.Errorf("%s was told %q at %s, want %q", secrets[i/3], fact, cursor, want)
		}
	}
	if n := h.executions(); n != 5 { // PARTNER of 1, of 2, of both, OPERATOR, ADMIN
		t.Errorf("%d executions, want 5", n)
	}
	// What differs in the variables, but for where it begins, is not the same.
	other := r.as(t, "ADMIN_a")
	for i, with := range []string{"1", "2", "1"} {
		other.send(fmt.Sprintf(`{"id":"%d","type":"subscribe","payload":{"query":"subscription($x: String) { facts(x: $x) }","variables":{"x":%q}}}`, i, with))
	}
	r.members(t, len(clients)+3)
	h.add("two")
	for range 3 {
		other.told()
	}
	if n := h.executions(); n != 7 {
		t.Errorf("%d executions, want 7", n)
	}
}

// spec 5.1: who resumes is told first what came since and then what comes, without gap or repeat, and shares the execution from
// then on; who leaves costs nothing any more.
func TestResumedSubscriptionsJoinTheOthers(t *testing.T) {
	t.Parallel()
	r, h := sharing(t, nil)
	live := r.as(t, "ADMIN")
	live.follow("")
	r.members(t, 1)
	const n = 300
	var clients []*client
	for i := range n {
		h.add(fmt.Sprint(i))
		if i%30 == 0 {
			c := r.as(t, "ADMIN")
			c.follow(graph.Cursor(int64(i / 2)))
			clients = append(clients, c)
		}
	}
	for k, c := range clients {
		for i := k * 30 / 2; i < n; i++ {
			if fact, cursor := c.told(); fact != fmt.Sprint(i, " for ADMIN[]") || cursor != graph.Cursor(int64(i+1)) {
				t.Fatalf("client %d was told %q at %s, want %d", k, fact, cursor, i)
			}
		}
	}
	for i := range n {
		if fact, _ := live.told(); fact != fmt.Sprint(i, " for ADMIN[]") {
			t.Fatalf("told %q, want %d", fact, i)
		}
	}
	r.members(t, 1+len(clients))
	for _, c := range clients {
		c.send(`{"id":"1","type":"complete"}`)
	}
	live.send(`{"id":"1","type":"complete"}`)
	for {
		r.shared.mu.Lock()
		groups := len(r.shared.groups)
		r.shared.mu.Unlock()
		if groups == 0 {
			break
		}
	}
	bad := r.as(t, "ADMIN")
	bad.follow("nonsense")
	if _, text, err := bad.ReadMessage(); err != nil || !strings.Contains(string(text), "no such cursor") {
		t.Errorf("%s %v", text, err)
	}
	bad.expect(`{"id":"1","type":"complete"}`)
}

// A client that does not take what it is told holds no more than its bound, holds up nobody, and is told everything in the end.
func TestSlowClientIsServedFromStorage(t *testing.T) {
	t.Parallel()
	r, h := sharing(t, nil)
	r.pace.room = room{messages: 10, bytes: 64 << 10}
	slow, quick := r.as(t, "ADMIN"), r.as(t, "ADMIN")
	slow.follow("")
	quick.follow("")
	r.members(t, 2)
	const n = 3000
	long := strings.Repeat("x", 4<<10) // more in all than the system holds for a connection
	for i := range n {
		h.add(fmt.Sprint(i, long))
		if fact, _ := quick.told(); !strings.HasPrefix(fact, fmt.Sprint(i, "x")) {
			t.Fatalf("the quick one was told %.20q, want %d", fact, i)
		}
	}
	for i := range n {
		if fact, cursor := slow.told(); !strings.HasPrefix(fact, fmt.Sprint(i, "x")) || cursor != graph.Cursor(int64(i+1)) {
			t.Fatalf("the slow one was told %.20q at %s, want %d", fact, cursor, i)
		}
	}
	r.members(t, 2)
	if h.executions() < 2 {
		t.Error("the slow one never was behind: this test shows nothing")
	}
}

// Of a state who joins is shown the present one, and the end is everyone's.
func TestStatesAreShared(t *testing.T) {
	t.Parallel()
	r, h := sharing(t, nil)
	const document = "subscription { state }"
	first := r.as(t, "ADMIN")
	first.send(subscribe("1", document))
	first.expect(`{"id":"1","type":"next","payload":{"data":{"state":0}}}`)
	h.add("more")
	first.expect(`{"id":"1","type":"next","payload":{"data":{"state":1}}}`)
	second := r.as(t, "ADMIN")
	second.send(subscribe("1", document))
	second.expect(`{"id":"1","type":"next","payload":{"data":{"state":1}}}`)
	h.add("end")
	for _, c := range []*client{first, second} {
		c.expect(`{"id":"1","type":"next","payload":{"data":{"state":2}}}`)
		c.expect(`{"id":"1","type":"complete"}`)
	}
	if n := h.executions(); n != 1 {
		t.Errorf("%d executions, want 1", n)
	}
}

// A server that stops tells where to go on: sockets by the reason of their close, streams by a last id. What was handed out before
// arrives first.
func TestStopTellsWhereToGoOn(t *testing.T) {
	t.Parallel()
	r, h := sharing(t, nil)
	h.add("before")
	c := r.as(t, "ADMIN")
	c.follow("")
	stream := r.events(t, "subscription { facts }", "")
	r.members(t, 2)
	h.add("one", "two")
	for _, want := range []string{"one for ADMIN[]", "two for ADMIN[]"} {
		if fact, _ := c.told(); fact != want {
			t.Errorf("told %q, want %q", fact, want)
		}
	}
	if err := r.Shutdown(t.Context()); err != nil {
		t.Error(err)
	}
	var closed *websocket.CloseError
	if _, _, err := c.ReadMessage(); !errors.As(err, &closed) || closed.Code != 1001 || !strings.HasSuffix(closed.Text, " after: "+graph.Cursor(3)) {
		t.Errorf("%v", err)
	}
	text, err := io.ReadAll(stream)
	want := fmt.Sprintf(":\n\nevent: next\nid: %s\ndata: %s\n\nevent: next\nid: %s\ndata: %s\n\nid: %[3]s\n: the server is stopping\n\n",
		graph.Cursor(2), `{"data":{"facts":"one for ADMIN[]"},"extensions":{"cursor":"`+graph.Cursor(2)+`"}}`,
		graph.Cursor(3), `{"data":{"facts":"two for ADMIN[]"},"extensions":{"cursor":"`+graph.Cursor(3)+`"}}`)
	if err != nil || string(text) != want {
		t.Errorf("%v\n%s\nwant\n%s", err, text, want)
	}
}

// Last-Event-ID resumes a stream, whatever the document says.
func TestStreamGoesOnAfterLastEventID(t *testing.T) {
	t.Parallel()
	r, h := sharing(t, nil)
	h.add("one", "two", "three")
	stream := r.events(t, `subscription { facts(after: "`+graph.Cursor(0)+`") }`, graph.Cursor(2))
	var got []byte
	for want := []byte("three for"); !strings.Contains(string(got), string(want)); {
		buffer := make([]byte, 1000)
		n, err := stream.Read(buffer)
		if got = append(got, buffer[:n]...); err != nil {
			t.Fatal(err)
		}
	}
	if strings.Contains(string(got), "two for") || !strings.Contains(string(got), "id: "+graph.Cursor(3)) {
		t.Errorf("%s", got)
	}
}

func (r *running) events(t *testing.T, query, last string) io.Reader {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), "POST", r.url+"/graphql", strings.NewReader(quoted(query)))
	if err != nil {
		t.Fatal(err)
	}
	req.Header = http.Header{"Authorization": {"Bearer ADMIN"}, "Content-Type": {"application/json"}, "Accept": {"text/event-stream"}}
	if last != "" {
		req.Header.Set("Last-Event-ID", last)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = resp.Body.Close() })
	return resp.Body
}

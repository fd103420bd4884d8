package server

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/99designs/gqlgen/graphql"
	"github.com/gorilla/websocket"

	"stockbridge/ent/schema/enum"
	"stockbridge/graph"
	"stockbridge/internal/access"
	"stockbridge/internal/activity"
	"stockbridge/internal/database"
	"stockbridge/internal/database/dbtest"
	"stockbridge/internal/globalid"
)

// live is a server of the real API over a real database.
type live struct {
	*running
	t         testing.TB
	db        *database.DB
	feed      *activity.Feed
	unfeed    func() // ends what the feed does, and waits for that
	merchants map[string]int64
	houses    map[string]int64 // a warehouse of each merchant
	rounds    map[string]int
}

func eachLive(t *testing.T, test func(*testing.T, *live)) {
	t.Parallel()
	for _, name := range []string{"sqlite", "postgres"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test(t, startLive(t, name, nil))
		})
	}
}

func startLive(t testing.TB, name string, change func(*Config)) *live {
	t.Helper()
	l := openLive(t, dbtest.URL(t, name))
	for _, m := range []string{"alpha", "beta"} {
		l.merchants[m] = must(l.db.CreateMerchant(t.Context(), database.CreateMerchant{Name: m})).ID
		l.houses[m] = l.house(m, m+" house")
	}
	l.listen(change, must(net.Listen("tcp", "127.0.0.1:0")))
	return l
}

// openLive opens a database and follows it, and serves nothing yet.
func openLive(t testing.TB, url string) *live {
	t.Helper()
	l := &live{t: t, merchants: map[string]int64{}, houses: map[string]int64{}, rounds: map[string]int{}}
	bell := &activity.Bell{}
	l.db = dbtest.Reopen(t, url, database.Options{Committed: bell.Ring})
	l.feed = activity.New(l.db, bell, slog.New(slog.DiscardHandler))
	ctx, cancel := context.WithCancel(context.Background())
	var fed sync.WaitGroup
	fed.Go(func() { l.feed.Run(ctx) })
	l.unfeed = func() { cancel(); fed.Wait() }
	t.Cleanup(l.unfeed)
	return l
}

// house makes a warehouse that reports by itself.
func (l *live) house(merchant, name string) int64 {
	l.t.Helper()
	return must(l.db.CreateWarehouse(l.t.Context(), database.CreateWarehouse{MerchantID: l.merchants[merchant], Name: name,
		Platform: database.PlatformSettings{Platform: enum.Push, Settings: json.RawMessage("{}")}})).ID
}

// listen serves the API until the test ends.
func (l *live) listen(change func(*Config), listener net.Listener) {
	l.t.Helper()
	log := slog.New(slog.DiscardHandler)
	bearers := access.NewAuthenticator(l.db, nil, log)
	c := Config{
		Schema:       graph.New(graph.Config{Reader: access.Scope(l.db.Reader()), DB: l.db, Feed: l.feed, Log: log}),
		Authenticate: bearers.Authenticate, Recheck: bearers.Recheck, Present: graph.ErrorPresenter(log),
		Ready: l.db.Ping, Log: log, MaxSockets: 100_000,
	}
	if change != nil {
		change(&c)
	}
	l.running = &running{Server: New(c), url: "http://" + listener.Addr().String()}
	ended := make(chan error, 1)
	go func() { ended <- l.Serve(listener) }()
	l.t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
		defer cancel()
		if err := errors.Join(l.Shutdown(ctx), <-ended); err != nil {
			l.t.Error(err)
		}
	})
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

// token makes a token for merchants, an ADMIN's for none.
func (l *live) token(role enum.Role, merchants ...string) (secret string, id int64) {
	l.t.Helper()
	secret = fmt.Sprintf("secret-of-%s-%s-%d", role, strings.Join(merchants, "-"), len(l.rounds))
	l.rounds[secret] = 1
	in := database.CreateToken{Name: "bearer", Role: role, Hash: access.Hash(secret), Hint: "x"}
	for _, m := range merchants {
		in.MerchantIDs = append(in.MerchantIDs, l.merchants[m])
	}
	return secret, must(l.db.CreateToken(context.Background(), in)).ID
}

// report has a merchant's warehouse report SKUs, with a figure that is new each time.
func (l *live) report(merchant string, skus ...string) {
	l.t.Helper()
	l.rounds[merchant]++
	var page []database.ReportedLevel
	for _, sku := range skus {
		page = append(page, database.ReportedLevel{LevelKey: database.LevelKey{SKU: sku}, Figures: database.Figures{Available: database.IntOf(int64(l.rounds[merchant]))}})
	}
	r := &database.Recording{MerchantID: l.merchants[merchant], WarehouseID: l.houses[merchant]}
	if err := l.db.Record(context.Background(), r, page, true); err != nil {
		l.t.Fatal(err)
	}
}

func (l *live) merchant(name string) string { return globalid.New("Merchant", l.merchants[name]) }

// signedIn is a socket of a bearer.
func (l *live) signedIn(t *testing.T, secret string) *client {
	t.Helper()
	c := l.dial(t, nil)
	c.send(`{"type":"connection_init","payload":{"Authorization":"Bearer ` + secret + `"}}`)
	c.expect(`{"type":"connection_ack"}`)
	return c
}

// heard is a message as a client reads it.
type heard struct {
	ID, Type string
	Payload  struct {
		Data       map[string]map[string]any
		Errors     []struct{ Extensions map[string]any }
		Extensions struct{ Cursor string }
		Cursors    map[string]string
	}
}

func (c *client) next() (m heard) {
	c.t.Helper()
	if err := c.SetReadDeadline(time.Now().Add(time.Minute)); err != nil { // for each: a long test is none that hangs
		c.t.Fatal(err)
	}
	_, text, err := c.ReadMessage()
	if err != nil {
		c.t.Fatal(err)
	}
	if err := json.Unmarshal(text, &m); err != nil {
		c.t.Fatalf("%s: %v", text, err)
	}
	return m
}

// begun waits until so many subscriptions are in groups.
func (l *live) begun(groups, members int) {
	l.t.Helper()
	for {
		g, m := 0, 0
		l.groups.mu.Lock()
		for _, group := range l.groups.byKey {
			group.mu.Lock()
			if group.joinable {
				g++
				m += len(group.members)
			}
			group.mu.Unlock()
		}
		l.groups.mu.Unlock()
		if g == groups && m == members {
			return
		}
		select {
		case <-time.After(time.Millisecond):
		case <-l.t.Context().Done():
			return
		}
	}
}

func quotedVars(query string, variables map[string]any) string {
	return string(must(json.Marshal(map[string]any{"query": query, "variables": variables})))
}

func subscribeWith(id, query string, variables map[string]any) string {
	return fmt.Sprintf(`{"id":%q,"type":"subscribe","payload":%s}`, id, quotedVars(query, variables))
}

const follow = `subscription ($m: ID!, $after: String) { activity(merchantId: $m, after: $after) { sku after merchant { name } warehouse { name merchant { name } } } }`

// counted tells how often a subscription was executed.
type counted struct {
	graph.API
	executed atomic.Int64
}

func (c *counted) Exec(ctx context.Context) graphql.ResponseHandler {
	c.executed.Add(1)
	return c.API.Exec(ctx)
}

// A burst puts nobody who reads out of a group: it is executed once, however many messages one commit makes.
func TestBurstIsExecutedOnce(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"sqlite", "postgres"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var schema *counted
			l := startLive(t, name, func(c *Config) {
				schema = &counted{API: c.Schema}
				c.Schema = schema
			})
			secret, _ := l.token(enum.Partner, "alpha")
			clients := make([]*client, 20)
			for i := range clients {
				clients[i] = l.signedIn(t, secret)
				clients[i].send(subscribeWith("1", `subscription ($m: ID!) { activity(merchantId: $m) { sku } }`, map[string]any{"m": l.merchant("alpha")}))
			}
			l.begun(1, len(clients))
			skus := make([]string, 2000)
			for i := range skus {
				skus[i] = fmt.Sprintf("S%04d", i)
			}
			var reading sync.WaitGroup
			for _, c := range clients {
				reading.Go(func() {
					for _, want := range skus {
						_, text, err := c.ReadMessage()
						if err != nil || !strings.Contains(string(text), want) {
							t.Errorf("%s %v, want %s", text, err, want)
							return
						}
					}
				})
			}
			l.report("alpha", skus...)
			reading.Wait()
			if n := schema.executed.Load(); n != 1 {
				t.Errorf("it was executed %d times", n)
			}
		})
	}
}

// Clients that ask the same are one execution, whether they begin now or in the past; each gets everything once, in order.
func TestIdenticalSubscriptionsAreOneExecution(t *testing.T) {
	eachLive(t, func(t *testing.T, l *live) {
		secret, _ := l.token(enum.Partner, "alpha")
		variables := map[string]any{"m": l.merchant("alpha")}
		var clients []*client
		for range 5 {
			c := l.signedIn(t, secret)
			c.send(subscribeWith("1", follow, variables))
			clients = append(clients, c)
		}
		l.begun(1, 5)
		l.report("alpha", "A", "B")
		l.report("beta", "X")
		l.report("alpha", "C")
		cursor := ""
		for _, c := range clients {
			for i, want := range []string{"A", "B", "C"} {
				m := c.next()
				if m.ID != "1" || m.Type != "next" || m.Payload.Data["activity"]["sku"] != want || m.Payload.Extensions.Cursor == "" {
					t.Fatalf("got %+v, want %s", m, want)
				}
				if i == 0 {
					cursor = m.Payload.Extensions.Cursor
				}
			}
		}
		late := l.signedIn(t, secret)
		late.send(subscribeWith("é\"", follow, map[string]any{"m": l.merchant("alpha"), "after": cursor}))
		for _, want := range []string{"B", "C"} {
			if m := late.next(); m.ID != "é\"" || m.Payload.Data["activity"]["sku"] != want {
				t.Errorf("after the first: %+v, want %s", m, want)
			}
		}
		l.begun(1, 6)
		clients[0].send(`{"id":"1","type":"complete"}`)
		l.begun(1, 5)
		l.report("alpha", "D")
		for _, c := range append(clients[1:], late) {
			if m := c.next(); m.Payload.Data["activity"]["sku"] != "D" {
				t.Errorf("then: %+v", m)
			}
		}
		for _, c := range append(clients[1:], late) {
			_ = c.Close()
		}
		l.begun(0, 0)
	})
}

// What one may see is shared with nobody who may not: roles and merchants keep groups apart.
func TestNothingIsSharedAcrossScopes(t *testing.T) {
	eachLive(t, func(t *testing.T, l *live) {
		var clients []*client
		for i, secret := range []string{first(l.token(enum.Admin)), first(l.token(enum.Partner, "alpha")), first(l.token(enum.Operator, "alpha")), first(l.token(enum.Partner, "alpha", "beta"))} {
			c := l.signedIn(t, secret)
			c.send(subscribeWith("1", follow, map[string]any{"m": l.merchant("alpha")}))
			clients = append(clients, c)
			l.begun(i+1, i+1) // a group each
		}
		beta := l.signedIn(t, first(l.token(enum.Partner, "beta")))
		beta.send(subscribeWith("1", follow, map[string]any{"m": l.merchant("alpha")}))
		if m := beta.next(); len(m.Payload.Errors) != 1 || m.Payload.Errors[0].Extensions["code"] != "NOT_FOUND" {
			t.Errorf("beta asks for alpha's and gets %+v", m)
		}
		if m := beta.next(); m.Type != "complete" {
			t.Errorf("then %+v", m)
		}
		beta.send(subscribeWith("2", follow, map[string]any{"m": l.merchant("beta")}))
		l.begun(5, 5)
		l.report("alpha", "A")
		l.report("beta", "B")
		for _, c := range clients {
			if m := c.next(); m.Payload.Data["activity"]["sku"] != "A" || fmt.Sprint(m.Payload.Data["activity"]["warehouse"]) != "map[merchant:map[name:alpha] name:alpha house]" {
				t.Errorf("got %+v", m)
			}
		}
		if m := beta.next(); m.Payload.Data["activity"]["sku"] != "B" {
			t.Errorf("beta got %+v", m)
		}
	})
}

func first(secret string, _ int64) string { return secret }

// spec 5.1: a server that stops tells where to go on, also to who got nothing yet, and sends all that it handed out.
func TestDrainTellsWhereToGoOn(t *testing.T) {
	eachLive(t, func(t *testing.T, l *live) {
		l.report("alpha", "before")
		secret, _ := l.token(enum.Partner, "alpha")
		c := l.signedIn(t, secret)
		c.send(subscribeWith("all", follow, map[string]any{"m": l.merchant("alpha")}))
		c.send(subscribeWith("quiet", `subscription ($m: ID!) { activity(merchantId: $m, sku: "none") { sku } }`, map[string]any{"m": l.merchant("alpha")}))
		l.begun(2, 2)
		stream := l.stream(t, secret, quotedVars(follow, map[string]any{"m": l.merchant("alpha")}), "")
		l.begun(2, 3)
		begin := stream.until("\n\n")
		l.report("alpha", "A", "B")
		last := ""
		for range 2 {
			last = c.next().Payload.Extensions.Cursor
		}
		for range 2 {
			stream.until("\n\n")
		}
		done := make(chan error, 1)
		go func() { done <- l.Shutdown(context.Background()) }()
		m := c.next()
		if m.Type != "ping" || m.Payload.Cursors["all"] != last || "id: "+m.Payload.Cursors["quiet"]+"\n\n" != begin {
			t.Errorf("at the end: %+v; last %s, begun with %q", m, last, begin)
		}
		c.expectClose(websocket.CloseGoingAway)
		if rest := stream.rest(); rest != "id: "+last+"\n\n" {
			t.Errorf("the stream ends with %q", rest)
		}
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
}

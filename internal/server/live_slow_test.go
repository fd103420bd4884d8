package server

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"strings"
	"testing"

	"github.com/gorilla/websocket"

	"stockbridge/ent/schema/enum"
)

// narrowed has the server listen where connections hold little, until the test ends.
func (l *live) narrowed() {
	l.t.Helper()
	s, listener, ended := l.Server, must(net.Listen("tcp", "127.0.0.1:0")), make(chan error, 1)
	l.url = "http://" + listener.Addr().String()
	go func() { ended <- s.Serve(narrow{listener}) }()
	l.t.Cleanup(func() {
		_ = s.Shutdown(context.Background()) // told by the one that stops it
		if err := <-ended; err != nil {
			l.t.Error(err)
		}
	})
}

// slow is a signed-in client for which little is held as long as it does not read.
func (l *live) slow(t *testing.T, secret string) *client {
	t.Helper()
	d := websocket.Dialer{Subprotocols: []string{subprotocol}, NetDialContext: func(ctx context.Context, network, address string) (net.Conn, error) {
		c, err := (&net.Dialer{}).DialContext(ctx, network, address)
		if err != nil {
			return nil, err
		}
		return c, c.(*net.TCPConn).SetReadBuffer(32 << 10)
	}}
	conn, _, err := d.DialContext(t.Context(), "ws"+strings.TrimPrefix(l.url, "http")+"/graphql", http.Header{"Authorization": {"Bearer " + secret}}) //nolint:bodyclose // an upgrade has none
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	c := &client{conn, t}
	c.send(`{"type":"connection_init"}`)
	c.expect(`{"type":"connection_ack"}`)
	return c
}

// fat is a subscription of some 12 KB a message.
func fat() string {
	var aliases strings.Builder
	for i := range 150 {
		fmt.Fprintf(&aliases, "the_sku_of_the_activity_that_is_told_of_here_once_more_for_size_%d: sku ", i)
	}
	return `subscription ($m: ID!, $after: String) { activity(merchantId: $m, after: $after) { sku ` + aliases.String() + ` } }`
}

// flood reports 1.2 MB of fat messages, all of which quick reads, and returns their SKUs.
func (l *live) flood(quick *client) (skus []string) {
	l.t.Helper()
	const rounds, each = 5, 20
	for r := range rounds {
		for i := range each {
			skus = append(skus, fmt.Sprintf("S%03d-%02d", r, i))
		}
		l.report("alpha", skus[r*each:]...)
		for _, sku := range skus[r*each:] {
			if m := quick.next(); m.Payload.Data["activity"]["sku"] != sku {
				l.t.Fatalf("quick got %s, want %s", m.Payload.Data["activity"]["sku"], sku)
			}
		}
	}
	return skus
}

// A client that does not read for a while loses nothing, holds little, and keeps up nobody.
func TestSlowClientCatchesUp(t *testing.T) {
	eachLive(t, func(t *testing.T, l *live) {
		l.narrowed()
		secret, _ := l.token(enum.Partner, "alpha")
		slow, quick := l.slow(t, secret), l.signedIn(t, secret)
		for _, c := range []*client{slow, quick} {
			c.send(subscribeWith("1", fat(), map[string]any{"m": l.merchant("alpha")}))
		}
		l.begun(1, 2)
		skus := l.flood(quick)
		l.begun(1, 1) // the slow one is out of its group
		for _, sku := range skus {
			if m := slow.next(); m.Payload.Data["activity"]["sku"] != sku {
				t.Fatalf("slow got %v, want %s", m.Payload.Data["activity"]["sku"], sku)
			}
		}
		l.begun(1, 2)
		l.report("alpha", "last")
		for _, c := range []*client{slow, quick} {
			if m := c.next(); m.Payload.Data["activity"]["sku"] != "last" {
				t.Errorf("at last: %v", m)
			}
		}
	})
}

// spec 5.1: a server that stops tells also a client that has much still to read, and more to be told, where to go on: after the
// last that it sends.
func TestDrainTellsSlowClientWhereToGoOn(t *testing.T) {
	eachLive(t, func(t *testing.T, l *live) {
		l.narrowed()
		secret, _ := l.token(enum.Partner, "alpha")
		slow, quick := l.slow(t, secret), l.signedIn(t, secret)
		for _, c := range []*client{slow, quick} {
			c.send(subscribeWith("1", fat(), map[string]any{"m": l.merchant("alpha")}))
		}
		l.begun(1, 2)
		skus := l.flood(quick)
		l.begun(1, 1)
		done := make(chan error, 1)
		stopping := l.Server
		go func() { done <- stopping.Shutdown(context.Background()) }()
		quick.next() // where to go on
		quick.expectClose(websocket.CloseGoingAway)
		var got []string
		last := ""
		m := slow.next()
		for ; m.Type == "next"; m = slow.next() {
			got = append(got, m.Payload.Data["activity"]["sku"].(string))
			last = m.Payload.Extensions.Cursor
		}
		if m.Type != "ping" || last == "" || m.Payload.Cursors["1"] != last || len(got) == len(skus) {
			t.Errorf("after %d of %d messages, the last with %s: %+v", len(got), len(skus), last, m)
		}
		slow.expectClose(websocket.CloseGoingAway)
		if err := <-done; err != nil {
			t.Error(err)
		}
		l.listen(nil, must(net.Listen("tcp", "127.0.0.1:0")))
		again := l.signedIn(t, secret)
		again.send(subscribeWith("1", fat(), map[string]any{"m": l.merchant("alpha"), "after": last}))
		for len(got) < len(skus) {
			got = append(got, again.next().Payload.Data["activity"]["sku"].(string))
		}
		if fmt.Sprint(got) != fmt.Sprint(skus) {
			t.Errorf("got %v, want %v", got, skus)
		}
	})
}

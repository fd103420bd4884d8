package server

import (
	"compress/gzip"
	"context"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/99designs/gqlgen/graphql"
	"github.com/gorilla/websocket"
)

// long is a toy that answers much.
type long struct{ toy }

func (l long) Exec(ctx context.Context) graphql.ResponseHandler {
	if graphql.GetOperationContext(ctx).OperationName == "Long" {
		return graphql.OneShot(&graphql.Response{Data: []byte(`{"who":"` + strings.Repeat("ada ", 5000) + `"}`)})
	}
	return l.toy.Exec(ctx)
}

// What is long is compressed for those who take it, and means the same; nothing else changes.
func TestAnswersAreCompressed(t *testing.T) {
	t.Parallel()
	r := start(t, func(c *Config) { c.Schema = long{newToy()} })
	much := operationOf("Long", "query Long { who }")
	_, plain := r.do(t, "POST", "/graphql", much, signedIn, asJSON, "Accept-Encoding: identity")
	for _, tc := range []struct {
		name, method, path, body string
		head                     []string
		compressed               bool
		status                   int
	}{
		{"gzip", "POST", "/graphql", much, []string{"Accept-Encoding: gzip"}, true, 200},
		{"gzip among others", "POST", "/graphql", much, []string{"Accept-Encoding: br;q=1, gzip;q=0.5"}, true, 200},
		{"as events", "POST", "/graphql", much, []string{"Accept-Encoding: gzip", events}, false, 200},
		{"gzip not wanted", "POST", "/graphql", much, []string{"Accept-Encoding: br, gzip;q=0"}, false, 200},
		{"unknown", "POST", "/graphql", much, []string{"Accept-Encoding: br"}, false, 200},
		{"short", "POST", "/graphql", quoted("{ who }"), []string{"Accept-Encoding: gzip"}, false, 200},
		{"a panic", "POST", "/graphql", quoted("{ broken }"), []string{"Accept-Encoding: gzip"}, false, 500},
		{"a refusal", "POST", "/graphql", quoted("{"), []string{"Accept-Encoding: gzip", strict}, false, 400},
		{"cross-origin question", "OPTIONS", "/graphql", "", []string{"Accept-Encoding: gzip"}, false, 204},
		{"a script", "GET", "/graphiql/graphiql.min.js", "", []string{"Accept-Encoding: gzip"}, true, 200},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			resp, body := r.do(t, tc.method, tc.path, tc.body, append(tc.head, signedIn, asJSON)...)
			if got := resp.Header.Get("Content-Encoding") == "gzip"; got != tc.compressed || resp.StatusCode != tc.status {
				t.Errorf("%d %v %.200s", resp.StatusCode, resp.Header, body)
			}
			if !slices.Contains(resp.Header.Values("Vary"), "Accept-Encoding") {
				t.Errorf("Vary: %q", resp.Header.Values("Vary"))
			}
			if tc.compressed {
				in, err := gzip.NewReader(strings.NewReader(body))
				if err != nil {
					t.Fatal(err)
				}
				text, err := io.ReadAll(in)
				if err != nil || tc.path == "/graphql" && string(text) != plain || len(text) < 2*len(body) {
					t.Errorf("%v: %.200s", err, text)
				}
			}
		})
	}
}

// Events of a stream arrive one by one, whatever the client takes.
func TestEventsAreNotHeldBack(t *testing.T) {
	t.Parallel()
	r := start(t, nil)
	req, err := http.NewRequestWithContext(t.Context(), "POST", r.url+"/graphql", strings.NewReader(quoted("subscription { ticks(n: 1) }")))
	if err != nil {
		t.Fatal(err)
	}
	req.Header = http.Header{"Authorization": {"Bearer good"}, "Content-Type": {"application/json"}, "Accept": {"application/json, text/event-stream"}, "Accept-Encoding": {"gzip"}}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	var got []byte
	for buf := make([]byte, 1000); !strings.Contains(string(got), `{"ticks":1}`); { // and then it waits
		n, err := resp.Body.Read(buf)
		if got = append(got, buf[:n]...); err != nil {
			t.Fatalf("%v after %q", err, got)
		}
	}
}

// Browsers say that they take gzip when they open sockets, too.
func TestSocketOfClientThatTakesGzip(t *testing.T) {
	t.Parallel()
	r := start(t, nil)
	d := websocket.Dialer{Subprotocols: []string{subprotocol}}
	conn, _, err := d.DialContext(t.Context(), "ws"+strings.TrimPrefix(r.url, "http")+"/graphql", http.Header{"Accept-Encoding": {"gzip, br"}, "Authorization": {"Bearer good"}})
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if err := conn.WriteMessage(websocket.TextMessage, []byte(`{"type":"connection_init"}`)); err != nil {
		t.Fatal(err)
	}
	if _, text, err := conn.ReadMessage(); err != nil || string(text) != `{"type":"connection_ack"}` {
		t.Errorf("%s %v", text, err)
	}
}

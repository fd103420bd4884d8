package server

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"stockbridge/internal/access"
	"stockbridge/internal/fault"
)

// running is a server on loopback that knows the secret "good".
type running struct {
	*Server
	url string
	log *lockedBuffer

	mu      sync.Mutex // guards revoked
	revoked bool
}

type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lockedBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lockedBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

func start(t *testing.T, change func(*Config)) *running {
	t.Helper()
	r := &running{log: &lockedBuffer{}}
	c := Config{
		Schema: newToy(),
		Authenticate: func(_ context.Context, secret string) (*access.Viewer, error) {
			r.mu.Lock()
			defer r.mu.Unlock()
			switch {
			case secret == "unlucky":
				return nil, errors.New("the database is away")
			case secret != "good" || r.revoked:
				return nil, fault.New(fault.Unauthenticated, "unknown token")
			}
			return &access.Viewer{Name: "ada"}, nil
		},
		Ready: func(context.Context) error { return nil },
		Log:   slog.New(slog.NewJSONHandler(r.log, &slog.HandlerOptions{Level: slog.LevelDebug})),
	}
	if change != nil {
		change(&c)
	}
	r.Server = New(c)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	r.url = "http://" + l.Addr().String()
	ended := make(chan error, 1)
	go func() { ended <- r.Serve(l) }()
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
		defer cancel()
		if err := errors.Join(r.Shutdown(ctx), <-ended); err != nil {
			t.Error(err)
		}
	})
	return r
}

// do sends a request; head is "Name: value" lines.
func (r *running) do(t *testing.T, method, path, body string, head ...string) (*http.Response, string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, r.url+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	for _, line := range head {
		name, value, _ := strings.Cut(line, ": ")
		req.Header.Set(name, value)
	}
	client := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	defer client.CloseIdleConnections()
	resp, err := client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp, string(text)
}

const (
	signedIn = "Authorization: Bearer good"
	asJSON   = "Content-Type: application/json"
	strict   = "Accept: application/graphql-response+json"
	events   = "Accept: text/event-stream"
)

func quoted(query string) string {
	b, err := json.Marshal(map[string]any{"query": query})
	if err != nil {
		panic(err)
	}
	return string(b)
}

// codeOf is the code of the first error in a response, which must be one of GraphQL.
func codeOf(t *testing.T, body string) string {
	t.Helper()
	var r struct {
		Errors []struct {
			Message    string
			Extensions struct{ Code string }
		}
	}
	if err := json.Unmarshal([]byte(body), &r); err != nil {
		t.Fatalf("%v in %q", err, body)
	}
	if len(r.Errors) == 0 {
		return ""
	}
	if r.Errors[0].Message == "" {
		t.Errorf("an error without words: %s", body)
	}
	return r.Errors[0].Extensions.Code
}

// spec 5.3: nothing but health checks is open. spec 5: refusals carry a code.
func TestRequests(t *testing.T) {
	t.Parallel()
	r := start(t, func(c *Config) { c.MaxBody = 4 << 10 })
	who := quoted("{ who }")
	get := func(query string) string { return "/graphql?query=" + url.QueryEscape(query) }
	for _, tc := range []struct {
		name, method, path, body string
		head                     []string
		status                   int
		code, want               string
	}{
		{"query", "POST", "/graphql", who, []string{signedIn, asJSON}, 200, "", `{"data":{"who":"ada"}}`},
		{"lower-case scheme", "POST", "/graphql", who, []string{"Authorization: bearer good", asJSON}, 200, "", `"ada"`},
		{"charset", "POST", "/graphql", who, []string{signedIn, "Content-Type: application/json; charset=UTF-8"}, 200, "", `"ada"`},
		{"strict", "POST", "/graphql", who, []string{signedIn, asJSON, strict}, 200, "", `"ada"`},
		{"GET", "GET", get("{ who }"), "", []string{signedIn}, 200, "", `"ada"`},
		{"introspection", "POST", "/graphql", quoted("{ __schema { queryType { name } } }"), []string{signedIn, asJSON}, 200, "", `"data"`},
		{"event stream of a query", "POST", "/graphql", who, []string{signedIn, asJSON, events}, 200, "-", "event: next\ndata: {\"data\":{\"who\":\"ada\"}}\n\nevent: complete\ndata:\n\n"},

		{"no token", "POST", "/graphql", who, []string{asJSON}, 401, "UNAUTHENTICATED", ""},
		{"no token, GET", "GET", get("{ who }"), "", nil, 401, "UNAUTHENTICATED", ""},
		{"no token, introspection", "POST", "/graphql", quoted("{ __schema { queryType { name } } }"), []string{asJSON}, 401, "UNAUTHENTICATED", ""},
		{"bad token", "POST", "/graphql", who, []string{"Authorization: Bearer bad", asJSON}, 401, "UNAUTHENTICATED", ""},
		{"bad token, stream", "POST", "/graphql", quoted("subscription { ticks(n: 1) }"), []string{"Authorization: Bearer bad", asJSON, events}, 401, "UNAUTHENTICATED", ""},
		{"basic", "POST", "/graphql", who, []string{"Authorization: Basic Z29vZA==", asJSON}, 401, "UNAUTHENTICATED", ""},
		{"empty bearer", "POST", "/graphql", who, []string{"Authorization: Bearer ", asJSON}, 401, "UNAUTHENTICATED", ""},
		{"database away", "POST", "/graphql", who, []string{"Authorization: Bearer unlucky", asJSON}, 503, "INTERNAL", ""},

		{"no content type", "POST", "/graphql", who, []string{signedIn}, 415, "BAD_REQUEST", ""},
		{"form", "POST", "/graphql", "query={who}", []string{signedIn, "Content-Type: application/x-www-form-urlencoded"}, 415, "BAD_REQUEST", ""},
		{"latin 1", "POST", "/graphql", who, []string{signedIn, "Content-Type: application/json; charset=latin1"}, 415, "BAD_REQUEST", ""},
		{"not JSON", "POST", "/graphql", "{", []string{signedIn, asJSON}, 400, "BAD_REQUEST", ""},
		{"two values", "POST", "/graphql", who + who, []string{signedIn, asJSON}, 400, "BAD_REQUEST", ""},
		{"batch", "POST", "/graphql", "[" + who + "]", []string{signedIn, asJSON}, 400, "BAD_REQUEST", ""},
		{"no query", "POST", "/graphql", `{"variables":{}}`, []string{signedIn, asJSON}, 400, "BAD_REQUEST", ""},
		{"query is no text", "POST", "/graphql", `{"query":{}}`, []string{signedIn, asJSON}, 400, "BAD_REQUEST", ""},
		{"variables are text", "POST", "/graphql", `{"query":"{who}","variables":"{}"}`, []string{signedIn, asJSON}, 400, "BAD_REQUEST", ""},
		{"variables in GET", "GET", get("{ who }") + "&variables=[]", "", []string{signedIn}, 400, "BAD_REQUEST", ""},
		{"too large", "POST", "/graphql", quoted(strings.Repeat(" ", 5<<10) + "{ who }"), []string{signedIn, asJSON}, 413, "TOO_LARGE", ""},
		{"other method", "PUT", "/graphql", who, []string{signedIn, asJSON}, 405, "BAD_REQUEST", ""},
		{"not acceptable", "POST", "/graphql", who, []string{signedIn, asJSON, "Accept: text/plain"}, 406, "BAD_REQUEST", ""},
		{"mutation by GET", "GET", get("mutation { touch }"), "", []string{signedIn}, 405, "BAD_REQUEST", ""},
		{"mutation by GET, stream", "GET", get("mutation { touch }"), "", []string{signedIn, events}, 405, "BAD_REQUEST", ""},
		{"subscription without a stream", "POST", "/graphql", quoted("subscription { ticks(n: 1) }"), []string{signedIn, asJSON}, 406, "BAD_REQUEST", ""},

		{"does not parse", "POST", "/graphql", quoted("{"), []string{signedIn, asJSON, strict}, 400, "GRAPHQL_PARSE_FAILED", ""},
		{"does not parse, plain", "POST", "/graphql", quoted("{"), []string{signedIn, asJSON}, 200, "GRAPHQL_PARSE_FAILED", ""},
		{"unknown field", "POST", "/graphql", quoted("{ whom }"), []string{signedIn, asJSON, strict}, 400, "GRAPHQL_VALIDATION_FAILED", ""},
		{"unknown operation", "POST", "/graphql", `{"query":"query A { who }","operationName":"B"}`, []string{signedIn, asJSON, strict}, 400, "GRAPHQL_VALIDATION_FAILED", ""},
		{"missing variable", "POST", "/graphql", quoted("subscription($n: Int!) { ticks(n: $n) }"), []string{signedIn, asJSON, strict}, 400, "GRAPHQL_VALIDATION_FAILED", ""},
		{"panic", "POST", "/graphql", quoted("{ broken }"), []string{signedIn, asJSON}, 500, "INTERNAL", ""},

		{"health", "GET", "/healthz", "", nil, 200, "-", "ok\n"},
		{"ready", "GET", "/readyz", "", nil, 200, "-", "ready\n"},
		{"home", "GET", "/", "", nil, 302, "-", ""},
		{"GraphiQL", "GET", "/graphiql", "", nil, 200, "-", "GraphiQL"},
		{"GraphiQL's script", "GET", "/graphiql/graphiql.min.js", "", nil, 200, "-", "GraphiQL"},
		{"licences", "GET", "/graphiql/LICENSES", "", nil, 200, "-", "MIT"},
		{"no directory", "GET", "/graphiql/assets", "", nil, 404, "-", ""},
		{"nothing", "GET", "/metric", "", nil, 404, "-", ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			resp, body := r.do(t, tc.method, tc.path, tc.body, tc.head...)
			if resp.StatusCode != tc.status {
				t.Errorf("status %d, want %d: %s", resp.StatusCode, tc.status, body)
			}
			if tc.code != "-" {
				if code := codeOf(t, body); code != tc.code {
					t.Errorf("code %q, want %q: %s", code, tc.code, body)
				}
				if tc.code != "" && strings.Contains(body, `"data"`) {
					t.Errorf("data in a refusal: %s", body)
				}
			}
			if !strings.Contains(body, tc.want) {
				t.Errorf("%q lacks %q", body, tc.want)
			}
			if tc.status == 401 && resp.Header.Get("WWW-Authenticate") == "" {
				t.Error("401 without WWW-Authenticate")
			}
		})
	}
}

// The answer's media type is the one the client likes best.
func TestAccept(t *testing.T) {
	t.Parallel()
	for header, want := range map[string]string{
		"":    plainJSON,
		"*/*": plainJSON,
		"application/*;q=0.8, application/graphql-response+json":    graphqlJSON,
		"application/graphql-response+json, application/json;q=0.9": graphqlJSON,
		"application/json, application/graphql-response+json":       plainJSON,
		"application/graphql-response+json;q=0.1, application/json": plainJSON,
		"application/graphql-response+json; charset=utf-8, */*":     graphqlJSON,
		"application/json;q=0": "",
		"text/html":            "",
		"text/html, application/xhtml+xml, */*;q=0.8":                              plainJSON,
		"text/event-stream, multipart/mixed, application/json":                     eventStream,
		"application/graphql-response+json, application/json, text/event-stream":   graphqlJSON,
		"application/json; charset=latin1, application/graphql-response+json;q=.5": graphqlJSON,
	} {
		got := append(accept([]string{header}), "")
		if got[0] != want {
			t.Errorf("%q: %q, want %q", header, got[0], want)
		}
	}
}

// A query that takes too long is given up with a code.
func TestQueryTakesTooLong(t *testing.T) {
	t.Parallel()
	r := start(t, func(c *Config) { c.MaxTime = 50 * time.Millisecond })
	resp, body := r.do(t, "POST", "/graphql", quoted("{ late }"), signedIn, asJSON)
	if resp.StatusCode != 200 || codeOf(t, body) != "TIMEOUT" {
		t.Errorf("%d %s", resp.StatusCode, body)
	}
}

// spec 5.2: secrets never come out, in the log neither.
func TestLogNamesViewerAndOperationButNoSecret(t *testing.T) {
	t.Parallel()
	r := start(t, nil)
	r.do(t, "POST", "/graphql", `{"query":"query Mine { who }","operationName":"Mine","variables":{"password":"hunter2"}}`, signedIn, asJSON)
	r.do(t, "GET", "/graphql?query="+url.QueryEscape(`{ a: who # hunter2`)+"%0A}", "", signedIn)
	r.do(t, "POST", "/graphql", quoted("{ broken }"), "Authorization: Bearer good", asJSON)
	r.do(t, "GET", "/graphql", "", "Authorization: Bearer hunter2")
	log := r.log.String()
	for _, want := range []string{`"viewer":"ada"`, `"operation":"Mine"`, `"status":401`, `"path":"/graphql"`, "the plan is gone", "toy_test.go"} {
		if !strings.Contains(log, want) {
			t.Errorf("the log lacks %s:\n%s", want, log)
		}
	}
	for _, secret := range []string{"hunter2", "good"} {
		if strings.Contains(log, secret) {
			t.Errorf("the log has %q:\n%s", secret, log)
		}
	}
}

// Pages of other origins may use the API only when they are named.
func TestOrigins(t *testing.T) {
	t.Parallel()
	r := start(t, func(c *Config) { c.Origins = []string{"https://shop.example"} })
	for origin, allowed := range map[string]bool{"https://shop.example": true, r.url: true, "https://evil.example": false, "http://shop.example": false, "null": false} {
		want := ""
		if allowed {
			want = origin
		}
		resp, _ := r.do(t, "OPTIONS", "/graphql", "", "Origin: "+origin, "Access-Control-Request-Method: POST")
		if resp.StatusCode != 204 || resp.Header.Get("Access-Control-Allow-Origin") != want {
			t.Errorf("preflight of %s: %d %q", origin, resp.StatusCode, resp.Header.Get("Access-Control-Allow-Origin"))
		}
		resp, _ = r.do(t, "POST", "/graphql", quoted("{ who }"), signedIn, asJSON, "Origin: "+origin)
		if resp.Header.Get("Access-Control-Allow-Origin") != want {
			t.Errorf("%s: %q", origin, resp.Header.Get("Access-Control-Allow-Origin"))
		}
	}
}

// spec 5.4: readiness tells in words what is missing.
func TestNotReady(t *testing.T) {
	t.Parallel()
	r := start(t, func(c *Config) {
		c.Ready = func(context.Context) error { return errors.New("the database does not answer") }
	})
	if resp, body := r.do(t, "GET", "/readyz", ""); resp.StatusCode != 503 || body != "the database does not answer\n" {
		t.Errorf("%d %q", resp.StatusCode, body)
	}
	r.stop()
	if resp, body := r.do(t, "GET", "/readyz", ""); resp.StatusCode != 503 || body != "stopping\n" {
		t.Errorf("%d %q", resp.StatusCode, body)
	}
	if resp, _ := r.do(t, "GET", "/healthz", ""); resp.StatusCode != 200 {
		t.Errorf("healthz %d", resp.StatusCode)
	}
}

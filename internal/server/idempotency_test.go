package server

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/99designs/gqlgen/graphql"
	"github.com/vektah/gqlparser/v2/gqlerror"

	"stockbridge/internal/access"
	"stockbridge/internal/database"
	"stockbridge/internal/database/dbtest"
	"stockbridge/internal/fault"
)

// counter is a schema whose mutation counts how often it ran.
type counter struct {
	toy
	runs  atomic.Int64
	fails atomic.Bool           // the next run ends with an error
	hold  func(context.Context) // in the middle of a run; nil is nothing
}

func (c *counter) Exec(ctx context.Context) graphql.ResponseHandler {
	if graphql.GetOperationContext(ctx).Operation.Operation != "mutation" {
		return c.toy.Exec(ctx)
	}
	n := c.runs.Add(1)
	if c.hold != nil {
		c.hold(ctx)
	}
	if c.fails.Swap(false) || ctx.Err() != nil {
		return graphql.OneShot(&graphql.Response{Data: json.RawMessage("null"), Errors: gqlerror.List{fail(internal, "broken")}})
	}
	return graphql.OneShot(&graphql.Response{Data: fmt.Appendf(nil, `{"touch": "%d"}`, n)})
}

// keyed is a server that remembers answers, for the bearers of "good" (token 1) and "other" (token 2).
func keyed(t *testing.T, db *database.DB, c *counter) *running {
	t.Helper()
	sealer, err := access.NewSealer(strings.Repeat("k", 32))
	if err != nil {
		t.Fatal(err)
	}
	return start(t, func(config *Config) {
		c.toy = newToy()
		config.Schema, config.Once = c, access.NewOnce(db, sealer)
		config.Authenticate = func(_ context.Context, secret string) (*access.Viewer, error) {
			if id := int64(strings.Index("-good-other", "-"+secret)); id >= 0 {
				return &access.Viewer{TokenID: id, Name: secret}, nil
			}
			return nil, fault.New(fault.Unauthenticated, "unknown token")
		}
	})
}

func eachKeyed(t *testing.T, test func(*testing.T, *running, *counter)) {
	t.Helper()
	t.Parallel()
	dbtest.Each(t, database.Options{}, func(t *testing.T, db *database.DB) {
		c := &counter{}
		test(t, keyed(t, db, c), c)
	})
}

// The same key and body have the same answer, to the byte, and change nothing more; another body is refused; a key is its bearer's own.
func TestIdempotencyKey(t *testing.T) {
	eachKeyed(t, func(t *testing.T, r *running, c *counter) {
		const touch = `{"query":"mutation A { touch } mutation B { touch }","operationName":"A","variables":{"a":1,"b":[2]}}`
		for _, step := range []struct {
			name, method, body string
			head               []string
			code, data         string
			status             int
			replayed           bool
		}{
			{"first", "POST", touch, []string{"Idempotency-Key: k"}, "", `{"data":{"touch": "1"}}`, 200, false},
			{"again", "POST", touch, []string{"Idempotency-Key: k"}, "", `{"data":{"touch": "1"}}`, 200, true},
			{"again, fields in another order", "POST", `{"variables":{"b":[2],"a":1},"operationName":"A","query":"mutation A { touch } mutation B { touch }"}`, []string{"Idempotency-Key: k"}, "", `{"data":{"touch": "1"}}`, 200, true},
			{"again, as events", "POST", touch, []string{"Idempotency-Key: k", events}, "-", "event: next\ndata: {\"data\":{\"touch\": \"1\"}}\n\nevent: complete\ndata:\n\n", 200, true},
			{"another operation", "POST", strings.Replace(touch, `:"A"`, `:"B"`, 1), []string{"Idempotency-Key: k"}, "IDEMPOTENCY_KEY_REUSED", "", 200, false},
			{"other variables", "POST", strings.Replace(touch, `1`, `2`, 1), []string{"Idempotency-Key: k", strict}, "IDEMPOTENCY_KEY_REUSED", "", 422, false},
			{"another key", "POST", touch, []string{"Idempotency-Key: K"}, "", `{"data":{"touch": "2"}}`, 200, false},
			{"another bearer", "POST", touch, []string{"Idempotency-Key: k", "Authorization: Bearer other"}, "", `{"data":{"touch": "3"}}`, 200, false},
			{"no key", "POST", touch, nil, "", `{"data":{"touch": "4"}}`, 200, false},
			{"empty key", "POST", touch, []string{"Idempotency-Key: "}, "IDEMPOTENCY_KEY_INVALID", "", 200, false},
			{"key of 255", "POST", touch, []string{"Idempotency-Key: " + strings.Repeat("~", 255), strict}, "", `{"data":{"touch": "5"}}`, 200, false},
			{"key of 256", "POST", touch, []string{"Idempotency-Key: " + strings.Repeat("~", 256), strict}, "IDEMPOTENCY_KEY_INVALID", "", 400, false},
			{"key with a space", "POST", touch, []string{"Idempotency-Key: a b"}, "IDEMPOTENCY_KEY_INVALID", "", 200, false},
			{"key beyond ASCII", "POST", touch, []string{"Idempotency-Key: é"}, "IDEMPOTENCY_KEY_INVALID", "", 200, false},
			{"a document that does not fit takes no key", "POST", `{"query":"mutation { nothing }"}`, []string{"Idempotency-Key: q"}, "GRAPHQL_VALIDATION_FAILED", "", 200, false},
			{"queries have no use for it", "POST", `{"query":"{ who }"}`, []string{"Idempotency-Key: k"}, "", `{"data":{"who":"good"}}`, 200, false},
			{"nor mind what it is", "POST", `{"query":"{ who }"}`, []string{"Idempotency-Key: a b"}, "", `{"data":{"who":"good"}}`, 200, false},
			{"the mended document has it", "POST", `{"query":"mutation { touch }"}`, []string{"Idempotency-Key: q"}, "", `{"data":{"touch": "6"}}`, 200, false},
		} {
			resp, body := r.do(t, step.method, "/graphql", step.body, append([]string{signedIn, asJSON}, step.head...)...)
			if step.code != "-" {
				if got := codeOf(t, body); got != step.code {
					t.Errorf("%s: code %q, want %q: %s", step.name, got, step.code, body)
				}
			}
			if resp.StatusCode != step.status || step.data != "" && body != step.data || (resp.Header.Get("Idempotency-Replayed") == "true") != step.replayed {
				t.Errorf("%s: %d %v %s", step.name, resp.StatusCode, resp.Header, body)
			}
		}
		req, _ := http.NewRequestWithContext(t.Context(), "POST", r.url+"/graphql", strings.NewReader(touch))
		req.Header = http.Header{"Authorization": {"Bearer good"}, "Content-Type": {"application/json"}, "Idempotency-Key": {"k", "k"}}
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		if resp.Header.Get("Idempotency-Replayed") != "" {
			t.Error("two keys were taken for one")
		}
	})
}

// What went wrong on the server's side is not remembered: a retry may succeed.
func TestFailedRequestIsForgotten(t *testing.T) {
	eachKeyed(t, func(t *testing.T, r *running, c *counter) {
		head := []string{signedIn, asJSON, "Idempotency-Key: k"}
		c.fails.Store(true)
		if _, body := r.do(t, "POST", "/graphql", quoted("mutation { touch }"), head...); codeOf(t, body) != "INTERNAL" {
			t.Errorf("first: %s", body)
		}
		for range 2 {
			if _, body := r.do(t, "POST", "/graphql", quoted("mutation { touch }"), head...); body != `{"data":{"touch": "2"}}` {
				t.Errorf("retried: %s", body)
			}
		}
	})
}

// While the first is under way another is told to wait; a client that goes away finds the answer when it asks again.
func TestRequestUnderWay(t *testing.T) {
	eachKeyed(t, func(t *testing.T, r *running, c *counter) {
		inside, on := make(chan struct{}), make(chan struct{})
		c.hold = func(context.Context) { inside <- struct{}{}; <-on }
		head := []string{signedIn, asJSON, strict, "Idempotency-Key: k"}
		ctx, leave := context.WithCancel(t.Context())
		var first sync.WaitGroup
		first.Go(func() {
			req, _ := http.NewRequestWithContext(ctx, "POST", r.url+"/graphql", strings.NewReader(quoted("mutation { touch }")))
			req.Header = http.Header{"Authorization": {"Bearer good"}, "Content-Type": {"application/json"}, "Idempotency-Key": {"k"}}
			if resp, err := http.DefaultClient.Do(req); err == nil {
				resp.Body.Close()
				t.Error("the client did not go away")
			}
		})
		<-inside
		resp, body := r.do(t, "POST", "/graphql", quoted("mutation { touch }"), head...)
		if codeOf(t, body) != "IDEMPOTENCY_CONCURRENT" || resp.StatusCode != 409 || resp.Header.Get("Retry-After") == "" {
			t.Errorf("meanwhile: %d %s", resp.StatusCode, body)
		}
		if _, body := r.do(t, "POST", "/graphql", quoted("mutation X { touch }"), head...); codeOf(t, body) != "IDEMPOTENCY_KEY_REUSED" {
			t.Errorf("another meanwhile: %s", body)
		}
		leave()
		first.Wait()
		close(on)
		for body = ""; !strings.Contains(body, "data"); {
			_, body = r.do(t, "POST", "/graphql", quoted("mutation { touch }"), head...)
		}
		if body != `{"data":{"touch": "1"}}` {
			t.Errorf("afterwards: %s", body)
		}
	})
}

// Of many at once one runs, whichever server of one database they ask.
func TestOneOfManyRuns(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"sqlite", "postgres"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			url := dbtest.URL(t, name)
			servers := [2]*running{}
			c := &counter{}
			for i := range servers {
				servers[i] = keyed(t, dbtest.Reopen(t, url, database.Options{}), c)
			}
			var all sync.WaitGroup
			for i := range 20 {
				all.Go(func() {
					_, body := servers[i%2].do(t, "POST", "/graphql", quoted("mutation { touch }"), signedIn, asJSON, "Idempotency-Key: k")
					if code := codeOf(t, body); code != "IDEMPOTENCY_CONCURRENT" && body != `{"data":{"touch": "1"}}` {
						t.Errorf("got %s", body)
					}
				})
			}
			all.Wait()
			if n := c.runs.Load(); n != 1 {
				t.Errorf("ran %d times", n)
			}
		})
	}
}

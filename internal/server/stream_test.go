package server

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"stockbridge/ent/schema/enum"
)

// listen opens a stream of server-sent events.
func (r *running) listen(t *testing.T, query string) io.Reader {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), "POST", r.url+"/graphql", strings.NewReader(quoted(query)))
	if err != nil {
		t.Fatal(err)
	}
	req.Header = http.Header{"Authorization": {"Bearer good"}, "Content-Type": {"application/json"}, "Accept": {"text/event-stream"}}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = resp.Body.Close() })
	if got := resp.Header.Get("Content-Type"); resp.StatusCode != 200 || !strings.HasPrefix(got, "text/event-stream") {
		t.Fatalf("%d %s", resp.StatusCode, got)
	}
	return resp.Body
}

// spec 5.4: a subscription as server-sent events.
func TestEventStream(t *testing.T) {
	t.Parallel()
	r := start(t, nil)
	read := func(r io.Reader, want string) {
		t.Helper()
		got := make([]byte, len(want))
		if _, err := io.ReadFull(r, got); err != nil || string(got) != want {
			t.Fatalf("%q, want %q: %v", got, want, err)
		}
	}
	ended := r.listen(t, "subscription { ticks(n: -1) }")
	read(ended, ":\n\nevent: complete\ndata:\n\n")
	live := r.listen(t, "subscription { ticks(n: 100) }") // fewer than may wait for a client, so that none is passed over
	read(live, ":\n\n")
	for n := range 100 {
		read(live, fmt.Sprintf("event: next\ndata: {\"data\":{\"ticks\":%d}}\n\n", n+1))
	}

	// A server that stops breaks it off without complete.
	if err := r.Shutdown(t.Context()); err != nil {
		t.Fatal(err)
	}
	if rest, err := io.ReadAll(live); err != nil || len(rest) > 0 {
		t.Errorf("after the stop: %q, %v", rest, err)
	}
}

// spec 5.2: a revoked token ends what it began, without complete.
func TestRevokedTokenEndsStreams(t *testing.T) {
	t.Parallel()
	r := start(t, nil)
	r.pace.beat, r.pace.recheck = 300*time.Millisecond, 100*time.Millisecond
	live := r.listen(t, "subscription { ticks(n: 1) }")
	socket := r.ready(t)
	socket.send(subscribe("1", "subscription { ticks(n: 1) }"))
	r.mu.Lock()
	r.revoked = true
	r.mu.Unlock()
	socket.expectClose(4403)
	if text, err := io.ReadAll(live); err != nil || !strings.Contains(string(text), `{"ticks":1}`) || strings.Contains(string(text), "complete") {
		t.Errorf("%q %v", text, err)
	}
}

// heldResponse is a response whose writing can be held: until release is closed, nothing after the first so many writes goes on.
type heldResponse struct {
	head    http.Header
	free    int           // writes that are not held
	waits   chan struct{} // closed when one is held
	release chan struct{}
	body    strings.Builder
}

func (h *heldResponse) Header() http.Header { return h.head }
func (h *heldResponse) WriteHeader(int)     {}
func (h *heldResponse) Flush()              {}

func (h *heldResponse) Write(b []byte) (int, error) {
	if h.free--; h.free == -1 {
		close(h.waits)
	}
	if h.free < 0 {
		<-h.release
	}
	return h.body.Write(b)
}

// spec 5.2: a revoked token ends a stream also while it catches up and its client takes its time.
func TestRevokedTokenEndsCatchingUp(t *testing.T) {
	eachLive(t, func(t *testing.T, l *live) {
		secret, token := l.token(enum.Partner, "alpha")
		all := quotedVars(follow, map[string]any{"m": l.merchant("alpha")})
		begin := l.stream(t, secret, all, "").until("\n\n")
		for i := range 100 {
			l.report("alpha", fmt.Sprintf("S%02d", i))
		}
		req := must(http.NewRequestWithContext(t.Context(), "POST", "/graphql", strings.NewReader(all)))
		req.Header = http.Header{"Authorization": {"Bearer " + secret}, "Content-Type": {"application/json"}, "Accept": {"text/event-stream"}}
		req.Header.Set(lastEventID, strings.TrimSpace(strings.TrimPrefix(begin, "id: ")))
		w := &heldResponse{head: http.Header{}, free: 3, waits: make(chan struct{}), release: make(chan struct{})}
		done := make(chan struct{})
		go func() {
			defer close(done)
			l.ServeHTTP(w, req)
		}()
		<-w.waits
		must(l.db.RevokeToken(t.Context(), token))
		l.live.check()
		close(w.release)
		<-done
		if got := w.body.String(); strings.Count(got, `"sku":"S`) != 3 || !strings.HasSuffix(got, string(forbidden)) {
			t.Errorf("the head, three events and the end are due, got %s", got)
		}
	})
}

package httpstore

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"sync"
	"testing"
	"time"

	"stockbridge/internal/channel"
	"stockbridge/internal/outbound"
)

// request is what a shop was sent.
type request struct {
	header http.Header
	body   string
}

// shop is a store on loopback that answers with one handler after the other; the last one goes on.
type shop struct {
	*httptest.Server
	clock outbound.Clock

	mu       sync.Mutex
	now      time.Time
	waits    []time.Duration
	requests []request
}

func newShop(t *testing.T, answers ...http.HandlerFunc) *shop {
	t.Helper()
	s := &shop{now: time.Date(2026, 11, 1, 12, 0, 0, 0, time.UTC)}
	s.clock = outbound.Clock{
		Now: func() time.Time {
			s.mu.Lock()
			defer s.mu.Unlock()
			return s.now
		},
		Sleep: func(ctx context.Context, d time.Duration) error {
			s.mu.Lock()
			defer s.mu.Unlock()
			s.now = s.now.Add(d)
			s.waits = append(s.waits, d)
			return ctx.Err()
		},
	}
	s.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			return // the client went away
		}
		s.mu.Lock()
		s.requests = append(s.requests, request{r.Header, string(body)})
		n := len(s.requests)
		s.mu.Unlock()
		answers[min(n, len(answers))-1](w, r)
	}))
	t.Cleanup(s.Server.Close)
	return s
}

// sent is what came so far.
func (s *shop) sent() []request {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.requests)
}

// store connects to the shop; cfg's URL, network and clock are set here.
func (s *shop) store(t *testing.T, cfg Config) *Store {
	t.Helper()
	cfg.URL = cmp.Or(cfg.URL, s.URL+"/levels")
	cfg.Network.AllowPrivate = true
	cfg.Retry.Clock = s.clock
	cfg.Retry.Jitter = func() float64 { return 0 }
	st, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := st.Close(); err != nil {
			t.Error(err)
		}
	})
	return st
}

func status(code int, body string, header ...string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		for i := 0; i < len(header); i += 2 {
			w.Header().Set(header[i], header[i+1])
		}
		w.WriteHeader(code)
		io.WriteString(w, body)
	}
}

func ok(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNoContent) }

// lost takes the request and cuts the connection in the middle of the reply.
func lost(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Length", "100")
	io.WriteString(w, `{"results":[`)
	w.(http.Flusher).Flush()
	panic(http.ErrAbortHandler)
}

// hang never answers.
func hang(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }

func batch(n int) channel.Batch {
	b := channel.Batch{Store: "st", Run: "run", Key: "0b7f4c1e-6f0e-4f7e-9b1f-0c8f5a1d2e3f"}
	for i := range n {
		b.Levels = append(b.Levels, channel.Level{SKU: fmt.Sprintf("SKU-%d", i), Quantity: int64(i)})
	}
	return b
}

func verdicts(outcomes []channel.Outcome) (all []channel.Verdict) {
	for _, o := range outcomes {
		all = append(all, o.Verdict)
	}
	return all
}

package onhandtest

import (
	"bytes"
	"context"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"time"

	"stockbridge/internal/channel"
	"stockbridge/internal/outbound"
)

// Kind is what a request is for.
type Kind string

// Kinds. Other are requests for a session or for locations.
const (
	LookUp Kind = "look-up"
	Write  Kind = "write"
	Other  Kind = "other"
)

// Fault answers a request in the place of the platform, which it may call first.
type Fault func(w http.ResponseWriter, r *http.Request, platform http.Handler)

// Server is a platform's stand-in on loopback, with faults before it.
type Server struct {
	*httptest.Server
	kind func(*http.Request, []byte) Kind

	mu    sync.Mutex // guards all below
	now   time.Time
	waits []time.Duration
	count map[Kind]int
	fault func(kind Kind, n int) Fault // n counts requests of the kind from 1; nil: none
}

// Serve runs a stand-in until the test ends. kind tells what a request to it is for.
func Serve(t *testing.T, platform http.Handler, kind func(*http.Request, []byte) Kind) *Server {
	t.Helper()
	s := &Server{kind: kind, now: time.Date(2026, 11, 1, 12, 0, 0, 0, time.UTC), count: map[Kind]int{}}
	s.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			return // the client went away
		}
		r.Body = io.NopCloser(bytes.NewReader(body))
		k := kind(r, body)
		s.mu.Lock()
		s.count[k]++
		var fault Fault
		if s.fault != nil {
			fault = s.fault(k, s.count[k])
		}
		s.mu.Unlock()
		if fault != nil {
			fault(w, r, platform)
			return
		}
		platform.ServeHTTP(w, r)
	}))
	t.Cleanup(s.Close)
	return s
}

// Misbehave has faults answer from now on; nil has the platform answer by itself. Counting starts anew.
func (s *Server) Misbehave(fault func(kind Kind, n int) Fault) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.fault, s.count = fault, map[Kind]int{}
}

// Count is how many requests of a kind came since Misbehave.
func (s *Server) Count(kind Kind) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.count[kind]
}

// Waited is all waiting so far; nobody really waited.
func (s *Server) Waited() (sum time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, d := range s.waits {
		sum += d
	}
	return sum
}

// Options let an adapter at the server, by its clock.
func (s *Server) Options() outbound.Options {
	return outbound.Options{
		Name: "a stand-in", Network: outbound.Policy{AllowPrivate: true},
		Retry: outbound.Retry{Jitter: func() float64 { return 0 }, Clock: outbound.Clock{
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
		}},
	}
}

// Open makes a store by its package's New, and closes it after the test.
func Open[C any, S channel.Sink](tb testing.TB, make func(C, outbound.Options) (S, error), cfg C, opts outbound.Options) S {
	tb.Helper()
	st, err := make(cfg, opts)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		if err := st.Close(); err != nil {
			tb.Error(err)
		}
	})
	return st
}

// Status answers with a status, a body and headers.
func Status(code int, body string, header ...string) Fault {
	return func(w http.ResponseWriter, _ *http.Request, _ http.Handler) {
		for i := 0; i < len(header); i += 2 {
			w.Header().Set(header[i], header[i+1])
		}
		w.WriteHeader(code)
		_, _ = io.WriteString(w, body) // the client may have gone
	}
}

// Reset cuts the connection without an answer.
func Reset(w http.ResponseWriter, _ *http.Request, _ http.Handler) {
	conn, _, err := w.(http.Hijacker).Hijack()
	if err == nil {
		_ = conn.(*net.TCPConn).SetLinger(0) // no matter: it is closed either way
		_ = conn.Close()
	}
}

// Lost has the platform do what it is asked, and cuts the connection in the middle of its answer.
func Lost(w http.ResponseWriter, r *http.Request, platform http.Handler) {
	platform.ServeHTTP(httptest.NewRecorder(), r)
	w.Header().Set("Content-Length", "100000")
	_, _ = io.WriteString(w, `{"data":`)
	panic(http.ErrAbortHandler)
}

// Truncated is the platform's answer without its second half, as a whole reply.
func Truncated(w http.ResponseWriter, r *http.Request, platform http.Handler) {
	rec := httptest.NewRecorder()
	platform.ServeHTTP(rec, r)
	w.WriteHeader(rec.Code)
	_, _ = w.Write(rec.Body.Bytes()[:rec.Body.Len()/2])
}

package server

import (
	"bufio"
	"context"
	"log/slog"
	"net"
	"net/http"
	"runtime/debug"
	"time"
)

// request is what the log tells of one request. Only the goroutine that serves the request touches it.
type request struct {
	http.ResponseWriter
	status    int
	hijacked  bool
	viewer    string
	operation string // as the client named it
}

func (r *request) WriteHeader(status int) {
	if r.status == 0 {
		r.status = status
	}
	r.ResponseWriter.WriteHeader(status)
}

func (r *request) Write(b []byte) (int, error) {
	if r.status == 0 {
		r.status = http.StatusOK
	}
	return r.ResponseWriter.Write(b)
}

// Unwrap lets http.ResponseController find flushing and deadlines.
func (r *request) Unwrap() http.ResponseWriter { return r.ResponseWriter }

// Hijack gives the connection to a WebSocket.
func (r *request) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	r.status, r.hijacked = http.StatusSwitchingProtocols, true
	return http.NewResponseController(r.ResponseWriter).Hijack()
}

type requestKey struct{}

// requestOf is the record of the request that ctx belongs to.
func requestOf(ctx context.Context) *request { return ctx.Value(requestKey{}).(*request) }

// logged sets what every answer has, turns a panic into a 500 and writes one line per request once it ended.
func (s *Server) logged(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		start := time.Now()
		rec := &request{ResponseWriter: w}
		r = r.WithContext(context.WithValue(r.Context(), requestKey{}, rec))
		h := w.Header()
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("X-Frame-Options", "DENY")
		h.Set("Referrer-Policy", "no-referrer")
		h.Set("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'")
		control := http.NewResponseController(w)
		_ = control.SetWriteDeadline(start.Add(s.MaxTime + writeWait)) // not every connection has deadlines, in tests
		if r.ContentLength != 0 {
			_ = control.SetReadDeadline(start.Add(bodyWait)) // also for a body that nobody reads
		}
		defer func() {
			p := recover()
			if p != nil && p != http.ErrAbortHandler {
				s.Log.Error("panic", "panic", p, "stack", string(debug.Stack()))
				if rec.status == 0 {
					refuse(rec, http.StatusInternalServerError, internal, "internal error; the server's log says more")
				}
			}
			took := time.Since(start)
			s.line(r, rec, took)
			s.metrics.count(r, rec.status, took)
			if p == http.ErrAbortHandler || p != nil && rec.hijacked {
				panic(http.ErrAbortHandler) // nothing more can be said on this connection
			}
		}()
		next.ServeHTTP(rec, r)
	})
}

// line never holds the query string, variables or headers: secrets travel there.
func (s *Server) line(r *http.Request, rec *request, took time.Duration) {
	level := slog.LevelInfo
	if r.URL.Path == "/healthz" || r.URL.Path == "/readyz" || r.URL.Path == "/metrics" {
		level = slog.LevelDebug
	}
	attrs := []slog.Attr{slog.String("method", r.Method), slog.String("path", r.URL.Path), slog.Int("status", rec.status), slog.Duration("took", took)}
	if rec.viewer != "" {
		attrs = append(attrs, slog.String("viewer", rec.viewer))
	}
	if rec.operation != "" {
		attrs = append(attrs, slog.String("operation", rec.operation))
	}
	s.Log.LogAttrs(r.Context(), level, "request", attrs...)
}

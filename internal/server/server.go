// Package server is the HTTP side of Stockbridge: who may ask, how GraphQL travels (POST, GET, server-sent events,
// WebSocket), how much one request may cost, and the pages for health and GraphiQL.
//
// A socket has one goroutine, which reads. What it asks runs beside; a subscription that others ask for too is executed once
// for all of them (group), and its responses are encoded once. Nothing is sent while somebody waits for the client: each
// connection has a bounded queue (wire), and a subscription whose client does not take it leaves the group, reads on from
// storage at the client's pace, and comes back. One goroutine looks after all sockets: signs of life, and whether what their
// bearers signed in with still stands (sessions). All goroutines end with their request, socket or group; Shutdown waits for them.
package server

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"time"

	"github.com/99designs/gqlgen/graphql"
	"github.com/prometheus/client_golang/prometheus"

	"stockbridge/graph"
	"stockbridge/internal/access"
)

// Config of a Server. Schema, Authenticate, Ready and Log must be set.
type Config struct {
	Schema graph.API
	// Authenticate finds who a secret belongs to. An unknown, expired or revoked one is a fault with code UNAUTHENTICATED.
	Authenticate func(ctx context.Context, secret string) (*access.Viewer, error)
	// Recheck finds who those are now that signed in before, nil for one who may no longer. It is asked every 2 s for all that
	// go on, and an error changes nothing. Nil asks Authenticate.
	Recheck func(context.Context, []access.Grant) ([]*access.Viewer, error)
	// Present turns a resolver's error into what clients see; nil shows the error's own words.
	Present graphql.ErrorPresenterFunc
	// Once remembers answers to mutations with an Idempotency-Key; nil lets the header mean nothing.
	Once *access.Once
	// Ready tells in words why requests cannot be served; nil that they can.
	Ready func(context.Context) error
	Log   *slog.Logger

	// Metrics are told at /metrics besides the server's own.
	Metrics []prometheus.Collector
	// Origins ("https://shop.example") are the web pages, besides the server's own, that may use the API; "*" is any.
	Origins []string
	// MaxBody is the largest request or WebSocket message, in bytes; 0 is 1 MiB.
	MaxBody int64
	// MaxUpload is the largest request with files, in bytes; 0 is 64 MiB.
	MaxUpload int64
	// Export opens what GET /export/{name} streams; nil is nothing.
	Export OpenExport
	// MaxSockets is how many sockets and streams may be open with one token, on one server; 0 is 1000.
	MaxSockets int
	// Budget bounds what the documents of one token may cost in this process.
	Budget Budget
	// MaxTime is how long a query or mutation may take; 0 is 30 s.
	MaxTime time.Duration
}

// Times that clients are waited for.
const (
	headerWait = 10 * time.Second // for a request's head
	bodyWait   = 30 * time.Second // for a request's body
	idleWait   = 2 * time.Minute  // for the next request on a connection
	writeWait  = time.Minute      // for a client to take what it asked for
)

// pace of what happens by itself on streams and sockets; tests make haste.
type pace struct {
	init    time.Duration // a socket's first message is waited for
	beat    time.Duration // between signs of life; three without an answer end a socket
	recheck time.Duration // between looks at whether tokens still stand
	idle    time.Duration // a socket that asks for nothing is left open
}

// Server serves the API. Make one with New; stop it with Shutdown.
type Server struct {
	Config
	pace    pace
	http    http.Server
	exec    *engine
	buffers sync.Pool // of *[]byte, for sockets that write: most are silent most of the time
	groups  *groups
	live    *sessions
	metrics *metrics
	streams context.Context // ends when the server stops: subscriptions end then, requests are let finish
	stop    context.CancelFunc
	sockets context.Context // ends when no more time is given: what is still open is cut off
	cut     context.CancelFunc

	mu       sync.Mutex // guards the two below
	stopping bool
	inside   sync.WaitGroup // requests, streams and sockets; Add only while !stopping
}

// New makes a server that is not listening yet.
func New(c Config) *Server {
	if c.MaxBody == 0 {
		c.MaxBody = 1 << 20
	}
	if c.MaxUpload == 0 {
		c.MaxUpload = 64 << 20
	}
	if c.MaxSockets == 0 {
		c.MaxSockets = 1000
	}
	if c.Recheck == nil {
		c.Recheck = askEach(c.Authenticate)
	}
	if c.MaxTime == 0 {
		c.MaxTime = 30 * time.Second
	}
	s := &Server{Config: c, pace: pace{init: 10 * time.Second, beat: 20 * time.Second, recheck: 2 * time.Second, idle: 10 * time.Minute}}
	s.streams, s.stop = context.WithCancel(context.Background())
	s.sockets, s.cut = context.WithCancel(context.Background())
	s.exec, s.metrics = newEngine(c), newMetrics(c.Metrics)
	s.groups = &groups{Server: s, byKey: make(map[groupKey]*group)}
	s.live = &sessions{Server: s, all: make(map[*session]struct{}), open: make(map[int64]int), empty: make(chan struct{}, 1)}
	mux := http.NewServeMux()
	mux.HandleFunc("/graphql", s.graphql)
	if c.Export != nil {
		mux.HandleFunc("/export/{name}", s.export)
	}
	mux.HandleFunc("GET /healthz", s.healthz)
	mux.HandleFunc("GET /readyz", s.readyz)
	mux.HandleFunc("GET /metrics", s.metricsPage)
	mux.HandleFunc("GET /graphiql", s.graphiql)
	mux.HandleFunc("GET /graphiql/{asset}", s.graphiql)
	mux.Handle("GET /{$}", http.RedirectHandler("/graphiql", http.StatusFound))
	s.http = http.Server{
		Handler:           s.logged(compressed(mux)),
		ReadHeaderTimeout: headerWait,
		IdleTimeout:       idleWait,
		MaxHeaderBytes:    64 << 10,
		ErrorLog:          slog.NewLogLogger(c.Log.Handler(), slog.LevelDebug), // clients that go away in the middle of it
	}
	return s
}

// ServeHTTP answers one request.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) { s.http.Handler.ServeHTTP(w, r) }

// Serve accepts connections until Shutdown, and closes the listener.
func (s *Server) Serve(l net.Listener) error {
	if err := s.http.Serve(l); !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("serve %s: %w", l.Addr(), err)
	}
	return nil
}

// Shutdown stops accepting, ends subscriptions after what was handed out to them is sent (WebSockets with code 1001), and
// tells where to go on elsewhere; it lets requests under way finish and waits for all of it. What has not ended when ctx does is cut off, which the error tells of; nothing runs on in either case.
func (s *Server) Shutdown(ctx context.Context) error {
	s.mu.Lock()
	s.stopping = true
	s.mu.Unlock()
	s.stop()
	defer context.AfterFunc(ctx, s.cut)()
	err := s.http.Shutdown(ctx)
	if err != nil {
		err = errors.Join(err, s.http.Close())
	}
	s.inside.Wait()
	s.groups.work.Wait()
	s.live.work.Wait()
	if err = errors.Join(err, ctx.Err()); err != nil {
		return fmt.Errorf("shut down: connections were cut off: %w", err)
	}
	return nil
}

// enter counts a request in until leave; false when the server is stopping.
func (s *Server) enter() (leave func(), ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.stopping {
		return nil, false
	}
	s.inside.Add(1)
	return s.inside.Done, true
}

// healthz says that the process runs.
func (s *Server) healthz(w http.ResponseWriter, _ *http.Request) { words(w, http.StatusOK, "ok") }

// readyz says whether requests can be served, or why not.
func (s *Server) readyz(w http.ResponseWriter, r *http.Request) {
	ctx, cancel := context.WithTimeout(r.Context(), 5*time.Second)
	defer cancel()
	if s.streams.Err() != nil {
		words(w, http.StatusServiceUnavailable, "stopping")
	} else if err := s.Ready(ctx); err != nil {
		words(w, http.StatusServiceUnavailable, err.Error())
	} else {
		words(w, http.StatusOK, "ready")
	}
}

func words(w http.ResponseWriter, status int, text string) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	_, _ = fmt.Fprintln(w, text) // a client that is gone needs no answer
}

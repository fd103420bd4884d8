package pagedtest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"stockbridge/internal/fault"
	"stockbridge/internal/outbound"
	"stockbridge/internal/warehouse"
)

// Platform is a stand-in of a warehouse, and how a source of it is made.
type Platform struct {
	Handler http.Handler             // well-behaved
	Page    func(*http.Request) bool // whether a request is one that may go wrong
	From    int                      // the first of these that goes wrong, from 0: 1 is in the middle of a report of several pages
	Source  func(t testing.TB, endpoint string, opts outbound.Options) warehouse.Source
	Rows    []string // what a good pull yields
}

// broken is one way to go wrong.
type broken struct {
	reply func(w http.ResponseWriter, r *http.Request, good []byte)
	times int // how often; 0: until the pull ends
	code  fault.Code
	words string        // part of the message
	wait  time.Duration // one of the waits that must have been made
}

func status(code int, header ...string) func(http.ResponseWriter, *http.Request, []byte) {
	return func(w http.ResponseWriter, _ *http.Request, _ []byte) {
		for i := 0; i < len(header); i += 2 {
			w.Header().Set(header[i], header[i+1])
		}
		w.WriteHeader(code)
		io.WriteString(w, `{"message":"the warehouse's own words"}`)
	}
}

func body(text string) func(http.ResponseWriter, *http.Request, []byte) {
	return func(w http.ResponseWriter, _ *http.Request, _ []byte) { io.WriteString(w, text) }
}

func reset(http.ResponseWriter, *http.Request, []byte) { panic(http.ErrAbortHandler) }

func cutShort(w http.ResponseWriter, _ *http.Request, good []byte) {
	w.Header().Set("Content-Length", fmt.Sprint(len(good)))
	w.Write(good[:len(good)/2])
	w.(http.Flusher).Flush()
	panic(http.ErrAbortHandler)
}

func half(w http.ResponseWriter, _ *http.Request, good []byte) { w.Write(good[:len(good)/2]) }

var table = map[string]broken{ //nolint:gochecknoglobals // read only
	"401":                    {status(401), 0, fault.CredentialsRefused, "own words", 0},
	"403":                    {status(403), 0, fault.CredentialsRefused, "own words", 0},
	"404":                    {status(404), 0, fault.BadReply, "own words", 0},
	"413":                    {status(413), 0, fault.BadReply, "own words", 0},
	"422":                    {status(422), 0, fault.BadReply, "own words", 0},
	"429, told how long":     {status(429, "Retry-After", "7"), 2, "", "", 7 * time.Second},
	"429, not told":          {status(429), 2, "", "", 250 * time.Millisecond},
	"429 for ever":           {status(429, "Retry-After", "100"), 0, fault.Throttled, "own words", 100 * time.Second},
	"500 once":               {status(500), 1, "", "", 250 * time.Millisecond},
	"500 for ever":           {status(500), 0, fault.Unreachable, "own words", 0},
	"503, told how long":     {status(503, "Retry-After", "9"), 1, "", "", 9 * time.Second},
	"reset once":             {reset, 1, "", "", 0}, // net/http makes a GET again by itself
	"reset for ever":         {reset, 0, fault.Unreachable, "", 0},
	"cut off once":           {cutShort, 1, "", "", 250 * time.Millisecond},
	"cut off for ever":       {cutShort, 0, fault.Unreachable, "", 0},
	"half a page, well sent": {half, 0, fault.BadReply, "", 0},
	"HTML with 200":          {body("<html><body>please sign in</body></html>"), 0, fault.BadReply, "please sign in", 0},
	"nothing with 200":       {body(""), 0, fault.BadReply, "", 0},
	"null with 200":          {body("null"), 0, fault.BadReply, "", 0},
	"another object":         {body(`{"status":"maintenance"}`), 0, fault.BadReply, "", 0},
	"a list":                 {body("[]"), 0, fault.BadReply, "", 0},
	"a redirect elsewhere":   {status(302, "Location", "http://127.0.0.1:1/"), 0, "", "", 0},
}

// Misbehave holds that a pull through all of the table ends as it must: with the right code and the warehouse's words, never
// complete, or healed by waiting; and that the next pull of the same source is whole.
func (p Platform) Misbehave(t *testing.T) {
	t.Helper()
	for name, b := range table {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := &faulty{p: p, b: b}
			server := httptest.NewServer(f)
			t.Cleanup(server.Close)
			clock := NewClock()
			s := p.Source(t, server.URL, clock.Options())
			t.Cleanup(func() { s.Close() })

			rows, complete, err := Pull(t.Context(), t, s)
			if f.wrong() == 0 {
				t.Fatal("nothing went wrong: the test tests nothing")
			}
			redirected := name == "a redirect elsewhere"
			switch {
			case redirected:
				// A GET is followed to where nobody is, a POST is not followed at all.
				if code := fault.CodeOf(err); code != fault.Unreachable && code != fault.BadReply {
					t.Errorf("got %v", err)
				}
			case fault.CodeOf(err) != b.code || err == nil != (b.code == ""):
				t.Errorf("got %v, want %s", err, b.code)
			case err == nil && (!complete || !reflect.DeepEqual(rows, p.Rows)):
				t.Errorf("healed, but got %s, complete %v; want %s", short(rows), complete, short(p.Rows))
			case err != nil && !strings.Contains(fault.Message(err), b.words):
				t.Errorf("the message %q does not say %q", fault.Message(err), b.words)
			}
			if err != nil && complete {
				t.Error("the report calls itself complete")
			}
			if b.wait > 0 && !slices.Contains(clock.Waits(), b.wait) {
				t.Errorf("waits %v, want one of %s", clock.Waits(), b.wait)
			}

			f.heal()
			clock.Advance(time.Hour)
			if rows, complete, err := Pull(t.Context(), t, s); err != nil || !complete || !reflect.DeepEqual(rows, p.Rows) {
				t.Errorf("the next pull: %s, complete %v, %v; want %s", short(rows), complete, err, short(p.Rows))
			}
		})
	}
	t.Run("hang", func(t *testing.T) {
		t.Parallel()
		ctx, cancel := context.WithCancel(t.Context())
		f := &faulty{p: p, b: broken{reply: func(_ http.ResponseWriter, r *http.Request, _ []byte) {
			cancel()
			<-r.Context().Done()
		}}}
		server := httptest.NewServer(f)
		t.Cleanup(server.Close)
		s := p.Source(t, server.URL, NewClock().Options())
		t.Cleanup(func() { s.Close() })
		if _, complete, err := Pull(ctx, t, s); !errors.Is(err, context.Canceled) || complete {
			t.Errorf("given up while waiting: complete %v, %v", complete, err)
		}
		f.heal()
		if rows, _, err := Pull(t.Context(), t, s); err != nil || !reflect.DeepEqual(rows, p.Rows) {
			t.Errorf("the next pull: %s, %v; want %s", short(rows), err, short(p.Rows))
		}
	})
}

// short is how many rows there are, and the first of them.
func short(rows []string) string {
	return fmt.Sprintf("%d rows %q…", len(rows), rows[:min(len(rows), 3)])
}

// faulty is a stand-in that goes wrong until it is healed.
type faulty struct {
	p Platform
	b broken

	mu     sync.Mutex // guards what follows
	seen   int        // requests that may go wrong
	failed int
	healed bool
}

func (f *faulty) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	rec := httptest.NewRecorder()
	page := f.p.Page(r) // it may read the body, and puts it back
	f.mu.Lock()
	bad := page && !f.healed && f.seen >= f.p.From && (f.b.times == 0 || f.failed < f.b.times)
	if page {
		f.seen++
	}
	if bad {
		f.failed++
	}
	f.mu.Unlock()
	r.Body = keep(r)
	f.p.Handler.ServeHTTP(rec, r)
	if bad {
		f.b.reply(w, r, rec.Body.Bytes())
		return
	}
	for k, v := range rec.Header() {
		w.Header()[k] = v
	}
	w.WriteHeader(rec.Code)
	w.Write(rec.Body.Bytes())
}

func (f *faulty) wrong() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.failed
}

func (f *faulty) heal() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.healed = true
}

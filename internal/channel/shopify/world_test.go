package shopify

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"

	"stockbridge/internal/channel"
	"stockbridge/internal/channel/shopify/shopifytest"
	"stockbridge/internal/outbound"
)

const token = "shpat_0123456789abcdef"

// world is a shop on loopback, a store that pushes to it, and the clock of both, which goes on by waiting alone.
type world struct {
	*shopifytest.Shop
	*httptest.Server
	clock outbound.Clock
	store *Store

	mu    sync.Mutex // guards what follows
	now   time.Time
	waits []time.Duration
}

// setup makes a shop with locations 1 (East) and 2 (West) and an inactive 3, and items 1 to n with SKUs SKU-1 to SKU-n, stocked at 1.
func setup(t testing.TB, n int, sc shopifytest.Config, cfg Config, change ...func(*outbound.Options)) *world {
	t.Helper()
	w := &world{now: time.Date(2026, 11, 1, 12, 0, 0, 0, time.UTC)}
	w.clock = outbound.Clock{
		Now: func() time.Time {
			w.mu.Lock()
			defer w.mu.Unlock()
			return w.now
		},
		Sleep: func(ctx context.Context, d time.Duration) error {
			w.mu.Lock()
			defer w.mu.Unlock()
			if ctx.Err() == nil {
				w.now = w.now.Add(d)
				w.waits = append(w.waits, d)
			}
			return ctx.Err()
		},
	}
	sc.Token, sc.Now = token, w.clock.Now
	w.Shop = shopifytest.New(sc)
	w.AddLocation(1, "East", true)
	w.AddLocation(2, "West", true)
	w.AddLocation(3, "Closed", false)
	for i := range n {
		w.AddItem(int64(i+1), fmt.Sprintf("SKU-%d", i+1), 1)
	}
	w.Server = httptest.NewServer(w.Shop)
	t.Cleanup(w.Server.Close)
	w.store = w.connect(t, cfg, change...)
	return w
}

// connect makes a store of the shop; location 1 is its own unless cfg says otherwise ("-" for none).
func (w *world) connect(t testing.TB, cfg Config, change ...func(*outbound.Options)) *Store {
	t.Helper()
	cfg.Shop, cfg.AccessToken, cfg.Endpoint = "teapots.myshopify.com", token, w.URL
	switch cfg.LocationID {
	case "":
		cfg.LocationID = "1"
	case "-":
		cfg.LocationID = ""
	}
	opts := outbound.Options{Name: "shopify", Network: outbound.Policy{AllowPrivate: true}, Retry: outbound.Retry{Clock: w.clock, Jitter: func() float64 { return 0 }}}
	for _, f := range change {
		f(&opts)
	}
	st, err := New(cfg, opts)
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

// slept is how long was waited in all.
func (w *world) slept() (sum time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, d := range w.waits {
		sum += d
	}
	return sum
}

// pass lets time go by.
func (w *world) pass(d time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.now = w.now.Add(d)
}

// operations are the names of the requests so far.
func (w *world) operations() (names []string) {
	for _, c := range w.Calls() {
		names = append(names, c.Operation)
	}
	return names
}

// keys are the idempotency keys of the requests so far that have one.
func (w *world) keys() (keys []string) {
	for _, c := range w.Calls() {
		if c.Key != "" {
			keys = append(keys, c.Key)
		}
	}
	return keys
}

// batchOf is a batch of SKU-1 to SKU-n with quantities 10 more than their number.
func batchOf(n int) channel.Batch {
	var levels []channel.Level
	for i := range n {
		levels = append(levels, channel.Level{SKU: fmt.Sprintf("SKU-%d", i+1), Quantity: int64(i + 11)})
	}
	return batch(levels...)
}

func batch(levels ...channel.Level) channel.Batch {
	return channel.Batch{Store: "st", Run: "run", Key: uuid.NewString(), Levels: levels}
}

func verdicts(outcomes []channel.Outcome) (all []channel.Verdict) {
	for _, o := range outcomes {
		all = append(all, o.Verdict)
	}
	return all
}

// pushed pushes and wants every level acknowledged.
func (w *world) pushed(t *testing.T, b channel.Batch) {
	t.Helper()
	outcomes, err := w.store.Push(t.Context(), b)
	if err != nil || !slices.Equal(verdicts(outcomes), slices.Repeat([]channel.Verdict{channel.Acknowledged}, len(b.Levels))) {
		t.Fatalf("%+v, %v", outcomes, err)
	}
}

// shows wants an item to be stocked at a location with a quantity.
func (w *world) shows(t *testing.T, item, location, quantity int64) {
	t.Helper()
	if q, active := w.Stock(item, location); q != quantity || !active {
		t.Errorf("item %d at %d shows %d (stocked: %t), want %d", item, location, q, active, quantity)
	}
}

// answer is a reply in place of the shop's.
func answer(code int, body string, header ...string) shopifytest.Answer {
	return func(w http.ResponseWriter, _ *http.Request) {
		for i := 0; i < len(header); i += 2 {
			w.Header().Set(header[i], header[i+1])
		}
		w.WriteHeader(code)
		io.WriteString(w, body)
	}
}

// lost cuts the connection in the middle of the reply.
func lost(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Length", "100")
	io.WriteString(w, `{"data":{`)
	w.(http.Flusher).Flush()
	panic(http.ErrAbortHandler)
}

// reset cuts it before.
func reset(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }

// hang never answers.
func hang(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }

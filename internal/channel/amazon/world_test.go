package amazon

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"

	"stockbridge/internal/channel"
	"stockbridge/internal/outbound"
)

// world is a stand-in on loopback, a store that pushes to it, and the clock of both, which goes on by waiting alone.
type world struct {
	*standIn
	store *Store
	clock outbound.Clock

	clockMu sync.Mutex // guards what follows
	at      time.Time
	slept   time.Duration
}

// setup makes an account with listings SKU-0 to SKU-(n-1), all of which show 0.
func setup(t *testing.T, n int, change ...func(*Config, *outbound.Options)) *world {
	t.Helper()
	w := &world{at: time.Date(2026, 11, 1, 12, 0, 0, 0, time.UTC)}
	w.clock = outbound.Clock{
		Now: func() time.Time {
			w.clockMu.Lock()
			defer w.clockMu.Unlock()
			return w.at
		},
		Sleep: func(ctx context.Context, d time.Duration) error {
			if ctx.Err() == nil {
				w.pass(d)
				w.clockMu.Lock()
				w.slept += d
				w.clockMu.Unlock()
			}
			return ctx.Err()
		},
	}
	w.standIn = newStandIn(t, w.clock.Now)
	for i := range n {
		w.stock[fmt.Sprintf("SKU-%d", i)] = 0
	}
	cfg := config()
	cfg.Endpoint, cfg.TokenEndpoint = w.api.URL, w.api.URL+"/auth/o2/token"
	opts := outbound.Options{Name: "amazon", Network: outbound.Policy{AllowPrivate: true}, Retry: outbound.Retry{Clock: w.clock, Jitter: func() float64 { return 0 }}}
	for _, f := range change {
		f(&cfg, &opts)
	}
	var err error
	if w.store, err = New(cfg, opts); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := w.store.Close(); err != nil {
			t.Error(err)
		}
	})
	return w
}

func config() Config {
	return Config{SellerID: seller, MarketplaceIDs: []string{east}, ClientID: clientID, ClientSecret: clientSecret, RefreshToken: refreshToken}
}

// pass lets time go by.
func (w *world) pass(d time.Duration) {
	w.clockMu.Lock()
	defer w.clockMu.Unlock()
	w.at = w.at.Add(d)
}

// levels are SKU-0 to SKU-(n-1), with quantities from a number on.
func levels(n int, from int64) (all []channel.Level) {
	for i := range n {
		all = append(all, channel.Level{SKU: fmt.Sprintf("SKU-%d", i), Quantity: from + int64(i)})
	}
	return all
}

func batch(levels []channel.Level) channel.Batch {
	return channel.Batch{Store: "st", Run: "run", Key: uuid.NewString(), Levels: levels}
}

// pushed pushes, wants every level acknowledged, and what was pushed shown.
func (w *world) pushed(t *testing.T, levels []channel.Level) {
	t.Helper()
	outcomes, err := w.store.Push(t.Context(), batch(levels))
	if err != nil || len(outcomes) != len(levels) {
		t.Fatalf("%v, %d outcomes: %+v", err, len(outcomes), outcomes[:min(3, len(outcomes))])
	}
	for i, o := range outcomes {
		if o != (channel.Outcome{Verdict: channel.Acknowledged}) || w.shows(levels[i].SKU) != levels[i].Quantity {
			t.Fatalf("%+v: %+v, and %d is shown", levels[i], o, w.shows(levels[i].SKU))
		}
	}
}

// at has an operation answered by others, always.
func at(op string, h http.HandlerFunc) func(string, int) http.HandlerFunc {
	return func(o string, _ int) http.HandlerFunc {
		if o != op {
			return nil
		}
		return h
	}
}

// first has an operation answered by others the first time.
func first(op string, h http.HandlerFunc) func(string, int) http.HandlerFunc {
	return func(o string, n int) http.HandlerFunc {
		if o != op || n > 1 {
			return nil
		}
		return h
	}
}

func answer(status int, body string, header ...string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		for i := 0; i < len(header); i += 2 {
			w.Header().Set(header[i], header[i+1])
		}
		w.WriteHeader(status)
		io.WriteString(w, body) //nolint:errcheck // the client may be gone
	}
}

// reset cuts the connection before an answer, cut in the middle of one.
func reset(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }

func cut(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Length", "100")
	io.WriteString(w, `{"feedId":`) //nolint:errcheck // it is cut all the same
	w.(http.Flusher).Flush()
	panic(http.ErrAbortHandler)
}

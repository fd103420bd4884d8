package pipeline_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"stockbridge/ent"
	"stockbridge/ent/schema/enum"
	"stockbridge/internal/access"
	"stockbridge/internal/activity"
	"stockbridge/internal/database"
	"stockbridge/internal/database/dbtest"
	"stockbridge/internal/inventory"
	"stockbridge/internal/outbound"
	"stockbridge/internal/pipeline"
	"stockbridge/internal/platform"
	"stockbridge/internal/warehouse"
	"stockbridge/internal/warehouse/fileexchange"
	"stockbridge/internal/warehouse/httppull"
)

// shop is a real HTTP store: it remembers what it was told, and does as respond says first.
type shop struct {
	*httptest.Server
	mu      sync.Mutex
	shows   map[string]int64 // by SKU, with @location where there is one
	told    map[string]int   // how often each was told
	batches int
	// respond may answer instead of the shop; it returns true when it did.
	respond func(w http.ResponseWriter, r *http.Request, levels []told) bool
}

type told struct {
	SKU      string  `json:"sku"`
	Location *string `json:"location"`
	Quantity int64   `json:"quantity"`
}

func (l told) place() string {
	if l.Location == nil {
		return l.SKU
	}
	return l.SKU + "@" + *l.Location
}

func newShop(t testing.TB) *shop {
	s := &shop{shows: map[string]int64{}, told: map[string]int{}}
	s.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var body struct{ Levels []told }
		if err := json.NewDecoder(r.Body).Decode(&body); err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		s.mu.Lock()
		respond := s.respond
		s.mu.Unlock()
		if respond != nil && respond(w, r, body.Levels) {
			return
		}
		s.take(body.Levels)
	}))
	t.Cleanup(s.Close)
	return s
}

func (s *shop) take(levels []told) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.batches++
	for _, l := range levels {
		s.shows[l.place()] = l.Quantity
		s.told[l.place()]++
	}
}

// as makes the shop answer differently from now on; nil is its own way.
func (s *shop) as(respond func(w http.ResponseWriter, r *http.Request, levels []told) bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.respond = respond
}

// showing is what the shop shows, and forgets how often it was told.
func (s *shop) showing() map[string]int64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := map[string]int64{}
	for k, v := range s.shows {
		out[k] = v
	}
	s.told = map[string]int{}
	return out
}

// house is a pipeline over a real database, with one merchant.
type house struct {
	t         testing.TB
	db        *database.DB
	bell      *activity.Bell
	platforms *platform.Platforms
	*pipeline.Pipeline
	merchant int64
	root     string // of file exchanges
}

// each runs a test in a house on every database.
func each(t *testing.T, test func(t *testing.T, h *house)) {
	t.Parallel()
	for _, dialect := range []string{"sqlite", "postgres"} {
		t.Run(dialect, func(t *testing.T) {
			t.Parallel()
			test(t, newHouse(t, dialect))
		})
	}
}

func newHouse(t testing.TB, dialect string) *house {
	t.Helper()
	return houseOn(t, dbtest.URL(t, dialect))
}

// houseOn is the house in a database, made if it is not there.
func houseOn(t testing.TB, url string) *house {
	t.Helper()
	h := &house{t: t, bell: &activity.Bell{}, root: t.TempDir()}
	h.db = dbtest.Reopen(t, url, database.Options{Committed: h.bell.Ring})
	h.platforms = platforms(h.db, h.root)
	h.Pipeline = h.pipeline()
	found := must(h.db.Reader().Merchant.Query().All(t.Context()))
	if len(found) == 0 {
		found = append(found, must(h.db.CreateMerchant(t.Context(), database.CreateMerchant{Name: "Acme"})))
	}
	h.merchant = found[0].ID
	return h
}

func platforms(db *database.DB, root string) *platform.Platforms {
	return platform.New(platform.Config{DB: db, Sealer: must(access.NewSealer(strings.Repeat("k", 32))), FileRoots: []string{root}, Network: outbound.Policy{AllowPrivate: true}})
}

// close lets what runs end, and stops the pipeline.
func (h *house) close() { h.Close(context.Background()) }

// pipeline starts another pipeline over the same database.
func (h *house) pipeline() *pipeline.Pipeline {
	p := pipeline.New(pipeline.Config{DB: h.db, Source: h.platforms.Source, Sink: h.platforms.Sink, Log: slog.New(slog.DiscardHandler)})
	h.t.Cleanup(func() {
		ctx, cancel := context.WithCancel(context.Background())
		cancel()
		p.Close(ctx)
	})
	if err := p.Recover(h.t.Context()); err != nil {
		h.t.Fatal(err)
	}
	return p
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

func (h *house) warehouse(name string, set func(*database.CreateWarehouse)) *ent.Warehouse {
	h.t.Helper()
	in := database.CreateWarehouse{MerchantID: h.merchant, Name: name, Platform: must(h.platforms.StoreWarehouse(h.merchant, platform.Warehouse{Push: &platform.Push{}}))}
	if set != nil {
		set(&in)
	}
	return must(h.db.CreateWarehouse(h.t.Context(), in))
}

// files makes a file-exchange warehouse and the function that drops a file for it.
func (h *house) files(name string, complete bool, set func(*database.CreateWarehouse)) (w *ent.Warehouse, drop func(file, text string)) {
	h.t.Helper()
	dir := filepath.Join(h.root, name)
	if err := os.MkdirAll(filepath.Join(dir, "out"), 0o755); err != nil {
		h.t.Fatal(err)
	}
	w = h.warehouse(name, func(in *database.CreateWarehouse) {
		in.Platform = must(h.platforms.StoreWarehouse(h.merchant, platform.Warehouse{FileExchange: &fileexchange.Config{URL: "file://" + dir, Complete: complete}}))
		if set != nil {
			set(in)
		}
	})
	at := time.Now().Add(-time.Hour) // old enough to be read without a second look
	return w, func(file, text string) {
		h.t.Helper()
		path := filepath.Join(dir, "out", file)
		at = at.Add(time.Second)
		if err := errors.Join(os.WriteFile(path, []byte(text), 0o644), os.Chtimes(path, at, at)); err != nil {
			h.t.Fatal(err)
		}
	}
}

func (h *house) store(name string, s *shop, set func(*database.CreateStore)) *ent.Store {
	h.t.Helper()
	in := database.CreateStore{MerchantID: h.merchant, Name: name, Platform: must(h.platforms.StoreStore(h.merchant, platform.Store{HTTP: &platform.HTTPStore{URL: s.URL}}))}
	if set != nil {
		set(&in)
	}
	return must(h.db.CreateStore(h.t.Context(), in))
}

// pulled makes a warehouse that is pulled from over HTTP.
func (h *house) pulled(name, url string) *ent.Warehouse {
	h.t.Helper()
	return h.warehouse(name, func(in *database.CreateWarehouse) {
		in.Platform = must(h.platforms.StoreWarehouse(h.merchant, platform.Warehouse{HTTP: &httppull.Config{URL: url}}))
	})
}

// step is what a run is at, as soon as that changes.
func (h *house) step(id int64) enum.SyncStep {
	h.t.Helper()
	<-h.bell.Next()
	return must(h.db.Reader().SyncRun.Get(h.t.Context(), id)).Step
}

func serve(t testing.TB, handle http.HandlerFunc) *httptest.Server {
	s := httptest.NewServer(handle)
	t.Cleanup(s.Close)
	return s
}

// connect makes a connection that counts.
func (h *house) connect(w *ent.Warehouse, s *ent.Store) *ent.Connection {
	h.t.Helper()
	c := must(h.db.CreateConnection(h.t.Context(), database.CreateConnection{MerchantID: h.merchant, WarehouseID: w.ID, StoreID: s.ID}))
	h.enable(c.ID)
	return c
}

func (h *house) enable(id int64) {
	h.t.Helper()
	ctx := h.t.Context()
	if _, _, err := h.db.EnableConnection(ctx, h.merchant, id); err != nil {
		h.t.Fatal(err)
	}
	if _, _, err := h.db.EnableInventory(ctx, h.merchant, id); err != nil {
		h.t.Fatal(err)
	}
}

// sync runs one sync to its end.
func (h *house) sync(c int64, mode enum.SyncMode) *ent.SyncRun {
	h.t.Helper()
	run := must(h.Start(h.t.Context(), h.merchant, c, mode, enum.Manual))
	return h.ended(run.ID)
}

// ended waits until a run has ended.
func (h *house) ended(id int64) *ent.SyncRun {
	h.t.Helper()
	for {
		changed := h.bell.Next()
		run := must(h.db.Reader().SyncRun.Get(h.t.Context(), id))
		if run.Status.Ended() {
			return run
		}
		<-changed
	}
}

func (h *house) problems(run *ent.SyncRun) string {
	h.t.Helper()
	var b strings.Builder
	for _, p := range must(h.db.Reader().RunProblem.Query().All(h.t.Context())) {
		if p.RunID == run.ID {
			line := 0
			if p.Line != nil {
				line = *p.Line
			}
			fmt.Fprintf(&b, "%s %s:%d %s %s %s\n", p.Kind, p.Report, line, p.Sku, p.Code, p.Message)
		}
	}
	return b.String()
}

// levels are the channel levels of a store that count, by SKU and location.
func (h *house) levels(store int64) map[string]int64 {
	h.t.Helper()
	out := map[string]int64{}
	for _, l := range must(h.db.Reader().ChannelLevel.Query().All(h.t.Context())) {
		if l.StoreID == store && l.Status != enum.LevelExcluded {
			key := l.ChannelSku
			if l.LocationCode != "" {
				key += "@" + l.LocationCode
			}
			out[key] = l.Quantity
		}
	}
	return out
}

func (h *house) report(w *ent.Warehouse, rows ...warehouse.Row) pipeline.Reported {
	h.t.Helper()
	return must(h.Report(h.t.Context(), w, false, rows))
}

func percentage(s string) *int64 {
	p := int64(must(inventory.ParsePercentage(s)))
	return &p
}

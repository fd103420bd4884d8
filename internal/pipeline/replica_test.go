package pipeline_test

import (
	"context"
	"fmt"
	"log/slog"
	"maps"
	"math/rand/v2"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"stockbridge/ent"
	entactivity "stockbridge/ent/activity"
	"stockbridge/ent/schema/enum"
	"stockbridge/ent/syncrun"
	"stockbridge/internal/activity"
	"stockbridge/internal/database"
	"stockbridge/internal/database/dbtest"
	"stockbridge/internal/pipeline"
	"stockbridge/internal/platform"
	"stockbridge/internal/warehouse"
)

// hears lets the house's bell ring for what other replicas commit too.
func (h *house) hears() *activity.Feed {
	feed := activity.New(h.db, h.bell, slog.New(slog.DiscardHandler))
	ctx, cancel := context.WithCancel(context.Background())
	var done sync.WaitGroup
	done.Go(func() { feed.Run(ctx) })
	h.t.Cleanup(func() { cancel(); done.Wait() })
	return feed
}

// until waits for a condition on what is stored.
func (h *house) until(f func() bool) {
	h.t.Helper()
	look := time.NewTicker(500 * time.Millisecond) // what comes to be without a commit
	defer look.Stop()
	for {
		changed := h.bell.Next()
		if f() {
			return
		}
		select {
		case <-changed:
		case <-look.C:
		case <-h.t.Context().Done():
			h.t.Fatal("it never came to be")
		}
	}
}

// spec 3.8, 3.13, 3.14: of two replicas that share many syncs one is killed by -9 again and again. The other takes over: the
// runs of the dead one read INTERRUPTED, no queued run is forgotten, no two runs push to one store at a time, and after the next Smart
// Sync all stores show what the rules say. Who follows the feed at the one that lives misses nothing (5.1).
func TestKilledReplicaIsTakenOver(t *testing.T) {
	t.Parallel()
	kills := 5
	if testing.Short() {
		kills = 2
	}
	url := dbtest.URL(t, "postgres")
	h := houseOn(t, url)
	h.close()
	h.Pipeline = h.small() // so that most is left to the other one
	mine := must(h.db.Reader().Replica.Query().Only(t.Context())).ID
	const warehouses, stores, skus = 3, 4, 400
	var gate [stores]turnstile
	var shops [stores]*shop
	var rows [stores]*ent.Store
	var batches, when atomic.Int64 // of the other one
	kill := make(chan struct{}, 1)
	for i := range shops {
		shops[i] = newShop(t)
		shops[i].Config.Handler = gate[i].watch(shops[i], func(run int64) {
			if *must(h.db.Run(context.Background(), run)).ReplicaID != mine && batches.Add(1) == when.Load() {
				kill <- struct{}{}
			}
		})
		rows[i] = h.store(fmt.Sprint("s", i), shops[i], func(in *database.CreateStore) {
			in.Platform = must(h.platforms.StoreStore(h.merchant, platform.Store{HTTP: &platform.HTTPStore{URL: shops[i].URL, BatchSize: 40}}))
		})
	}
	var drops [warehouses]func(string, string)
	var conns []*ent.Connection
	for i := range drops {
		w, drop := h.files(fmt.Sprint("w", i), false, nil)
		drops[i] = drop
		for _, s := range rows {
			conns = append(conns, h.connect(w, s))
		}
	}
	feed := h.hears()
	var followed []int64
	following, stop := context.WithCancel(t.Context())
	var reader sync.WaitGroup
	var seen atomic.Int64
	reader.Go(func() {
		f := feed.Follow(h.db.Reader(), 0, activity.Filter{MerchantID: h.merchant}, false)
		defer f.Close()
		for rows, err := f.Next(following); err == nil; rows, err = f.Next(following) { // ends with its context
			for _, a := range rows {
				followed = append(followed, a.ID)
				seen.Store(a.ID)
			}
		}
	})
	stock := func(warehouse, sku, round int) int { return (sku*7 + round*(sku%3) + warehouse) % 50 }
	interrupted := 0
	for round := range kills {
		child := h.spawn(url)
		for i, drop := range drops {
			var b strings.Builder
			b.WriteString("sku,available\n")
			for n := range skus {
				fmt.Fprintf(&b, "SKU-%04d,%d\n", n, stock(i, n, round))
			}
			drop(fmt.Sprintf("inv_%d.csv", round), b.String())
		}
		batches.Store(0)
		select { // one that came when all was done
		case <-kill:
		default:
		}
		when.Store(1 + rand.Int64N(20))
		for _, c := range conns { // nobody's yet: both replicas take of them
			if _, _, err := h.db.EnqueueRun(t.Context(), h.merchant, c.ID, enum.Full, enum.Manual); err != nil {
				t.Fatal(err)
			}
		}
		none := func() bool {
			return !must(h.db.Reader().SyncRun.Query().Where(syncrun.StatusIn(enum.Running, enum.Queued)).Exist(t.Context()))
		}
		h.until(func() bool { return len(kill) > 0 || none() })
		if err := child.Process.Kill(); err != nil {
			t.Fatal(err)
		}
		<-child.ended
		dead := must(h.db.Reader().SyncRun.Query().Where(syncrun.StatusEQ(enum.Running)).All(t.Context()))
		h.until(func() bool {
			return none() && must(h.db.Reader().Replica.Query().Count(t.Context())) == 1
		})
		for _, run := range dead {
			switch now := must(h.db.Run(t.Context(), run.ID)); {
			case *now.ReplicaID == mine:
			case now.Status == enum.Interrupted:
				interrupted++
			case now.Status != enum.Succeeded: // its last commit was with the server already
				t.Errorf("round %d: a run of the dead replica reads %s", round, now.Status)
			}
		}
		if got := h.Totals().TakenOver; got != int64(round+1) {
			t.Errorf("round %d: took over %d times", round, got)
		}
		var runs []*ent.SyncRun
		for _, c := range conns {
			runs = append(runs, must(h.Start(t.Context(), h.merchant, c.ID, enum.Smart, enum.Manual)))
		}
		for _, run := range runs {
			expect(t, h.ended(run.ID), enum.Succeeded)
		}
		for i, s := range shops {
			showing := s.showing()
			if want := h.levels(rows[i].ID); !maps.Equal(showing, want) || len(want) != skus {
				t.Fatalf("round %d: store %d does not show what the levels say: %d and %d of them", round, i, len(showing), len(want))
			}
			for n := range skus {
				want := 0
				for w := range warehouses {
					want += stock(w, n, round)
				}
				if got := showing[fmt.Sprintf("SKU-%04d", n)]; got != int64(want) {
					t.Fatalf("round %d: store %d shows %d of SKU-%04d, the rules say %d", round, i, got, n, want)
				}
			}
		}
	}
	for i := range gate {
		if n := gate[i].overlaps.Load(); n > 0 {
			t.Errorf("store %d was pushed to by two at a time, %d times", i, n)
		}
	}
	stored := must(h.db.Reader().Activity.Query().Order(ent.Asc(entactivity.FieldID)).IDs(t.Context()))
	h.until(func() bool { return seen.Load() == stored[len(stored)-1] })
	stop()
	reader.Wait()
	if !slices.Equal(followed, stored) {
		t.Errorf("followed %d activities, %d are stored", len(followed), len(stored))
	}
	t.Logf("%d runs were interrupted by %d kills", interrupted, kills)
}

// small is another pipeline over the house's database, for two syncs at a time.
func (h *house) small() *pipeline.Pipeline {
	h.t.Helper()
	p := pipeline.New(pipeline.Config{DB: h.db, Source: h.platforms.Source, Sink: h.platforms.Sink, Log: slog.New(slog.DiscardHandler), Syncs: 2})
	if err := p.Recover(h.t.Context()); err != nil {
		h.t.Fatal(err)
	}
	h.t.Cleanup(func() { p.Close(context.Background()) })
	return p
}

// sever ends the connection under the session of this house's only replica.
func (h *house) sever(url string) {
	h.t.Helper()
	ctx := h.t.Context()
	conn := must(pgx.Connect(ctx, url))
	defer conn.Close(ctx) //nolint:errcheck // it was only asked
	var ended int
	if err := conn.QueryRow(ctx, "SELECT count(*) FILTER (WHERE pg_terminate_backend(pid, 10000)) FROM pg_stat_activity WHERE datname = current_database() AND application_name = 'stockbridge session'").Scan(&ended); err != nil || ended != 1 {
		h.t.Fatalf("%d sessions ended, %v", ended, err)
	}
}

// A replica whose session breaks stops what it does, which ends INTERRUPTED, and goes on under another session.
func TestBrokenSessionStopsSyncs(t *testing.T) {
	t.Parallel()
	url := dbtest.URL(t, "postgres")
	h := houseOn(t, url)
	s := newShop(t)
	w := h.warehouse("w", nil)
	c := h.connect(w, h.store("s", s, nil))
	h.report(w, warehouse.Row{SKU: "A", Available: "1"})
	reached, stopped := make(chan struct{}), make(chan struct{})
	s.as(func(_ http.ResponseWriter, r *http.Request, _ []told) bool {
		close(reached)
		<-r.Context().Done()
		close(stopped)
		return true
	})
	run := must(h.Start(t.Context(), h.merchant, c.ID, enum.Smart, enum.Manual))
	<-reached
	h.sever(url)
	<-stopped
	expect(t, h.ended(run.ID), enum.Interrupted)
	s.as(nil)
	expect(t, h.sync(c.ID, enum.Smart), enum.Succeeded)
	shows(t, s, map[string]int64{"A": 1})
	if got := h.Totals(); got.Lost != 1 || got.Leases != 0 {
		t.Errorf("%+v", got)
	}
}

// other is another replica in this process.
func (h *house) other(url string) *house {
	h.t.Helper()
	o := h.again(url)
	o.hears()
	return o
}

// spec 3.8: a start answers with the run that another replica has under way, a Full asked for during it is queued once, and
// each can be canceled from everywhere.
func TestStartHereCancelThere(t *testing.T) {
	t.Parallel()
	url := dbtest.URL(t, "postgres")
	a := houseOn(t, url)
	a.hears()
	b := a.other(url)
	ctx := t.Context()
	s := newShop(t)
	w := a.warehouse("w", nil)
	c := a.connect(w, a.store("s", s, nil))
	a.report(w, warehouse.Row{SKU: "A", Available: "1"})
	reached := make(chan struct{}, 10)
	s.as(func(_ http.ResponseWriter, r *http.Request, _ []told) bool {
		reached <- struct{}{}
		<-r.Context().Done()
		return true
	})
	run := must(a.Start(ctx, a.merchant, c.ID, enum.Smart, enum.Manual))
	<-reached
	if same := must(b.Start(ctx, a.merchant, c.ID, enum.Smart, enum.Manual)); same.ID != run.ID || same.Status != enum.Running {
		t.Errorf("the other replica began run %d, %s", same.ID, same.Status)
	}
	full := must(b.Start(ctx, a.merchant, c.ID, enum.Full, enum.Manual))
	if full.ID == run.ID || full.Status != enum.Queued {
		t.Errorf("a Full Sync during a Smart one: run %d, %s", full.ID, full.Status)
	}
	if same := must(a.Start(ctx, a.merchant, c.ID, enum.Full, enum.Manual)); same.ID != full.ID {
		t.Error("a Full Sync was queued twice")
	}
	owner := func(id int64) *house { // of a run
		if must(a.db.Run(ctx, id)).ReplicaID == nil {
			t.Fatal("nobody runs it")
		}
		if a.Totals().Running > 0 {
			return b
		}
		return a
	}
	must(owner(run.ID).Cancel(ctx, a.merchant, run.ID))
	expect(t, b.ended(run.ID), enum.Canceled)
	<-reached // the Full one, wherever it runs
	must(owner(full.ID).Cancel(ctx, a.merchant, full.ID))
	expect(t, a.ended(full.ID), enum.Canceled)
	s.as(nil)
	expect(t, b.sync(c.ID, enum.Smart), enum.Succeeded)
	shows(t, s, map[string]int64{"A": 1})
}

// spec 3.12: what one replica was told is pushed soon though another one is pushing to the store at the time.
func TestPushOnChangeAmongReplicas(t *testing.T) {
	t.Parallel()
	url := dbtest.URL(t, "postgres")
	a := houseOn(t, url)
	b := a.other(url)
	ctx := t.Context()
	s := newShop(t)
	w := a.warehouse("w", nil)
	c := a.connect(w, a.store("s", s, nil))
	must(a.db.UpdateConnection(ctx, a.merchant, c.ID, database.UpdateConnection{PushOnChange: new(true)}))
	a.report(w, warehouse.Row{SKU: "A", Available: "1"})
	reached, release := make(chan struct{}, 10), make(chan struct{})
	s.as(func(http.ResponseWriter, *http.Request, []told) bool {
		reached <- struct{}{}
		<-release
		return false
	})
	must(a.Start(ctx, a.merchant, c.ID, enum.Full, enum.Manual))
	<-reached
	b.report(w, warehouse.Row{SKU: "A", Available: "2"})
	close(release)
	b.until(func() bool {
		s.mu.Lock()
		defer s.mu.Unlock()
		return s.shows["A"] == 2
	})
}

// A replica that stops gives away what is queued, and marks that a dead one left are met by another.
func TestStoppedReplicaGivesItsWorkAway(t *testing.T) {
	t.Parallel()
	url := dbtest.URL(t, "postgres")
	h := houseOn(t, url)
	h.hears()
	s := newShop(t)
	w := h.warehouse("w", nil)
	c := h.connect(w, h.store("s", s, nil))
	child := h.spawn(url)
	gone := h.again(url) // a third
	gone.report(w, warehouse.Row{SKU: "A", Available: "3"})
	gone.close()
	run, _, err := gone.db.EnqueueRun(t.Context(), h.merchant, c.ID, enum.Smart, enum.Manual)
	if err != nil {
		t.Fatal(err)
	}
	expect(t, h.ended(run.ID), enum.Succeeded)
	shows(t, s, map[string]int64{"A": 3})
	if err := child.leave.Close(); err != nil {
		t.Fatal(err)
	}
	if <-child.ended; child.err != nil {
		t.Fatal(child.err)
	}
	h.until(func() bool { return must(h.db.Reader().Replica.Query().Count(t.Context())) == 1 })
	if n := h.Totals().TakenOver; n != 0 {
		t.Errorf("%d replicas that took their leave were taken for dead", n)
	}
	// A change that its process died right after: nobody plans it but who looks.
	must(h.db.CreateProduct(t.Context(), database.CreateProduct{MerchantID: h.merchant, SKU: "A", Name: "a"}))
	must(h.db.CreateListing(t.Context(), database.CreateListing{MerchantID: h.merchant, StoreID: c.StoreID, SKU: "A", ChannelSKU: "A-1"}))
	h.until(func() bool { return h.levels(c.StoreID)["A-1"] == 3 })
}

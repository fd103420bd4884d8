package pipeline_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"math/rand/v2"
	"net/http"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"stockbridge/ent/schema/enum"
	"stockbridge/internal/activity"
	"stockbridge/internal/database"
	"stockbridge/internal/database/dbtest"
	"stockbridge/internal/pipeline"
)

// Names of what TestMain runs a sync by, in a process of its own that can be killed.
const (
	crashDatabase   = "STOCKBRIDGE_TEST_CRASH_DATABASE"
	crashRoot       = "STOCKBRIDGE_TEST_CRASH_ROOT"
	crashMerchant   = "STOCKBRIDGE_TEST_CRASH_MERCHANT"
	crashConnection = "STOCKBRIDGE_TEST_CRASH_CONNECTION"
)

func TestMain(m *testing.M) {
	if url := os.Getenv(crashDatabase); url != "" {
		if err := syncUntilKilled(url); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	if url := os.Getenv(replicaDatabase); url != "" {
		if err := replicate(url); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	dbtest.Main(m)
}

// syncUntilKilled runs one Smart Sync.
func syncUntilKilled(url string) error {
	ctx := context.Background()
	var bell activity.Bell
	db, err := database.Open(ctx, url, database.Options{Committed: bell.Ring})
	if err != nil {
		return err
	}
	p := platforms(db, os.Getenv(crashRoot))
	pipe := pipeline.New(pipeline.Config{DB: db, Source: p.Source, Sink: p.Sink, Log: slog.New(slog.DiscardHandler)})
	if err := pipe.Recover(ctx); err != nil {
		return err
	}
	merchant, err1 := strconv.ParseInt(os.Getenv(crashMerchant), 10, 64)
	connection, err2 := strconv.ParseInt(os.Getenv(crashConnection), 10, 64)
	if err := errors.Join(err1, err2); err != nil {
		return err
	}
	run, err := pipe.Start(ctx, merchant, connection, enum.Smart, enum.Manual)
	for err == nil && !run.Status.Ended() {
		changed := bell.Next()
		if run, err = db.Reader().SyncRun.Get(ctx, run.ID); err == nil && !run.Status.Ended() {
			<-changed
		}
	}
	return err
}

// spec 3.14: after a kill -9 anywhere in a sync, the next Smart Sync brings the store to the right levels, and the killed
// run reads INTERRUPTED (3.13).
func TestKilledSyncIsMendedByTheNextSmartSync(t *testing.T) {
	t.Parallel()
	kills := 6
	if testing.Short() {
		kills = 2
	}
	for _, dialect := range []string{"sqlite", "postgres"} {
		t.Run(dialect, func(t *testing.T) {
			t.Parallel()
			url := dbtest.URL(t, dialect)
			h := houseOn(t, url)
			s := newShop(t)
			w, drop := h.files("w", false, nil)
			c := h.connect(w, h.store("s", s, nil))
			file := func(round int) string {
				var b strings.Builder
				b.WriteString("sku,facility,available\n")
				for i := range 6000 {
					fmt.Fprintf(&b, "SKU-%05d,%s,%d\n", i, []string{"E", "W"}[i%2], (i*7+round*(i%3))%50)
				}
				return b.String()
			}
			drop("inv_0.csv", file(0))
			expect(t, h.sync(c.ID, enum.Smart), enum.Succeeded)
			h.close()
			killed := 0
			for round := 1; round <= kills; round++ {
				drop(fmt.Sprintf("inv_%d.csv", round), file(round))
				child := exec.Command(os.Args[0]) //nolint:gosec // this test binary
				child.Env = append(os.Environ(), crashDatabase+"="+url, crashRoot+"="+h.root, crashMerchant+"="+strconv.FormatInt(h.merchant, 10), crashConnection+"="+strconv.FormatInt(c.ID, 10))
				var batches atomic.Int64
				when := rand.Int64N(20)
				kill := make(chan struct{}, 1)
				s.as(func(_ http.ResponseWriter, _ *http.Request, _ []told) bool {
					if batches.Add(1) == when { // in the middle of the push
						kill <- struct{}{}
					}
					return false
				})
				if err := child.Start(); err != nil {
					t.Fatal(err)
				}
				ended := make(chan error, 1)
				go func() { ended <- child.Wait() }()
				if when < 6 { // or anywhere before it
					time.AfterFunc(rand.N(400*time.Millisecond), func() { kill <- struct{}{} })
				}
				select {
				case <-kill:
					_ = child.Process.Kill() // it may just have ended
					if err := <-ended; err != nil {
						killed++
					}
				case err := <-ended:
					if err != nil {
						t.Fatal(err)
					}
				}
				s.as(nil)
				h = h.again(url)
				for _, run := range must(h.db.Reader().SyncRun.Query().All(t.Context())) {
					if run.Status == enum.Running {
						t.Errorf("round %d: run %d reads %s", round, run.ID, run.Status)
					}
				}
				expect(t, h.sync(c.ID, enum.Smart), enum.Succeeded)
				showing := s.showing()
				if want := h.levels(c.StoreID); !maps.Equal(showing, want) || len(want) != 6000 {
					t.Fatalf("round %d: the store does not show what the levels say: %d and %d of them", round, len(showing), len(want))
				}
				for i := range 6000 {
					if got, want := showing[fmt.Sprintf("SKU-%05d", i)], int64((i*7+round*(i%3))%50); got != want {
						t.Fatalf("round %d: the store shows %d of SKU-%05d, the warehouse reported %d", round, got, i, want)
					}
				}
				h.close()
			}
			t.Logf("killed %d of %d", killed, kills)
		})
	}
}

// again is the house after a restart, with the same files.
func (h *house) again(url string) *house {
	h.t.Helper()
	next := &house{t: h.t, bell: &activity.Bell{}, root: h.root, merchant: h.merchant}
	next.db = dbtest.Reopen(h.t, url, database.Options{Committed: next.bell.Ring})
	next.platforms = platforms(next.db, next.root)
	next.Pipeline = next.pipeline()
	return next
}

package cron

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"testing"
	"time"

	"github.com/go-co-op/gocron/v2"

	"stockbridge/ent/schema/enum"
	"stockbridge/ent/syncrun"
	"stockbridge/internal/database"
	"stockbridge/internal/schedule"
)

// fill adds n connections that are due at the full hour.
func (b *bundle) fill(n int) {
	b.t.Helper()
	ctx := b.t.Context()
	platform := database.PlatformSettings{Platform: enum.HTTP, Settings: json.RawMessage("{}")}
	w := must(b.db.CreateWarehouse(ctx, database.CreateWarehouse{MerchantID: b.merchant, Name: "full", Platform: platform}))
	for i := range n {
		s := must(b.db.CreateStore(ctx, database.CreateStore{MerchantID: b.merchant, Name: fmt.Sprint("s", i), Platform: platform}))
		b.connection = must(b.db.CreateConnection(ctx, database.CreateConnection{MerchantID: b.merchant, WarehouseID: w.ID, StoreID: s.ID})).ID
		b.enable()
		b.set(enum.Smart, schedule.Rule{Type: schedule.Hourly, Every: 1, Minute: 0})
	}
}

// began counts runs, and ends them so that another could begin at once.
func (b *bundle) began() int {
	b.t.Helper()
	ctx := b.t.Context()
	for _, run := range must(b.db.Reader().SyncRun.Query().Where(syncrun.FinishedAtIsNil()).All(ctx)) {
		if err := b.db.FinishRun(ctx, run.ID, enum.Succeeded, nil, database.Counts{}); err != nil {
			b.t.Fatal(err)
		}
	}
	return must(b.db.Reader().SyncRun.Query().Count(ctx))
}

// spec 3.7: of fifty connections that are due at once each begins once in all replicas, with and without jitter, and where it was
// missed.
func TestDueOnceInAllReplicas(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct{ jitter, missed time.Duration }{"at once": {}, "with jitter": {jitter: 30 * time.Second}, "missed": {missed: 3 * time.Hour}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			const n = 50
			b := setup(t, "postgres")
			b.jitter = tt.jitter
			b.fill(n)
			settled := make(chan bool, 10*n) // whether it was begun by who asked
			b.clock.Advance(tt.missed)
			for range 3 {
				b.cron = must(newWith(Config{DB: b.db, Jitter: b.jitter, Log: slog.New(slog.DiscardHandler), Start: func(ctx context.Context, d database.Due) (bool, error) {
					run, due, err := b.db.EnqueueDue(ctx, d)
					if due && err == nil {
						err = b.db.FinishRun(ctx, run.ID, enum.Succeeded, nil, database.Counts{}) // so that another could begin
					}
					settled <- due
					return due, err
				}}, gocron.WithClock(b.clock)))
				b.start()
			}
			if tt.missed == 0 {
				if err := b.clock.BlockUntilContext(t.Context(), 3*n); err != nil {
					t.Fatal(err)
				}
				b.clock.Advance(53*time.Minute + tt.jitter) // from 10:07
			}
			begun := 0
			for asked := 0; asked < 3*n && (tt.missed == 0 || begun < n); asked++ { // who comes late finds nothing missed, and does not ask
				if <-settled {
					begun++
				}
			}
			if err := b.cron.look(t.Context()); err != nil {
				t.Fatal(err)
			}
			if runs := b.began(); begun != n || runs != n {
				t.Errorf("%d were begun, %d runs are stored, want %d", begun, runs, n)
			}
		})
	}
}

// A schedule that another replica set, and whose due time passed without anybody starting it, is taken up by whoever looks, once.
func TestMissedByADeadReplica(t *testing.T) {
	t.Parallel()
	b := setup(t, "postgres")
	b.run() // knows of no schedule that counts
	mine := b.cron
	b.cron = nil
	b.enable()
	b.set(enum.Smart, schedule.Rule{Type: schedule.Minutely, Every: 10})
	if err := mine.look(t.Context()); err != nil {
		t.Fatal(err)
	}
	if mine.Jobs() != 1 {
		t.Errorf("%d jobs: what another replica set is not taken up", mine.Jobs())
	}
	late := must(newWith(Config{DB: b.db, Log: slog.New(slog.DiscardHandler), Start: mine.start}))
	b.clock.Advance(10*time.Minute + grace - time.Nanosecond*1000)
	if got := <-b.started; got != "SCHEDULE SMART at 10:17" {
		t.Errorf("started %q", got)
	}
	b.began()
	b.clock.Advance(time.Second)
	for range 2 { // its own replica began it
		if err := late.look(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	if n := b.began(); n != 1 {
		t.Errorf("%d runs, want 1", n)
	}
	if err := mine.remove(key{b.connection, enum.Smart}); err != nil { // as if it were dead
		t.Fatal(err)
	}
	b.clock.Advance(10 * time.Minute)
	for range 2 {
		if err := late.look(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	if n := b.began(); n != 2 {
		t.Errorf("%d runs, want 2", n)
	}
}

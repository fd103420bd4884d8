package cron

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"testing"
	"time"

	"github.com/go-co-op/gocron/v2"
	"github.com/jonboulle/clockwork"

	"stockbridge/ent/schema/enum"
	"stockbridge/internal/database"
	"stockbridge/internal/database/dbtest"
	"stockbridge/internal/schedule"
)

func TestMain(m *testing.M) { dbtest.Main(m) }

// bundle is a Cron over a real database, with a clock that the test moves.
type bundle struct {
	t          *testing.T
	clock      *clockwork.FakeClock
	db         *database.DB
	cron       *Cron
	merchant   int64
	connection int64
	jitter     time.Duration
	started    chan string
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

func setup(t *testing.T, dialect string) *bundle {
	t.Helper()
	b := &bundle{t: t, clock: clockwork.NewFakeClockAt(time.Date(2026, 6, 1, 10, 7, 0, 0, time.UTC)), started: make(chan string, 100)}
	b.db = dbtest.Open(t, dialect, database.Options{Now: b.clock.Now})
	ctx := t.Context()
	b.merchant = must(b.db.CreateMerchant(ctx, database.CreateMerchant{Name: "m"})).ID
	platform := database.PlatformSettings{Platform: enum.HTTP, Settings: json.RawMessage("{}")}
	w := must(b.db.CreateWarehouse(ctx, database.CreateWarehouse{MerchantID: b.merchant, Name: "w", Platform: platform}))
	s := must(b.db.CreateStore(ctx, database.CreateStore{MerchantID: b.merchant, Name: "s", Platform: platform}))
	b.connection = must(b.db.CreateConnection(ctx, database.CreateConnection{MerchantID: b.merchant, WarehouseID: w.ID, StoreID: s.ID})).ID
	return b
}

// enable lets the connection count.
func (b *bundle) enable() {
	b.t.Helper()
	_, _, err1 := b.db.EnableConnection(b.t.Context(), b.merchant, b.connection)
	_, _, err2 := b.db.EnableInventory(b.t.Context(), b.merchant, b.connection)
	if err1 != nil || err2 != nil {
		b.t.Fatal(err1, err2)
	}
}

// run starts a Cron, as a server does.
func (b *bundle) run() {
	b.t.Helper()
	b.cron = b.make()
	b.start()
}

func (b *bundle) make() *Cron {
	return must(newWith(Config{DB: b.db, Jitter: b.jitter, Log: slog.New(slog.DiscardHandler), Start: func(ctx context.Context, d database.Due) (bool, error) {
		run, due, err := b.db.EnqueueDue(ctx, d)
		if due && err == nil {
			b.started <- fmt.Sprintf("%s %s at %s", run.Trigger, d.Mode, b.clock.Now().Format("15:04"))
		}
		return due, err
	}}, gocron.WithClock(b.clock)))
}

func (b *bundle) start() {
	b.t.Helper()
	if err := b.cron.Start(b.t.Context()); err != nil {
		b.t.Fatal(err)
	}
	cron := b.cron
	b.t.Cleanup(func() {
		if err := cron.Close(); err != nil {
			b.t.Error(err)
		}
	})
}

func (b *bundle) set(mode enum.SyncMode, rules ...schedule.Rule) {
	b.t.Helper()
	must(b.db.SetSchedule(b.t.Context(), b.merchant, b.connection, database.SetSchedule{Mode: mode, Rules: rules}))
	if b.cron != nil {
		if err := b.cron.Set(b.t.Context(), b.connection); err != nil {
			b.t.Fatal(err)
		}
	}
}

// after moves the clock once a job waits for it, and tells what it started.
func (b *bundle) after(d time.Duration) string {
	b.t.Helper()
	if err := b.clock.BlockUntilContext(b.t.Context(), 1); err != nil {
		b.t.Fatal(err)
	}
	b.clock.Advance(d)
	return <-b.started
}

func each(t *testing.T, test func(*testing.T, *bundle)) {
	t.Parallel()
	for _, dialect := range []string{"sqlite", "postgres"} {
		t.Run(dialect, func(t *testing.T) {
			t.Parallel()
			test(t, setup(t, dialect))
		})
	}
}

// spec 3.7: the default Smart schedule is every 60 minutes, the Full one is empty; a connection that does not count has no job.
func TestDefaultScheduleRunsHourly(t *testing.T) {
	each(t, func(t *testing.T, b *bundle) {
		b.run()
		if got := b.cron.Jobs(); got != 0 {
			t.Errorf("a connection that is not enabled has %d jobs", got)
		}
		b.enable()
		if err := b.cron.Set(t.Context(), b.connection); err != nil {
			t.Fatal(err)
		}
		if got := b.cron.Jobs(); got != 1 {
			t.Errorf("%d jobs, want one", got)
		}
		for _, want := range []string{"SCHEDULE SMART at 11:07", "SCHEDULE SMART at 12:07"} {
			if got := b.after(time.Hour); got != want {
				t.Errorf("started %q, want %q", got, want)
			}
		}
	})
}

// spec 3.7: a changed schedule counts at once, without a restart.
func TestChangedScheduleCountsAtOnce(t *testing.T) {
	each(t, func(t *testing.T, b *bundle) {
		b.enable()
		b.run()
		b.set(enum.Smart, schedule.Rule{Type: schedule.Minutely, Every: 10})
		if got, want := b.after(10*time.Minute), "SCHEDULE SMART at 10:17"; got != want {
			t.Errorf("started %q, want %q", got, want)
		}
		b.set(enum.Smart)
		if got := b.cron.Jobs(); got != 0 {
			t.Errorf("an empty schedule has %d jobs", got)
		}
		b.set(enum.Full, schedule.Rule{Type: schedule.Daily, At: "10:30"})
		if got, want := b.after(13*time.Minute), "SCHEDULE FULL at 10:30"; got != want {
			t.Errorf("started %q, want %q", got, want)
		}
	})
}

// spec 3.7: a run that was missed while no server ran happens once at the start, and not again at the next.
func TestMissedRunHappensOnce(t *testing.T) {
	each(t, func(t *testing.T, b *bundle) {
		b.enable()
		b.set(enum.Full, schedule.Rule{Type: schedule.Daily, At: "01:00"})
		b.clock.Advance(50 * time.Hour) // fifty Smart and two Full runs
		b.run()
		for _, want := range []string{"SCHEDULE FULL at 12:07", "SCHEDULE SMART at 12:07"} {
			if got := <-b.started; got != want {
				t.Errorf("started %q, want %q", got, want)
			}
		}
		for stored := false; !stored; { // when they are due next comes after their start
			stored = true
			for _, s := range must(b.db.Schedules(t.Context(), b.connection)) {
				stored = stored && s.NextRunAt.After(b.clock.Now())
			}
		}
		b.run()
		if got, want := b.after(time.Hour), "SCHEDULE SMART at 13:07"; got != want || len(b.started) > 1 {
			t.Errorf("after another start: %q and %d more, want %q", got, len(b.started), want)
		}
	})
}

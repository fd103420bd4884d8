package cron

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/url"
	"runtime"
	"testing"
	"time"

	"entgo.io/ent/dialect"
	entsql "entgo.io/ent/dialect/sql"
	"github.com/go-co-op/gocron/v2"

	"stockbridge/ent"
	"stockbridge/ent/schema/enum"
	"stockbridge/internal/database"
	"stockbridge/internal/schedule"
)

// spec 3.7: a sync begins when it is due or within the jitter after, always at the same place in it.
func TestJitterKeepsItsPlace(t *testing.T) {
	each(t, func(t *testing.T, b *bundle) {
		b.jitter = 10 * time.Minute
		b.enable()
		b.run()
		offset := b.cron.offset(b.connection)
		if offset <= 0 || offset >= b.jitter {
			t.Fatalf("the offset is %v", offset)
		}
		b.set(enum.Smart, schedule.Rule{Type: schedule.Hourly, Every: 1, Minute: 0})
		due := time.Date(2026, 6, 1, 11, 0, 0, 0, time.UTC)
		for range 3 {
			if err := b.clock.BlockUntilContext(t.Context(), 1); err != nil {
				t.Fatal(err)
			}
			b.clock.Advance(due.Add(offset).Sub(b.clock.Now()) - time.Nanosecond)
			select {
			case got := <-b.started:
				t.Fatalf("began too early: %s", got)
			default:
			}
			if got, want := b.after(time.Nanosecond), "SCHEDULE SMART at "+due.Add(offset).Format("15:04"); got != want {
				t.Errorf("started %q, want %q", got, want)
			}
			due = due.Add(time.Hour)
		}
	})
}

// crowd adds n connections that are due every full hour.
func (b *bundle) crowd(n int) {
	b.t.Helper()
	conn := must(sql.Open("sqlite", "file:"+(&url.URL{Path: b.db.Path()}).EscapedPath()+"?_pragma=busy_timeout(10000)&_pragma=foreign_keys(1)&_time_format=sqlite&_pragma=synchronous(0)"))
	defer conn.Close()
	rows, ctx := ent.NewClient(ent.Driver(entsql.OpenDB(dialect.SQLite, conn))), b.t.Context()
	const side = 100
	var warehouses, stores [side]int64
	for i := range side {
		warehouses[i] = rows.Warehouse.Create().SetMerchantID(b.merchant).SetName(fmt.Sprint(i)).SetPlatform(enum.Push).SetSettings(json.RawMessage("{}")).SaveX(ctx).ID
		stores[i] = rows.Store.Create().SetMerchantID(b.merchant).SetName(fmt.Sprint(i)).SetPlatform(enum.HTTP).SetSettings(json.RawMessage("{}")).SaveX(ctx).ID
	}
	for from := 0; from < n; from += side {
		made := rows.Connection.MapCreateBulk(make([]struct{}, side), func(c *ent.ConnectionCreate, i int) {
			c.SetMerchantID(b.merchant).SetName("c").SetWarehouseID(warehouses[from/side]).SetStoreID(stores[i]).SetEnabled(true).SetInventoryEnabled(true)
		}).SaveX(ctx)
		rows.Schedule.MapCreateBulk(made, func(s *ent.ScheduleCreate, i int) {
			s.SetMerchantID(b.merchant).SetConnectionID(made[i].ID).SetMode(enum.Smart).SetAnchorAt(b.clock.Now()).
				SetRules(json.RawMessage(`[{"type":"HOURLY","every":1,"minute":0}]`)).SetNextRunAt(time.Date(2026, 6, 1, 11, 0, 0, 0, time.UTC))
		}).SaveX(ctx)
	}
}

// spec 3.7: ten thousand connections that are due at the full hour begin spread over the window, and cost little while they wait.
func TestManyAtTheFullHour(t *testing.T) {
	t.Parallel()
	b := setup(t, "sqlite")
	b.crowd(many)
	b.spread(many, 53*time.Minute)
}

// spec 3.7: those that were missed while no server ran are spread over the window too.
func TestManyMissed(t *testing.T) {
	t.Parallel()
	const n = 1000
	b := setup(t, "sqlite")
	b.crowd(n)
	b.clock.Advance(2 * time.Hour)
	b.spread(n, 0)
}

// spread runs a Cron of n connections, and sees to it that they begin one after the other from a time on. With no time to wait
// all were missed.
func (b *bundle) spread(n int, wait time.Duration) {
	const window = 30
	t, started := b.t, make(chan time.Time, n)
	before, memory := runtime.NumGoroutine(), heap()
	b.cron = must(newWith(Config{DB: b.db, Jitter: window * time.Second, Log: slog.New(slog.DiscardHandler), Start: func(ctx context.Context, d database.Due) (bool, error) {
		at := b.clock.Now()
		_, due, err := b.db.EnqueueDue(ctx, d)
		if due && err == nil {
			started <- at
		}
		return due, err
	}}, gocron.WithClock(b.clock)))
	b.start()
	if jobs := b.cron.Jobs(); jobs != n {
		t.Fatalf("%d jobs", jobs)
	}
	expect := map[int]int{} // by whole seconds after the time
	for _, s := range must(b.db.Schedules(t.Context(), 0)) {
		offset := b.cron.offset(s.ConnectionID)
		if wait == 0 && offset < time.Second { // what is due begins at once then
			offset = 0
		}
		if s.Edges.Connection.Enabled {
			expect[int((offset+time.Second-1)/time.Second)]++
		}
	}
	timers := n
	if wait == 0 {
		timers += n - expect[0]
	}
	if err := b.clock.BlockUntilContext(t.Context(), timers); err != nil {
		t.Fatal(err)
	}
	if used := (heap() - memory) >> 20; used > 200 {
		t.Errorf("waiting takes %d MB", used)
	}
	b.clock.Advance(wait)
	first, most := b.clock.Now(), 0
	for second := 0; second <= window; second++ {
		for range expect[second] {
			if at := <-started; at.Sub(first) != time.Duration(second)*time.Second {
				t.Fatalf("one began %v after the time, want %ds", at.Sub(first), second)
			}
		}
		most = max(most, expect[second])
		if goroutines := runtime.NumGoroutine() - before; goroutines > 2*n {
			t.Errorf("%d goroutines", goroutines)
		}
		b.clock.Advance(time.Second)
	}
	if even := n / window; most > even*5/4 || len(started) > 0 {
		t.Errorf("up to %d began in one second, and %d too many", most, len(started))
	}
}

func heap() int64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

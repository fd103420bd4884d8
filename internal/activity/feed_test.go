package activity_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"testing"

	"stockbridge/ent"
	entactivity "stockbridge/ent/activity"
	"stockbridge/ent/schema/enum"
	"stockbridge/internal/activity"
	"stockbridge/internal/database"
	"stockbridge/internal/database/dbtest"
)

func TestMain(m *testing.M) { dbtest.Main(m) }

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

// bundle is a feed over a real database with one merchant.
type bundle struct {
	t          *testing.T
	url        string
	db         *database.DB
	feed       *activity.Feed
	merchant   int64
	warehouses []int64
}

func each(t *testing.T, test func(*testing.T, *bundle)) {
	t.Parallel()
	for _, dialect := range []string{"sqlite", "postgres"} {
		t.Run(dialect, func(t *testing.T) {
			t.Parallel()
			b := &bundle{t: t, url: dbtest.URL(t, dialect)}
			b.db, b.feed = b.open()
			b.merchant = must(b.db.CreateMerchant(t.Context(), database.CreateMerchant{Name: "m"})).ID
			for i := range 8 {
				b.warehouses = append(b.warehouses, must(b.db.CreateWarehouse(t.Context(), database.CreateWarehouse{MerchantID: b.merchant, Name: fmt.Sprint(i),
					Platform: database.PlatformSettings{Platform: enum.Push, Settings: json.RawMessage("{}")}})).ID)
			}
			test(t, b)
		})
	}
}

// open is another process's view of the database: a connection, a bell and a feed of its own.
func (b *bundle) open() (*database.DB, *activity.Feed) {
	b.t.Helper()
	bell := &activity.Bell{}
	db := dbtest.Reopen(b.t, b.url, database.Options{Committed: bell.Ring})
	feed := activity.New(activity.Config{DB: db, Reader: db.Reader(), Bell: bell, Log: slog.New(slog.DiscardHandler)})
	ctx, cancel := context.WithCancel(context.Background())
	var done sync.WaitGroup
	done.Go(func() { feed.Run(ctx) })
	b.t.Cleanup(func() { cancel(); done.Wait() })
	return db, feed
}

// report records a few levels of a warehouse, which makes an activity each.
func (b *bundle) report(warehouse, round int) {
	r := &database.Recording{MerchantID: b.merchant, WarehouseID: b.warehouses[warehouse]}
	var page []database.ReportedLevel
	for i := range 7 {
		page = append(page, database.ReportedLevel{LevelKey: database.LevelKey{SKU: fmt.Sprintf("W%d-%d", warehouse, i)}, Figures: database.Figures{Available: database.IntOf(int64(round))}})
	}
	if err := b.db.Record(b.t.Context(), r, page, true); err != nil {
		b.t.Error(err)
	}
}

// follow collects n activities.
func follow(ctx context.Context, f *activity.Feed, after int64, filter activity.Filter, n int) (ids []int64, err error) {
	tail := f.Tail(after, filter)
	defer tail.Close()
	for len(ids) < n {
		rows, err := tail.Next(ctx)
		if err != nil {
			return ids, err
		}
		for _, row := range rows[:min(len(rows), n-len(ids))] {
			ids = append(ids, row.ID)
		}
	}
	return ids, nil
}

// spec 5.1: followers that begin anywhere, stall, drop out and go on from where they were, some in another process, get every
// activity that concerns them once and in order, while several writers commit.
func TestFollowersGetEveryActivityOnceAndInOrder(t *testing.T) {
	each(t, func(t *testing.T, b *bundle) {
		const writers, rounds, followers = 8, 12, 200
		all := writers * rounds * 7
		ctx := t.Context()
		feeds := []*activity.Feed{b.feed}
		if b.db.Path() == "" {
			_, other := b.open()
			feeds = append(feeds, other)
		}
		// What the followers follow, and how much of it there will be.
		filters := []struct {
			activity.Filter
			n int
		}{
			{activity.Filter{}, all},
			{activity.Filter{WarehouseID: b.warehouses[3]}, rounds * 7},
			{activity.Filter{SKU: "W5-2"}, rounds},
			{activity.Filter{SKU: "W1-6", Kinds: []enum.ActivityKind{enum.LevelReported, enum.QuantityPushed}}, rounds},
		}
		var wrote atomic.Int64 // rounds, so that followers can wait for the others to be ahead
		var work sync.WaitGroup
		got := make([][]int64, followers)
		for i := range got {
			work.Go(func() {
				chance := rand.New(rand.NewPCG(uint64(i), 1))
				feed, want := feeds[i%len(feeds)], filters[i%len(filters)]
				want.MerchantID = b.merchant
				var after int64
				for len(got[i]) < want.n {
					tail := feed.Tail(after, want.Filter)
					for stay := 1 + chance.IntN(want.n); stay > 0 && len(got[i]) < want.n; {
						rows, err := tail.Next(ctx)
						if err != nil {
							t.Error(err)
							tail.Close()
							return
						}
						rows = rows[:min(len(rows), stay)]
						for _, row := range rows {
							got[i] = append(got[i], row.ID)
						}
						after, stay = rows[len(rows)-1].ID, stay-len(rows)
						for behind := wrote.Load() + int64(chance.IntN(3)); wrote.Load() < min(behind, writers*rounds); { // stalls
							runtime.Gosched()
						}
					}
					tail.Close()
				}
			})
		}
		for w := range writers {
			work.Go(func() {
				for r := range rounds {
					b.report(w, r)
					wrote.Add(1)
				}
			})
		}
		work.Wait()
		for i, want := range filters {
			want.MerchantID = b.merchant
			query := b.db.Reader().Activity.Query().Order(ent.Asc("id"))
			if want.SKU != "" {
				query.Where(entactivity.Sku(want.SKU))
			}
			if want.WarehouseID != 0 {
				query.Where(entactivity.WarehouseID(want.WarehouseID))
			}
			stored := must(query.IDs(ctx))
			if len(stored) != want.n {
				t.Fatalf("%d activities of %+v are stored, want %d", len(stored), want.Filter, want.n)
			}
			for follower := i; follower < followers; follower += len(filters) {
				if !slices.Equal(got[follower], stored) {
					t.Errorf("follower %d got %d activities, not the %d stored in their order", follower, len(got[follower]), want.n)
				}
			}
		}
	})
}

// A tail that is not read holds no more than its bound, slows nobody, and misses nothing once it is read.
func TestTailThatIsNotReadCatchesUpFromStorage(t *testing.T) {
	each(t, func(t *testing.T, b *bundle) {
		ctx, filter := t.Context(), activity.Filter{MerchantID: b.merchant}
		slow, quick := b.feed.Tail(0, filter), b.feed.Tail(0, filter)
		defer slow.Close()
		defer quick.Close()
		b.report(0, 0)
		var got, want []int64
		for _, tail := range []*activity.Tail{slow, quick} { // until both are handed what comes
			for range 7 {
				rows := must(tail.Next(ctx))
				for _, row := range rows {
					if tail == slow {
						got = append(got, row.ID)
					} else {
						want = append(want, row.ID)
					}
				}
				if len(rows) == 7 {
					break
				}
			}
		}
		const rounds = 250 // of 7: more than is held
		for r := range rounds {
			b.report(1, r)
			for len(want) < (r+2)*7 {
				for _, row := range must(quick.Next(ctx)) {
					want = append(want, row.ID)
				}
			}
		}
		for len(got) < len(want) {
			for _, row := range must(slow.Next(ctx)) {
				got = append(got, row.ID)
			}
		}
		if !slices.Equal(got, want) {
			t.Errorf("the slow one got %d, the quick one %d, or in another order", len(got), len(want))
		}
	})
}

// spec 5.1: what a tail is handed is its own, and narrowed as its filter says; from now on means what is committed later.
func TestTailFromNow(t *testing.T) {
	each(t, func(t *testing.T, b *bundle) {
		b.report(0, 1)
		filter := activity.Filter{MerchantID: b.merchant, WarehouseID: b.warehouses[1], SKU: "W1-3", Kinds: []enum.ActivityKind{enum.LevelReported}}
		now := must(b.feed.Newest(t.Context()))
		one, two := b.feed.Tail(now, filter), b.feed.Tail(now, filter)
		defer one.Close()
		defer two.Close()
		if rows := must(one.Stored(t.Context())); len(rows) != 0 || one.Position() != now {
			t.Errorf("%v at %d before anything happened", rows, one.Position())
		}
		b.report(0, 2)
		b.report(1, 3)
		b.report(1, 4)
		for _, tail := range []*activity.Tail{one, two} {
			var got []string
			for len(got) < 2 {
				for _, a := range must(tail.Next(t.Context())) {
					got = append(got, fmt.Sprint(a.Sku, " ", *a.After))
					a.Sku = "changed by its owner"
				}
			}
			if want := []string{"W1-3 3", "W1-3 4"}; !slices.Equal(got, want) {
				t.Errorf("got %v, want %v", got, want)
			}
		}
	})
}

// A follower ends with its context.
func TestFollowEndsWithItsContext(t *testing.T) {
	each(t, func(t *testing.T, b *bundle) {
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if _, err := follow(ctx, b.feed, 0, activity.Filter{MerchantID: b.merchant}, 1); !errors.Is(err, context.Canceled) {
			t.Errorf("%v", err)
		}
	})
}

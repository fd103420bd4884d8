package activity_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"slices"
	"sync"
	"testing"

	"stockbridge/ent"
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
	feed := activity.New(db, bell, slog.New(slog.DiscardHandler))
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
func follow(ctx context.Context, db *database.DB, f *activity.Feed, after int64, filter activity.Filter, n int) (ids []int64, _ error) {
	w := f.Follow(db.Reader(), after, filter, false)
	defer w.Close()
	for {
		page, err := w.Next(ctx)
		if err != nil {
			return ids, err
		}
		for _, a := range page {
			if ids = append(ids, a.ID); len(ids) == n {
				return ids, nil
			}
		}
	}
}

// spec 5.1: followers that start at the beginning, drop out and go on from their cursor, or sit in another process get every
// activity once and in order, while several writers commit.
func TestFollowersGetEveryActivityOnceAndInOrder(t *testing.T) {
	each(t, func(t *testing.T, b *bundle) {
		const writers, rounds = 4, 12
		all := writers * rounds * 7
		filter := activity.Filter{MerchantID: b.merchant}
		ctx := t.Context()
		var work sync.WaitGroup
		got := make([][]int64, 4)
		for i := range got {
			work.Go(func() {
				db, feed, step := b.db, b.feed, all
				if i == 1 {
					step = 5 // drops out again and again
				}
				if i == 3 && b.db.Path() == "" {
					db, feed = b.open()
				}
				var after int64
				for len(got[i]) < all {
					ids, err := follow(ctx, db, feed, after, filter, min(step, all-len(got[i])))
					if err != nil {
						t.Error(err)
						return
					}
					got[i] = append(got[i], ids...)
					after = ids[len(ids)-1]
				}
			})
		}
		for w := range writers {
			work.Go(func() {
				for r := range rounds {
					b.report(w, r)
				}
			})
		}
		work.Wait()
		want := must(b.db.Reader().Activity.Query().Order(ent.Asc("id")).IDs(ctx))
		if len(want) != all {
			t.Fatalf("%d activities are stored, want %d", len(want), all)
		}
		for i := range got {
			if !slices.Equal(got[i], want) {
				t.Errorf("follower %d got %d activities, not the %d stored in their order", i, len(got[i]), all)
			}
		}
	})
}

// spec 5.1: from now on means what is committed later, and the filter narrows.
func TestFollowFromNow(t *testing.T) {
	each(t, func(t *testing.T, b *bundle) {
		b.report(0, 1)
		now := must(b.feed.Newest(t.Context()))
		b.report(0, 2)
		b.report(1, 3)
		var got []string
		filter := activity.Filter{MerchantID: b.merchant, WarehouseID: b.warehouses[1], SKU: "W1-3", Kinds: []enum.ActivityKind{enum.LevelReported}}
		w := b.feed.Follow(b.db.Reader(), now, filter, false)
		defer w.Close()
		for len(got) < 2 {
			for _, a := range must(w.Next(t.Context())) {
				got = append(got, fmt.Sprint(a.Sku, " ", *a.After))
			}
			b.report(0, 4)
			b.report(1, 4)
		}
		if want := []string{"W1-3 3", "W1-3 4"}; !slices.Equal(got, want) {
			t.Errorf("got %v, want %v", got, want)
		}
	})
}

// A follower ends with its context.
func TestFollowEndsWithItsContext(t *testing.T) {
	each(t, func(t *testing.T, b *bundle) {
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if _, err := follow(ctx, b.db, b.feed, 0, activity.Filter{MerchantID: b.merchant}, 1); !errors.Is(err, context.Canceled) {
			t.Errorf("%v", err)
		}
	})
}

// A follower of what is stored ends with it, at the end of the feed, and one that is closed fails.
func TestFollowOnce(t *testing.T) {
	each(t, func(t *testing.T, b *bundle) {
		b.report(0, 1)
		b.report(1, 1)
		w := b.feed.Follow(b.db.Reader(), 0, activity.Filter{MerchantID: b.merchant, WarehouseID: b.warehouses[0]}, true)
		if page := must(w.Next(t.Context())); len(page) != 7 {
			t.Errorf("%d activities, want 7", len(page))
		}
		if _, err := w.Next(t.Context()); !errors.Is(err, io.EOF) || w.At() != must(b.feed.Newest(t.Context())) {
			t.Errorf("%v at %d, want the end of all that is stored", err, w.At())
		}
		live := b.feed.Follow(b.db.Reader(), w.At(), activity.Filter{MerchantID: b.merchant}, false)
		live.Close()
		if _, err := live.Next(t.Context()); err == nil {
			t.Error("a closed follower goes on")
		}
	})
}

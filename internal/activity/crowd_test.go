package activity_test

import (
	"context"
	"math/rand/v2"
	"slices"
	"sync"
	"sync/atomic"
	"testing"

	"stockbridge/ent"
	entactivity "stockbridge/ent/activity"
	"stockbridge/internal/activity"
)

// spec 5.1: under 8 writers, 200 followers of everything, of one SKU or of one warehouse, that stall, drop out and go on from
// where they were at random, each end with exactly the activities stored for their filter, in order and without repeat.
func TestCrowdLosesNothing(t *testing.T) {
	each(t, func(t *testing.T, b *bundle) {
		const writers, rounds, followers = 8, 25, 200
		ctx := t.Context()
		var writing, following sync.WaitGroup
		during, written := context.WithCancel(ctx)
		defer written()
		var end atomic.Int64 // the last id, once all is written
		crowd := make([]restless, followers)
		for i := range crowd {
			r := &crowd[i]
			r.filter = activity.Filter{MerchantID: b.merchant}
			switch i % 4 {
			case 1:
				r.filter.SKU = []string{"W0-0", "W1-3", "W2-6", "W3-1"}[i/4%4]
			case 2:
				r.filter.WarehouseID = b.warehouses[i/4%4]
			}
			r.dice = rand.New(rand.NewPCG(1, uint64(i))) //nolint:gosec // to be repeated
			following.Go(func() { r.run(ctx, during, t, b, &end) })
		}
		for w := range writers {
			writing.Go(func() {
				for r := range rounds {
					b.report(w, r)
				}
			})
		}
		writing.Wait()
		// One more in each place that somebody follows, so that everyone has something to end with.
		for w := range b.warehouses {
			b.report(w, -1-w)
		}
		end.Store(must(b.feed.Newest(ctx)))
		written()
		following.Wait()
		for i := range crowd {
			f := crowd[i].filter
			q := b.db.Reader().Activity.Query().Where(entactivity.MerchantID(f.MerchantID)).Order(ent.Asc("id"))
			if f.SKU != "" {
				q.Where(entactivity.Sku(f.SKU))
			}
			if f.WarehouseID != 0 {
				q.Where(entactivity.WarehouseID(f.WarehouseID))
			}
			if want := must(q.IDs(ctx)); !slices.Equal(crowd[i].got, want) {
				t.Errorf("follower %d (%+v) got %d activities, not the %d stored in their order", i, f, len(crowd[i].got), len(want))
			}
		}
	})
}

// restless is a follower that seldom stays.
type restless struct {
	filter activity.Filter
	dice   *rand.Rand
	got    []int64
}

// run follows while writing goes on, then learns what the last one is, and follows to that.
func (r *restless) run(ctx, writing context.Context, t *testing.T, b *bundle, end *atomic.Int64) {
	after, last := int64(0), int64(0)
	for last == 0 || after < last {
		ctx := ctx
		if last == 0 {
			ctx = writing
		}
		if err := r.follow(ctx, writing, b, &after, last); err != nil && (writing.Err() == nil || last != 0) {
			t.Error(err)
			return
		}
		if last == 0 && writing.Err() != nil {
			q := b.db.Reader().Activity.Query().Where(entactivity.MerchantID(r.filter.MerchantID), entactivity.IDLTE(end.Load())).Order(ent.Desc("id"))
			if r.filter.SKU != "" {
				q.Where(entactivity.Sku(r.filter.SKU))
			}
			if r.filter.WarehouseID != 0 {
				q.Where(entactivity.WarehouseID(r.filter.WarehouseID))
			}
			last = must(q.FirstID(context.WithoutCancel(ctx)))
		}
	}
}

// follow goes on after an id until the last, or until the follower drops out.
func (r *restless) follow(ctx, writing context.Context, b *bundle, after *int64, last int64) error {
	w := b.feed.Follow(b.db.Reader(), *after, r.filter, false)
	defer w.Close()
	for {
		page, err := w.Next(ctx)
		if err != nil {
			return err
		}
		for _, a := range page {
			r.got, *after = append(r.got, a.ID), a.ID
			if a.ID == last || r.dice.IntN(40) == 0 {
				return nil
			}
		}
		if r.dice.IntN(30) == 0 { // stalls until all is written, which is more than waits for it
			<-writing.Done()
		}
	}
}

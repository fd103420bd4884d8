package database_test

import (
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"stockbridge/internal/database"
	"stockbridge/internal/database/dbtest"
)

// clock is moved by hand.
type clock struct{ minutes atomic.Int64 }

var midnight = time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC)

func at(minute int) time.Time   { return midnight.Add(time.Duration(minute) * time.Minute) }
func (c *clock) now() time.Time { return at(int(c.minutes.Load())) }
func (c *clock) set(minute int) { c.minutes.Store(int64(minute)) }
func (w *brand) series(s database.Series) string {
	switch {
	case s.Warehouse.Valid:
		return s.SKU + " at " + map[int64]string{w.w1.ID: "East", w.w2.ID: "West"}[s.Warehouse.Int64]
	case s.Pushed:
		return s.ChannelSKU + " shown by " + map[int64]string{w.s1.ID: "Shop", w.s2.ID: "Outlet"}[s.Store.Int64]
	}
	return s.ChannelSKU + " of " + map[int64]string{w.s1.ID: "Shop", w.s2.ID: "Outlet"}[s.Store.Int64]
}

// lived gives a SKU a life: reported 10 at minute 10, 4 at 20 and 8 at 25; the Shop acknowledges 10 at 12; its stock is held
// back by a limit from 40 on.
func lived(w *brand, c *clock) {
	w.Helper()
	ctx := w.Context()
	for _, e := range []struct{ minute, units int }{{10, 10}, {20, 4}, {25, 8}} {
		c.set(e.minute)
		w.report(w.w1, "A", e.units)
		w.plan()
		if e.minute == 10 {
			c.set(12)
			demands := sure(w.db.ToPush(ctx, w.s1.ID, false, nil, 10))(w.T)
			if err := w.db.Mark(ctx, w.m.ID, w.s1.ID, 1, []database.Answer{{Demand: demands[0], Acknowledged: true}}); err != nil {
				w.Fatal(err)
			}
		}
	}
	c.set(40)
	sure(w.db.SetStoreLimits(ctx, w.m.ID, w.s1.ID, database.SetStoreLimits{Limits: []database.Limit{{Pattern: "A", Action: "SKIP"}}}))(w.T)
	w.plan()
	c.set(60)
}

func eachLife(t *testing.T, test func(w *brand, c *clock)) {
	t.Helper()
	t.Parallel()
	for _, name := range []string{"sqlite", "postgres"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := &clock{}
			w := newBrand(t, dbtest.Open(t, name, database.Options{Now: c.now}))
			lived(w, c)
			test(w, c)
		})
	}
}

// spec 2.5: levels as they were at any time, to the moment they changed.
func TestLevelsAsOf(t *testing.T) {
	eachLife(t, func(w *brand, _ *clock) {
		for minute, want := range map[int]string{
			9:  "",
			10: "A at East 10, A of Shop 10, A of Outlet 10",
			12: "A at East 10, A of Shop 10, A shown by Shop 10, A of Outlet 10",
			24: "A at East 4, A of Shop 4, A shown by Shop 10, A of Outlet 4",
			39: "A at East 8, A of Shop 8, A shown by Shop 10, A of Outlet 8",
			59: "A at East 8, A of Shop excluded, A shown by Shop 10, A of Outlet 8",
		} {
			if got, kept := w.asOf(minute); got != want || !kept.Complete(at(minute)) {
				w.Errorf("minute %d: %s (%v)\nwant %s", minute, got, kept, want)
			}
		}
	})
}

func (w *brand) asOf(minute int) (string, database.Kept) {
	w.Helper()
	stands, kept, err := w.db.AsOf(w.Context(), w.m.ID, []string{"A"}, at(minute))
	if err != nil {
		w.Fatal(err)
	}
	var out []string
	for _, s := range []database.Series{
		{Warehouse: database.IntOf(w.w1.ID), Facility: w.facility(), SKU: "A"},
		{Store: database.IntOf(w.s1.ID), SKU: "A", ChannelSKU: "A"}, {Store: database.IntOf(w.s1.ID), SKU: "A", ChannelSKU: "A", Pushed: true},
		{Store: database.IntOf(w.s2.ID), SKU: "A", ChannelSKU: "A"}, {Store: database.IntOf(w.s2.ID), SKU: "A", ChannelSKU: "A", Pushed: true},
	} {
		stand, ok := stands[s]
		delete(stands, s)
		switch {
		case !ok:
		case stand.Excluded:
			out = append(out, w.series(s)+" excluded")
		default:
			out = append(out, fmt.Sprint(w.series(s), " ", stand.Value))
		}
	}
	if len(stands) > 0 {
		w.Errorf("minute %d: %v besides", minute, stands)
	}
	return strings.Join(out, ", "), kept
}

func (w *brand) facility() database.Int {
	w.Helper()
	return database.IntOf(sure(w.db.Reader().Facility.Query().FirstID(w.Context()))(w.T))
}

// spec 2.5: where activities were pruned, what came after tells as far as it goes, and the answer says so.
func TestPrunedHistorySaysSo(t *testing.T) {
	eachLife(t, func(w *brand, _ *clock) {
		ctx := w.Context()
		if err := w.db.Tamper(ctx, "INSERT INTO feed_horizons (merchant_id, activity_id) SELECT merchant_id, max(id) FROM activities WHERE at <= ? GROUP BY merchant_id", at(20)); err != nil {
			w.Fatal(err)
		}
		if err := w.db.Tamper(ctx, "DELETE FROM activities WHERE at <= ?", at(20)); err != nil {
			w.Fatal(err)
		}
		for minute, complete := range map[int]bool{24: false, 25: true, 50: true} {
			got, kept := w.asOf(minute)
			want := map[int]string{
				24: "A at East 4, A of Shop 4, A shown by Shop 10, A of Outlet 4",
				25: "A at East 8, A of Shop 8, A shown by Shop 10, A of Outlet 8",
				50: "A at East 8, A of Shop excluded, A shown by Shop 10, A of Outlet 8",
			}[minute]
			if got != want || kept.Complete(at(minute)) != complete {
				w.Errorf("minute %d: %s (%v)\nwant %s", minute, got, kept.Since, want)
			}
		}
		if err := w.db.Tamper(ctx, "DELETE FROM activities"); err != nil {
			w.Fatal(err)
		}
		if got, kept := w.asOf(50); kept.Complete(at(50)) || got != "A at East 8, A of Shop excluded, A shown by Shop 10, A of Outlet 8" {
			w.Errorf("with nothing kept: %s, said to be complete: %v", got, kept.Complete(at(50)))
		}
	})
}

// spec 2.5: buckets tell the value at their end and what was reached within.
func TestHistoryInBuckets(t *testing.T) {
	eachLife(t, func(w *brand, _ *clock) {
		for _, tt := range []struct {
			from, to, buckets int
			want              map[string]string
		}{
			{0, 50, 5, map[string]string{
				"A at East":       "10 [10,10] 4 [4,10] 8 [4,8] 8 [8,8] 8 [8,8]",
				"A of Shop":       "10 [10,10] 4 [4,10] 8 [4,8] x [8,8] x -",
				"A shown by Shop": "- - 10 [10,10] 10 [10,10] 10 [10,10] 10 [10,10]",
				"A of Outlet":     "10 [10,10] 4 [4,10] 8 [4,8] 8 [8,8] 8 [8,8]",
			}},
			{15, 30, 1, map[string]string{
				"A at East": "8 [4,10]", "A of Shop": "8 [4,10]", "A shown by Shop": "10 [10,10]", "A of Outlet": "8 [4,10]",
			}},
			{50, 90, 4, map[string]string{ // now is minute 60: a bucket that begins later holds nothing
				"A at East": "8 [8,8] 8 [8,8] - - - -", "A of Shop": "x - x - - - - -", "A shown by Shop": "10 [10,10] 10 [10,10] - - - -", "A of Outlet": "8 [8,8] 8 [8,8] - - - -",
			}},
		} {
			all, _, err := w.db.History(w.Context(), w.m.ID, []string{"A"}, database.Times{From: at(tt.from), To: at(tt.to), Buckets: tt.buckets})
			if err != nil {
				w.Fatal(err)
			}
			for _, s := range all {
				var got []string
				for i, p := range s.Points {
					if end := at(tt.from + (tt.to-tt.from)*(i+1)/tt.buckets); !p.At.Equal(end) {
						w.Errorf("bucket %d ends at %s, not %s", i, p.At, end)
					}
					switch {
					case p.Last == nil:
						got = append(got, "-")
					case p.Last.Excluded:
						got = append(got, "x")
					default:
						got = append(got, fmt.Sprint(p.Last.Value))
					}
					if p.Min == nil {
						got = append(got, "-")
					} else {
						got = append(got, fmt.Sprintf("[%d,%d]", *p.Min, *p.Max))
					}
				}
				if got := strings.Join(got, " "); got != tt.want[w.series(s.Series)] {
					w.Errorf("%d to %d: %s: %s, want %s", tt.from, tt.to, w.series(s.Series), got, tt.want[w.series(s.Series)])
				}
			}
			if len(all) != len(tt.want) {
				w.Errorf("%d series, want %d", len(all), len(tt.want))
			}
		}
		_, _, err := w.db.History(w.Context(), w.m.ID, []string{"A"}, database.Times{From: at(0), To: at(60), Buckets: 200_000})
		w.refused(err, "TOO_MANY buckets")
	})
}

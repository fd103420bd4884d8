package database_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"stockbridge/ent"
	"stockbridge/ent/activity"
	"stockbridge/ent/schema/enum"
	"stockbridge/internal/database"
	"stockbridge/internal/database/dbtest"
)

// prune deletes all there is to delete from an id on.
func prune(t *testing.T, at int64, page func(at int64) (next int64, more bool, deleted int, err error)) (all int, next int64) {
	t.Helper()
	for more := true; more; {
		var n int
		var err error
		if at, more, n, err = page(at); err != nil {
			t.Fatal(err)
		}
		if n > 1000 {
			t.Errorf("one transaction deleted %d rows", n)
		}
		all += n
	}
	return all, at
}

// spec 5.1: random SKUs and ages, in three rounds. What stays is younger than the time, or one of the latest 200 of its
// SKU; all else goes; the horizon of a merchant is the last that went.
func TestActivitiesAreKeptByAgeAndSKU(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"sqlite", "postgres"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			seed := rand.Uint64()
			t.Logf("seed %d", seed)
			random := rand.New(rand.NewPCG(seed, 1))
			now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
			w := newBrand(t, dbtest.Open(t, name, database.Options{Now: func() time.Time { return now }}))
			ctx := t.Context()
			reader := w.db.Reader()
			const keep = 90 * 24 * time.Hour
			position, horizon := int64(0), map[int64]int64{}
			for round := range 3 {
				var values []string
				var args []any
				for range 2500 + random.IntN(1500) {
					now = now.Add(time.Duration(random.IntN(100)) * time.Minute)
					merchant := w.m.ID
					if random.IntN(3) == 0 {
						merchant = w.m2.ID
					}
					sku := fmt.Sprintf("S%d", int(random.ExpFloat64()*3)) // some often, many hardly ever
					values, args = append(values, "(?, ?, ?, ?)"), append(args, now, string(enum.LevelReported), merchant, sku)
				}
				if err := w.db.Tamper(ctx, "INSERT INTO activities (at, kind, merchant_id, sku) VALUES "+strings.Join(values, ", "), args...); err != nil {
					t.Fatal(err)
				}
				now = now.Add(time.Duration(random.IntN(60*24)) * time.Hour)
				before := now.Add(-keep)

				newer := map[string]int{}
				var stay []int64
				all := reader.Activity.Query().Order(ent.Desc(activity.FieldID)).AllX(ctx)
				for _, a := range all {
					sku := fmt.Sprint(a.MerchantID, a.Sku)
					if newer[sku]++; !a.At.Before(before) || newer[sku] <= database.KeptPerSKU {
						stay = append(stay, a.ID)
					} else {
						horizon[a.MerchantID] = max(horizon[a.MerchantID], a.ID)
					}
				}
				if round == 1 { // going on from where the last round was misses at most what became superfluous since
					n, next := prune(t, position, func(at int64) (int64, bool, int, error) { return w.db.PruneActivities(ctx, before, at) })
					if n > len(all)-len(stay) || next < position {
						t.Errorf("round %d: went on from %d to %d and deleted %d, of %d", round, position, next, n, len(all)-len(stay))
					}
				}
				_, position = prune(t, 0, func(at int64) (int64, bool, int, error) { return w.db.PruneActivities(ctx, before, at) })
				if got := reader.Activity.Query().Order(ent.Desc(activity.FieldID)).IDsX(ctx); !slices.Equal(got, stay) {
					t.Fatalf("round %d: %d of %d stayed, want %d", round, len(got), len(all), len(stay))
				}
				for _, h := range reader.FeedHorizon.Query().AllX(ctx) {
					if h.ActivityID != horizon[h.MerchantID] {
						t.Errorf("round %d: the horizon of %d is %d, want %d", round, h.MerchantID, h.ActivityID, horizon[h.MerchantID])
					}
				}
				if n, _ := prune(t, 0, func(at int64) (int64, bool, int, error) { return w.db.PruneActivities(ctx, before, at) }); n != 0 {
					t.Errorf("round %d: once more deleted %d", round, n)
				}
			}
			if len(horizon) != 2 || reader.FeedHorizon.Query().CountX(ctx) != 2 {
				t.Errorf("too little happened: %v", horizon)
			}
		})
	}
}

// Problems go with their age, their runs stay; keys go after a day.
func TestProblemsAndKeysAreKeptByAge(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"sqlite", "postgres"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
			w := newBrand(t, dbtest.Open(t, name, database.Options{Now: func() time.Time { return now }}))
			ctx := t.Context()
			run := func(end bool) {
				r, _, err := w.db.EnqueueRun(ctx, w.m.ID, w.c11.ID, enum.Smart, enum.Manual)
				if err == nil {
					err = w.db.AddProblems(ctx, w.m.ID, r.ID, slices.Repeat([]database.Problem{{Kind: enum.RowProblem, Message: "m"}}, 700), 0)
				}
				if err == nil && end {
					err = w.db.FinishRun(ctx, r.ID, enum.Partial, nil, database.Counts{})
				}
				if err != nil {
					t.Fatal(err)
				}
				now = now.Add(time.Hour)
			}
			for i := range 5 {
				run(i < 4)
			}
			claim, _, err := w.db.ClaimKey(ctx, 1, "k", []byte("asked"))
			if err == nil {
				err = w.db.AnswerKey(ctx, claim, []byte("x"))
			}
			if err != nil {
				t.Fatal(err)
			}
			before := time.Date(2026, 1, 1, 2, 0, 1, 0, time.UTC)
			if n, _ := prune(t, 0, func(at int64) (int64, bool, int, error) { return w.db.PruneProblems(ctx, before, at) }); n != 3*700 {
				t.Errorf("deleted %d problems", n)
			}
			if n, _ := prune(t, 0, func(at int64) (int64, bool, int, error) {
				return w.db.PruneProblems(ctx, now.Add(time.Hour), at)
			}); n != 700 {
				t.Errorf("deleted %d more problems, of a run that goes on too", n)
			}
			if runs := w.db.Reader().SyncRun.Query().CountX(ctx); runs != 5 {
				t.Errorf("%d runs stayed", runs)
			}
			for _, want := range []int{0, 1} {
				if _, n, err := w.db.PruneKeys(ctx); n != want || err != nil {
					t.Errorf("deleted %d keys, %v; want %d", n, err, want)
				}
				now = now.Add(database.KeyKept)
			}
		})
	}
}

// What is looked for goes by indexes: no statement reads the table through for every row.
func TestPruningGoesByIndexes(t *testing.T) {
	eachBrand(t, func(w *brand) {
		ctx := w.Context()
		for _, statement := range []string{`WITH RECURSIVE i(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM i WHERE n < 20000)
			INSERT INTO activities (at, kind, merchant_id, sku) SELECT '2026-01-01 00:00:00+00:00', 'LEVEL_REPORTED', (SELECT min(id) FROM merchants), 'S' || (n % 500) FROM i`, "ANALYZE"} {
			if err := w.db.Tamper(ctx, statement); err != nil {
				w.Fatal(err)
			}
		}
		plan, err := w.db.PlanOfPruning(ctx)
		if err != nil || !strings.Contains(plan, "activity_merchant_id_") || strings.Contains(plan, "Seq Scan") || strings.Contains(plan, "SCAN n\n") || strings.Contains(plan, "SCAN activities") {
			w.Errorf("%v, the plan is\n%s", err, plan)
		}
	})
}

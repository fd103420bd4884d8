package database_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"stockbridge/ent/schema/enum"
	"stockbridge/internal/database"
	"stockbridge/internal/database/dbtest"
)

// BenchmarkRecord records whole reports of a warehouse: the first load, and one in which 1% changed; beside the raw limit,
// bare rows into the same indexed tables, in the same run. See docs/performance.md.
func BenchmarkRecord(b *testing.B) {
	for _, dialect := range []string{"sqlite", "postgres"} {
		for _, n := range []int{100_000, 1_000_000} {
			b.Run(fmt.Sprintf("%s/levels=%d", dialect, n), func(b *testing.B) {
				if testing.Short() && n > 100_000 {
					b.Skip("short")
				}
				for b.Loop() {
					b.StopTimer()
					db := dbtest.Open(b, dialect, database.Options{})
					ctx := context.Background()
					m := must(db.CreateMerchant(ctx, database.CreateMerchant{Name: "bench"}))
					w := must(db.CreateWarehouse(ctx, database.CreateWarehouse{MerchantID: m.ID, Name: "w", Platform: database.PlatformSettings{Platform: enum.Push, Settings: []byte("{}")}}))
					raw := must(db.CreateWarehouse(ctx, database.CreateWarehouse{MerchantID: m.ID, Name: "raw", Platform: database.PlatformSettings{Platform: enum.Push, Settings: []byte("{}")}}))
					b.StartTimer()
					limit := timed(b, func() error { return db.BareLevels(ctx, m.ID, raw.ID, n) })
					first := timed(b, func() error { return record(ctx, db, m.ID, w.ID, n, func(int) int64 { return 5 }) })
					second := timed(b, func() error {
						return record(ctx, db, m.ID, w.ID, n, func(i int) int64 { return 5 + int64((i%100)/99) })
					})
					rate := func(d time.Duration) float64 { return float64(n) / d.Seconds() }
					b.ReportMetric(rate(limit), "limit-rows/s")
					b.ReportMetric(rate(first), "first-rows/s")
					b.ReportMetric(rate(second), "changed1%-rows/s")
					b.ReportMetric(first.Seconds()/limit.Seconds(), "first/limit")
					b.ReportMetric(second.Seconds()/limit.Seconds(), "changed1%/limit")
				}
			})
		}
	}
}

func timed(b *testing.B, f func() error) time.Duration {
	b.Helper()
	start := time.Now()
	if err := f(); err != nil {
		b.Fatal(err)
	}
	return time.Since(start)
}

func record(ctx context.Context, db *database.DB, merchantID, warehouseID int64, n int, quantity func(i int) int64) error {
	r := &database.Recording{MerchantID: merchantID, WarehouseID: warehouseID}
	page := make([]database.ReportedLevel, 0, r.PageRows())
	for i := range n {
		page = append(page, database.ReportedLevel{LevelKey: database.LevelKey{SKU: fmt.Sprintf("SKU-%08d", i), Facility: "EAST"}, Figures: database.Figures{Available: database.IntOf(quantity(i)), OnHand: database.IntOf(9)}})
		if len(page) == cap(page) || i == n-1 {
			if err := db.Record(ctx, r, page, i == n-1); err != nil {
				return err
			}
			page = page[:0]
		}
	}
	return nil
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

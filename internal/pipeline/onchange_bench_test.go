package pipeline_test

import (
	"fmt"
	"testing"
	"time"

	"stockbridge/internal/database"
	"stockbridge/internal/warehouse"
)

// BenchmarkPushOnChange takes the time from a warehouse's report to the store's acknowledgement stored (spec 3.12), the
// window of 500 ms in which changes are gathered included.
func BenchmarkPushOnChange(b *testing.B) {
	for _, dialect := range []string{"sqlite", "postgres"} {
		b.Run(dialect, func(b *testing.B) {
			h := newHouse(b, dialect)
			w := h.warehouse("w", nil)
			c := h.connect(w, h.store("s", newShop(b), nil))
			on := true
			must(h.db.UpdateConnection(b.Context(), h.merchant, c.ID, database.UpdateConnection{PushOnChange: &on}))
			var slowest time.Duration
			for n := int64(1); b.Loop(); n++ {
				start := time.Now()
				h.report(w, warehouse.Row{SKU: "A", Available: fmt.Sprint(n)})
				for {
					changed := h.bell.Next()
					if l := h.level("A"); l.PushedQuantity != nil && *l.PushedQuantity == n {
						break
					}
					<-changed
				}
				slowest = max(slowest, time.Since(start))
			}
			b.ReportMetric(slowest.Seconds(), "slowest-s")
		})
	}
}

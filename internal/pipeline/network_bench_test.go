package pipeline_test

import (
	"fmt"
	"io"
	"net/http"
	"testing"
	"time"

	"stockbridge/ent/schema/enum"
	"stockbridge/internal/database/dbtest"
)

// BenchmarkPushOverSlowNetwork pushes every level of a store twice in the same run: to a store that answers at once, and to one that
// takes 20 ms for each request, marks and activities included. ratio is the second rate over the first: what is pushed is to be held back by
// the database and not by the network. See docs/performance.md.
func BenchmarkPushOverSlowNetwork(b *testing.B) {
	for _, dialect := range []string{"sqlite", "postgres"} {
		b.Run(dialect, func(b *testing.B) {
			skus := 50_000
			if testing.Short() {
				skus = 5_000
			}
			h := houseOn(b, dbtest.URL(b, dialect))
			var slow time.Duration
			server := serve(b, func(_ http.ResponseWriter, r *http.Request) {
				_, _ = io.Copy(io.Discard, r.Body) // what is not read is not answered
				time.Sleep(slow)
			})
			w, drop := h.files("w", false, nil)
			c := h.connect(w, h.store("s", &shop{Server: server}, nil))
			n := 0
			push := func(latency time.Duration) float64 { // levels a second, all of them changed
				b.StopTimer()
				n++
				drop(fmt.Sprintf("inv_%d.csv", n), csvOf(skus, func(int) int { return n }))
				slow = latency
				var pushing time.Time
				b.StartTimer()
				run := must(h.Start(b.Context(), h.merchant, c.ID, enum.Smart, enum.Manual))
				for pushing.IsZero() {
					if step := h.step(run.ID); step == enum.Pushing || step == enum.Done {
						pushing = time.Now()
					}
				}
				if run = h.ended(run.ID); run.Status != enum.Succeeded || run.Pushed != int64(skus) {
					b.Fatalf("%s: %d pushed, %v", run.Status, run.Pushed, run.Error)
				}
				return float64(skus) / time.Since(pushing).Seconds()
			}
			push(0) // every level is new once
			var fast, far float64
			for b.Loop() {
				fast += push(0)
				far += push(20 * time.Millisecond)
			}
			b.ReportMetric(fast/float64(b.N), "levels/s-at-once")
			b.ReportMetric(far/float64(b.N), "levels/s-at-20ms")
			b.ReportMetric(far/fast, "ratio")
			h.close()
		})
	}
}

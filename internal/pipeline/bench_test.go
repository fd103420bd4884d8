package pipeline_test

import (
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"stockbridge/ent"
	"stockbridge/ent/schema/enum"
	"stockbridge/internal/database/dbtest"
)

// BenchmarkSync runs whole syncs: a file, HTTP stores on loopback that answer at once, first a Full Sync of all of them,
// then a Smart Sync after 1% changed. Beside them, in the same run: the raw limit (bare rows into the same indexed tables:
// the levels the sync leaves; for the Smart Sync, the file's rows) and the naive way (one upsert and one call per SKU, of
// 1,000, extrapolated). peak-MB is of heap and stacks. See docs/performance.md.
func BenchmarkSync(b *testing.B) {
	for _, dialect := range []string{"sqlite", "postgres"} {
		for _, size := range []struct{ skus, stores int }{{100_000, 5}, {1_000_000, 1}} {
			if testing.Short() {
				size.skus /= 10
			}
			benchmarkSync(b, dialect, size.skus, size.stores)
		}
	}
}

func benchmarkSync(b *testing.B, dialect string, skus, stores int) {
	b.Run(fmt.Sprintf("%s/skus=%d/stores=%d", dialect, skus, stores), func(b *testing.B) {
		for b.Loop() {
			b.StopTimer()
			url := dbtest.URL(b, dialect)
			h := houseOn(b, url)
			ctx := b.Context()
			server := serve(b, func(_ http.ResponseWriter, r *http.Request) {
				_, _ = io.Copy(io.Discard, r.Body) // what is not read is not answered
			})
			s := &shop{Server: server}
			w, drop := h.files("w", false, nil)
			var conns []*ent.Connection
			for i := range stores {
				conns = append(conns, h.connect(w, h.store(fmt.Sprint("s", i), s, nil)))
			}
			must(h.Replan(ctx, h.merchant))
			drop("inv_1.csv", csvOf(skus, func(int) int { return 5 }))
			second := csvOf(skus, func(i int) int { return 5 + (i%100)/99 })
			if err := os.WriteFile(filepath.Join(h.root, "second.csv"), []byte(second), 0o600); err != nil {
				b.Fatal(err)
			}
			second = ""
			memory := peak()
			b.StartTimer()
			full := timed(func() { h.syncAll(conns, enum.Full) })
			b.StopTimer()
			if err := os.Rename(filepath.Join(h.root, "second.csv"), filepath.Join(h.root, "w", "out", "inv_2.csv")); err != nil {
				b.Fatal(err)
			}
			b.StartTimer()
			smart := timed(func() { h.syncAll(conns, enum.Smart) })
			b.StopTimer()
			mb := memory()
			limit := timed(func() { bareRows(ctx, b, url, h.merchant, w.ID, conns[0].StoreID, skus, stores) })
			reread := timed(func() { bareRows(ctx, b, url, h.merchant, w.ID, conns[0].StoreID, skus, 0) })
			naive := timed(func() { naively(ctx, b, url, h.merchant, w.ID, server.URL, 1000) }) * time.Duration(skus*stores/1000)
			b.StartTimer()
			b.ReportMetric(full.Seconds(), "full-s")
			b.ReportMetric(smart.Seconds(), "smart1%-s")
			b.ReportMetric(limit.Seconds(), "limit-s")
			b.ReportMetric(full.Seconds()/limit.Seconds(), "full/limit")
			b.ReportMetric(smart.Seconds()/reread.Seconds(), "smart1%/limit")
			b.ReportMetric(naive.Seconds()/full.Seconds(), "naive/full")
			b.ReportMetric(mb, "peak-MB")
			h.close()
		}
	})
}

func csvOf(skus int, quantity func(i int) int) string {
	var b strings.Builder
	b.WriteString("sku,facility,available,onhand,committed\n")
	for i := range skus {
		fmt.Fprintf(&b, "SKU-%08d,EAST,%d,9,1\n", i, quantity(i))
	}
	return b.String()
}

func timed(f func()) time.Duration {
	start := time.Now()
	f()
	return time.Since(start)
}

// syncAll runs one sync of every connection, all at once.
func (h *house) syncAll(conns []*ent.Connection, mode enum.SyncMode) {
	h.t.Helper()
	var runs []*ent.SyncRun
	for _, c := range conns {
		runs = append(runs, must(h.Start(h.t.Context(), h.merchant, c.ID, mode, enum.Manual)))
	}
	for _, r := range runs {
		if r = h.ended(r.ID); r.Status != enum.Succeeded {
			h.t.Fatalf("%s: %v", r.Status, r.Error)
		}
	}
}

// peak watches the heap until the function it returns is called, which answers the most it held, in MB.
func peak() (stop func() float64) {
	quit, most := make(chan struct{}), make(chan float64)
	runtime.GC()
	go func() {
		var top uint64
		tick := time.NewTicker(20 * time.Millisecond)
		defer tick.Stop()
		for {
			select {
			case <-quit:
				most <- float64(top) / 1e6
				return
			case <-tick.C:
				var m runtime.MemStats
				runtime.ReadMemStats(&m)
				top = max(top, m.HeapInuse+m.StackInuse)
			}
		}
	}()
	return func() float64 { close(quit); return <-most }
}

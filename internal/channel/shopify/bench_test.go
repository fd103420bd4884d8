package shopify

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"regexp"
	"runtime"
	"sync"
	"testing"
	"time"

	"stockbridge/internal/channel"
	"stockbridge/internal/channel/shopify/shopifytest"
	"stockbridge/internal/outbound"
)

// BenchmarkFullSync pushes all SKUs of a shop whose replies take 50 ms, as a Full Sync does: in batches of 250, as many at once as the
// store takes. "x-budget" is the time taken over the least time that the shop's budget of points allows: what the requests cost in the end, less the
// full bucket at the start, over the rate.
//
// Cold looks every SKU up, at the rate of Shopify's largest plan so that it ends, with the bucket of the smallest: latency weighs 20 times as
// much as at the smallest's rate. Warm knows all items, at the smallest's rate.
func BenchmarkFullSync(b *testing.B) {
	b.Run("cold/100000", func(b *testing.B) { fullSync(b, 100_000, 2000, false) })
	b.Run("warm/100000", func(b *testing.B) { fullSync(b, 100_000, 100, true) })
}

// BenchmarkMemory pushes to a shop that takes all and keeps nothing. "peak-MB" is the most of heap and stacks in use, "kept-MB" what is live at
// the end, of which the most are items remembered; both beside what is live at the start.
func BenchmarkMemory(b *testing.B) {
	for _, skus := range []int{10_000, 100_000, 400_000} {
		b.Run(fmt.Sprint(skus), func(b *testing.B) {
			for range b.N {
				st := benchStore(b, http.HandlerFunc(yes))
				stop, result := heap()
				pushAll(b, st, skus)
				close(stop)
				used := <-result
				b.ReportMetric(used.peak, "peak-MB")
				b.ReportMetric(used.kept, "kept-MB")
				runtime.KeepAlive(st)
			}
		})
	}
}

// benchShop is a shop with SKUs, and a store of it.
func benchShop(b *testing.B, cfg shopifytest.Config, skus int) (*shopifytest.Shop, *Store) {
	if os.Getenv("CI") == "true" || os.Getenv("STOCKBRIDGE_SHOPIFY_SCHEMA") != "" {
		cfg.Schema = shopifytest.Schema(b)
	}
	shop := shopifytest.New(cfg)
	shop.Forget()
	shop.AddLocation(1, "East", true)
	for i := range skus {
		shop.AddItem(int64(i+1), fmt.Sprintf("SKU-%08d", i), 1)
	}
	return shop, benchStore(b, shop)
}

var numbers = regexp.MustCompile(`'SKU-(\d+)'`)

// yes finds every SKU, and takes every quantity.
func yes(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return
	}
	io.WriteString(w, `{"data":{"inventorySetQuantities":{"userErrors":[]},"inventoryItems":{"nodes":[`)
	for n, m := range numbers.FindAllSubmatch(body, -1) {
		if n > 0 {
			io.WriteString(w, ",")
		}
		fmt.Fprintf(w, `{"id":"gid://shopify/InventoryItem/1%s","sku":"SKU-%s","inventoryLevel":{"id":"x"}}`, m[1], m[1])
	}
	io.WriteString(w, `],"pageInfo":{"hasNextPage":false}}},"extensions":{"cost":{"requestedQueryCost":1,"actualQueryCost":1,"throttleStatus":{"maximumAvailable":1e9,"currentlyAvailable":1e9,"restoreRate":1e9}}}}`)
}

// benchStore is a store of a shop.
func benchStore(b *testing.B, shop http.Handler) *Store {
	srv := httptest.NewServer(shop)
	b.Cleanup(srv.Close)
	st, err := New(Config{Shop: "teapots.myshopify.com", AccessToken: token, LocationID: "1", Endpoint: srv.URL}, outbound.Options{Network: outbound.Policy{AllowPrivate: true}})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		if err := st.Close(); err != nil {
			b.Error(err)
		}
	})
	return st
}

func fullSync(b *testing.B, skus int, rate float64, warm bool) {
	const bucket = 2000
	var over float64
	for range b.N {
		shop, st := benchShop(b, shopifytest.Config{Latency: 50 * time.Millisecond, Rate: rate, Maximum: bucket}, skus)
		if warm {
			for i := range skus {
				st.items.Add(st.key(fmt.Sprintf("SKU-%08d", i), st.place), item{int64(i + 1), true, time.Now().Add(cacheLife)})
			}
		}
		start := time.Now()
		pushAll(b, st, skus)
		took := time.Since(start).Seconds()
		points, rows, throttled := shop.Spent()
		if rows != skus {
			b.Errorf("%d of %d rows set", rows, skus)
		}
		least := (points - bucket) / rate
		over += took / least
		b.Logf("%d SKUs: %.0f points, %.1f s, least %.1f s, throttled %d times", skus, points, took, least, throttled)
	}
	b.ReportMetric(over/float64(b.N), "x-budget")
}

// pushAll pushes SKUs in batches, made when their turn comes.
func pushAll(b *testing.B, st *Store, skus int) {
	caps := st.Capabilities()
	from := make(chan int)
	var senders sync.WaitGroup
	for range caps.Concurrency {
		senders.Go(func() {
			for first := range from {
				batch := batch()
				for i := first; i < min(first+caps.MaxBatch, skus); i++ {
					batch.Levels = append(batch.Levels, channel.Level{SKU: fmt.Sprintf("SKU-%08d", i), Quantity: int64(i % 100)})
				}
				outcomes, err := st.Push(b.Context(), batch)
				if err != nil || outcomes[0].Verdict != channel.Acknowledged {
					b.Errorf("%+v, %v", outcomes[0], err)
				}
			}
		})
	}
	for first := 0; first < skus; first += caps.MaxBatch {
		from <- first
	}
	close(from)
	senders.Wait()
}

// memory is in MB.
type memory struct{ peak, kept float64 }

// heap measures until stop is closed.
func heap() (stop chan struct{}, result chan memory) {
	const mb = 1 << 20
	used := func() (inUse, live float64) {
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return float64(m.HeapInuse+m.StackInuse) / mb, float64(m.HeapAlloc) / mb
	}
	stop, result = make(chan struct{}), make(chan memory, 1)
	runtime.GC()
	_, base := used()
	go func() {
		tick, peak := time.NewTicker(20*time.Millisecond), 0.0
		defer tick.Stop()
		for {
			select {
			case <-tick.C:
				now, _ := used()
				peak = max(peak, now-base)
			case <-stop:
				runtime.GC()
				_, live := used()
				result <- memory{peak, live - base}
				return
			}
		}
	}()
	return stop, result
}

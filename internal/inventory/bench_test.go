package inventory_test

import (
	"fmt"
	"testing"

	"stockbridge/internal/inventory"
)

// BenchmarkPlan plans chunks of 4,000 SKUs for 10 stores.
func BenchmarkPlan(b *testing.B) {
	const skus, stores = 4000, 10
	limits := []inventory.Limit{{Pattern: "OLD-*", Action: inventory.Skip}, {Pattern: "*-TEST", Action: inventory.Skip}}
	for name, bundles := range map[string]int{"plain": 0, "bundles": skus / 2} {
		b.Run(name, func(b *testing.B) {
			w := world{setup: feeding(1, stores, &inventory.Strategy{Distribution: inventory.Weighted})}
			for id := range int64(stores) {
				w.setup.Stores[id].Limits = limits
				w.setup.Connections = append(w.setup.Connections, connect(id+1, 1, id+1))
			}
			var outputs []string
			for i := range skus {
				sku := fmt.Sprintf("SKU-%07d", i)
				outputs = append(outputs, sku)
				w.levels = append(w.levels, available(1, "EAST", sku, int64(i)), available(1, "WEST", sku, 7))
				w.catalog.Listings = append(w.catalog.Listings, list(int64(i+1), int64(i%stores+1), sku, "SHOP-"+sku))
				if i < bundles {
					w.catalog.Products = append(w.catalog.Products, inventory.Product{SKU: sku, Components: []inventory.Component{
						{SKU: fmt.Sprintf("SKU-%07d", skus-1-i), Quantity: 1}, {SKU: fmt.Sprintf("SKU-%07d", skus-1-i/2), Quantity: 2},
					}})
				}
			}
			rules := inventory.NewRules(w.setup)
			b.ReportAllocs()
			var targets int
			for b.Loop() {
				targets = len(rules.Plan(w.catalog, w.levels, outputs))
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*targets), "ns/target")
		})
	}
}

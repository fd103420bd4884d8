package catalog_test

import (
	"context"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"stockbridge/ent/schema/enum"
	"stockbridge/internal/catalog"
	"stockbridge/internal/database"
	"stockbridge/internal/database/dbtest"
)

// BenchmarkImport imports 100,000 products into an empty merchant, then the same file again, and with every tenth name
// changed; rows is 2,000 of them by one CreateProduct each. Measured on two cores that others used too: SQLite 105k, 187k
// and 141k rows a second, and 5.8k row by row; PostgreSQL 23k, 74k and 59k, and 1.1k.
func BenchmarkImport(b *testing.B) {
	const n = 100_000
	file := func(changed int) string {
		var s strings.Builder
		s.WriteString("sku,name,upc,imageUrl\n")
		for i := range n {
			name := "Product"
			if changed > 0 && i%changed == 0 {
				name = "Changed"
			}
			fmt.Fprintf(&s, "SKU-%06d,%s %d,%012d,https://example.com/%d.png\n", (i*7919)%n, name, i, i, i)
		}
		return s.String()
	}
	first, tenth := file(0), file(10)
	for _, kind := range []string{"sqlite", "postgres"} {
		db := dbtest.Open(b, kind, database.Options{})
		importer := catalog.New(catalog.Config{DB: db, Log: slog.New(slog.DiscardHandler), Replan: func(context.Context, int64) (bool, error) { return false, nil }})
		made := 0
		merchant := func() int64 {
			made++
			return must(db.CreateMerchant(b.Context(), database.CreateMerchant{Name: fmt.Sprint(made)})).ID
		}
		bring := func(b *testing.B, m int64, file string) {
			b.Helper()
			id := must(importer.Run(b.Context(), database.NewImport{MerchantID: m, Kind: enum.ImportProducts, Format: enum.CSV}, strings.NewReader(file)))
			if row := must(db.Reader().CatalogImport.Get(b.Context(), id)); row.Status != enum.ImportSucceeded {
				b.Fatal(row)
			}
		}
		rate := func(b *testing.B, rows int) {
			b.ReportMetric(float64(rows)*float64(b.N)/b.Elapsed().Seconds(), "rows/s")
		}
		b.Run(kind+"/new", func(b *testing.B) {
			for b.Loop() {
				bring(b, merchant(), first)
			}
			rate(b, n)
		})
		m := merchant()
		bring(b, m, first)
		b.Run(kind+"/same", func(b *testing.B) {
			for b.Loop() {
				bring(b, m, first)
			}
			rate(b, n)
		})
		b.Run(kind+"/tenth", func(b *testing.B) {
			now, next := tenth, first
			for b.Loop() {
				bring(b, m, now)
				now, next = next, now
			}
			rate(b, n)
		})
		b.Run(kind+"/rows", func(b *testing.B) {
			for b.Loop() {
				m := merchant()
				for i := range 2000 {
					must(db.CreateProduct(b.Context(), database.CreateProduct{MerchantID: m, SKU: fmt.Sprintf("SKU-%06d", i), Name: fmt.Sprint("Product ", i), UPC: new(fmt.Sprintf("%012d", i)), ImageURL: new(fmt.Sprintf("https://example.com/%d.png", i))}))
				}
			}
			rate(b, 2000)
		})
	}
}

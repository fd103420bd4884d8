package catalog_test

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"stockbridge/ent"
	"stockbridge/ent/importproblem"
	"stockbridge/ent/planmark"
	"stockbridge/ent/schema/enum"
	"stockbridge/internal/catalog"
	"stockbridge/internal/database"
	"stockbridge/internal/database/dbtest"
	"stockbridge/internal/globalid"
)

func TestMain(m *testing.M) { dbtest.Main(m) }

// world is two merchants with a store "Shop" and a store "Outlet" each.
type world struct {
	*testing.T
	db       *database.DB
	importer *catalog.Importer
	m, m2    *ent.Merchant
	replans  int
}

func each(t *testing.T, test func(*world)) {
	t.Parallel()
	dbtest.Each(t, database.Options{}, func(t *testing.T, db *database.DB) { test(newWorld(t, db)) })
}

func newWorld(t *testing.T, db *database.DB) *world {
	w := &world{T: t, db: db}
	w.importer = catalog.New(catalog.Config{DB: db, Log: slog.New(slog.DiscardHandler), Replan: func(context.Context, int64) (bool, error) { w.replans++; return false, nil }})
	t.Cleanup(func() { w.importer.Close(context.Background()) })
	w.m, w.m2 = w.merchant("Acme"), w.merchant("Globex")
	return w
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

func (w *world) merchant(name string) *ent.Merchant {
	w.Helper()
	m := must(w.db.CreateMerchant(w.Context(), database.CreateMerchant{Name: name}))
	for _, s := range []string{"Shop", "Outlet"} {
		must(w.db.CreateStore(w.Context(), database.CreateStore{MerchantID: m.ID, Name: s, Platform: database.PlatformSettings{Platform: enum.HTTP}}))
	}
	return m
}

// with is the world of a subtest, with a merchant of its own.
func (w *world) with(t *testing.T, name string) *world {
	own := &world{T: t, db: w.db, m2: w.m2}
	own.importer = catalog.New(catalog.Config{DB: w.db, Log: slog.New(slog.DiscardHandler), Replan: func(context.Context, int64) (bool, error) { own.replans++; return false, nil }})
	t.Cleanup(func() { own.importer.Close(context.Background()) })
	own.m = own.merchant(name)
	return own
}

// kinds are what the tests call what they import.
var kinds = map[string]enum.ImportKind{"products": enum.ImportProducts, "components": enum.ImportComponents, "listings": enum.ImportListings}

// bring imports a text, and tells what came of it: "SUCCEEDED 1+2=3!4" is status, created, updated, unchanged and failed,
// then the error's code and each problem on a line of its own.
func (w *world) bring(in database.NewImport, text string) string {
	w.Helper()
	in.MerchantID = w.m.ID
	if in.Format == "" {
		in.Format = enum.CSV
	}
	id, err := w.importer.Run(w.Context(), in, strings.NewReader(text))
	if err != nil {
		w.Fatal(err)
	}
	return w.outcome(id)
}

func (w *world) outcome(id int64) string {
	w.Helper()
	row := must(w.db.Reader().CatalogImport.Get(w.Context(), id))
	out := fmt.Sprintf("%s %d+%d=%d!%d", row.Status, row.Created, row.Updated, row.Unchanged, row.Failed)
	if sum := row.Created + row.Updated + row.Unchanged + row.Failed; row.ErrorCode == nil && sum != row.Rows {
		w.Errorf("%s: %d rows", out, row.Rows)
	}
	if row.ErrorCode != nil {
		out += " " + *row.ErrorCode
	}
	if row.FinishedAt == nil || (row.Error == nil) != (row.ErrorCode == nil) {
		w.Errorf("%v", row)
	}
	for _, p := range w.problems(id) {
		out += strings.TrimRight(fmt.Sprintf("\n%d %s %s %s", p.Line, p.Code, p.Field, p.Sku), " ")
		if p.Message == "" {
			w.Errorf("%v says nothing", p)
		}
	}
	return out
}

func (w *world) problems(id int64) []*ent.ImportProblem {
	return must(w.db.Reader().ImportProblem.Query().Where(importproblem.CatalogImportID(id)).Order(ent.Asc(importproblem.FieldID)).All(w.Context()))
}

func (w *world) want(got, want string) {
	w.Helper()
	if got != want {
		w.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

// all is everything that a merchant's catalog holds.
func (w *world) all(m *ent.Merchant) string {
	w.Helper()
	var out strings.Builder
	for _, s := range []string{"products", "components", "listings"} {
		out.WriteString(w.export(m, s, enum.CSV))
	}
	return out.String()
}

func (w *world) export(m *ent.Merchant, subject string, format enum.ImportFormat) string {
	w.Helper()
	e := must(catalog.Open(w.Context(), w.db.Reader(), subject, format, globalid.New("Merchant", m.ID), ""))
	var out bytes.Buffer
	if err := e.Write(w.Context(), &out); err != nil {
		w.Fatal(err)
	}
	return out.String()
}

func (w *world) marked() (skus []string) {
	w.Helper()
	for _, m := range must(w.db.Reader().PlanMark.Query().Where(planmark.MerchantID(w.m.ID)).Order(planmark.BySku()).All(w.Context())) {
		skus = append(skus, m.Sku)
	}
	return skus
}

// fill gives the merchant products A to F, the bundle KIT of A and B, and a listing of A at Shop.
func (w *world) fill() {
	w.Helper()
	w.want(w.bring(database.NewImport{Kind: enum.ImportProducts}, "sku,name,upc,imageUrl\nA,Apple,1,https://example.com/a\nB,,,\nC,,,\nD,,,\nE,,,\nF,,,\nKIT,The kit,,\n"), "SUCCEEDED 7+0=0!0")
	w.want(w.bring(database.NewImport{Kind: enum.ImportComponents}, "bundleSku,componentSku,quantity\nKIT,A,2\nKIT,B,1\n"), "SUCCEEDED 2+0=0!0")
	w.want(w.bring(database.NewImport{Kind: enum.ImportListings}, "store,sku,channelSku,maxQuantity\nShop,A,A-shop,5\n"), "SUCCEEDED 1+0=0!0")
}

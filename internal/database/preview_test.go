package database_test

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"testing"

	"stockbridge/ent"
	"stockbridge/ent/schema/enum"
	"stockbridge/internal/database"
	"stockbridge/internal/database/dbtest"
)

// stocked gives the brand stock at both warehouses, bundles and listings, all planned.
func (w *brand) stocked() *brand {
	w.Helper()
	ctx := w.Context()
	w.report(w.w1, "A", 40, "B", 9, "C", 30, "KIT", 1, "OLD-1", 5)
	w.report(w.w2, "B", 7, "C", 4, "E", 2)
	for _, p := range []database.CreateProduct{
		{SKU: "A"}, {SKU: "B"}, {SKU: "C"}, {SKU: "E"},
		{SKU: "KIT", Components: []database.Component{{SKU: "A", Quantity: 2}, {SKU: "B", Quantity: 1}}},
		{SKU: "SET", Components: []database.Component{{SKU: "B", Quantity: 2}, {SKU: "C", Quantity: 3}}},
	} {
		p.MerchantID = w.m.ID
		sure(w.db.CreateProduct(ctx, p))(w.T)
	}
	for _, l := range []database.CreateListing{{StoreID: w.s1.ID, SKU: "SET", ChannelSKU: "S-SET"}, {StoreID: w.s1.ID, SKU: "A", ChannelSKU: "S-A"}, {StoreID: w.s2.ID, SKU: "C", ChannelSKU: "O-C", MaxQuantity: new(int64(20))}} {
		l.MerchantID = w.m.ID
		sure(w.db.CreateListing(ctx, l))(w.T)
	}
	w.plan()
	return w
}

// report records figures: SKU, units and so on.
func (w *brand) report(at *ent.Warehouse, figures ...any) {
	w.Helper()
	r := &database.Recording{MerchantID: w.m.ID, WarehouseID: at.ID}
	var page []database.ReportedLevel
	for f := range slices.Chunk(figures, 2) {
		page = append(page, database.ReportedLevel{LevelKey: database.LevelKey{SKU: f[0].(string), Facility: "F1"}, Figures: database.Figures{Available: database.IntOf(int64(f[1].(int)))}})
	}
	if err := w.db.Record(w.Context(), r, page, true); err != nil {
		w.Fatal(err)
	}
}

// plan plans everything, which meets all marks.
func (w *brand) plan() {
	w.Helper()
	skus := sure(w.db.SKUsToPlan(w.Context(), w.m.ID, 0, "", 1000))(w.T)
	sure(w.db.Plan(w.Context(), w.m.ID, database.Int{}, skus))(w.T)
}

// levels are all stored channel levels: SKU, quantity and whether they count, by store, channel SKU and location.
func (w *brand) levels() map[string]string {
	w.Helper()
	out := map[string]string{}
	for _, l := range sure(w.db.Reader().ChannelLevel.Query().All(w.Context()))(w.T) {
		out[fmt.Sprint(l.StoreID, " ", l.ChannelSku, "@", l.LocationCode)] = stand(l.Sku, l.Quantity, l.Status)
	}
	return out
}

func stand(sku string, quantity int64, status enum.LevelStatus) string {
	if status == enum.LevelExcluded {
		return "excluded"
	}
	return fmt.Sprint(sku, "=", quantity)
}

// told is all that a preview tells, page by page of n changes.
func (w *brand) told(n int, store int64, preview func(database.Scan) error) (all []database.LevelChange) {
	w.Helper()
	for {
		var page []database.LevelChange
		scan := database.Scan{Store: store, Tell: func(c database.LevelChange) bool {
			page = append(page, c)
			return len(page) < n
		}}
		if len(all) > 0 {
			scan.After = &all[len(all)-1].LevelPosition
		}
		if err := preview(scan); err != nil {
			w.Fatal(err)
		}
		all = append(all, page...)
		if len(page) < n {
			return all
		}
	}
}

// trial is a change of settings that can be previewed and made.
type trial struct {
	preview func(*brand, database.Scan) error
	make    func(*brand) error
}

var trials = map[string]trial{
	"new strategy": {
		func(w *brand, s database.Scan) error {
			return w.db.PreviewNewPartitionStrategy(w.Context(), w.split(), nil, s)
		},
		func(w *brand) error { return errOf(w.db.CreatePartitionStrategy(w.Context(), w.split())) },
	},
	"new inactive strategy": {
		func(w *brand, s database.Scan) error {
			in := w.split()
			in.Name, in.Active = "Another", false
			return w.db.PreviewNewPartitionStrategy(w.Context(), in, &in.Name, s)
		},
		func(*brand) error { return nil },
	},
	"changed strategy": {
		func(w *brand, s database.Scan) error {
			return w.db.PreviewPartitionStrategy(w.Context(), w.m.ID, w.standing(), database.UpdatePartitionStrategy{Distribution: new(enum.Weighted)}, s)
		},
		func(w *brand) error {
			return errOf(w.db.UpdatePartitionStrategy(w.Context(), w.m.ID, w.standing(), database.UpdatePartitionStrategy{Distribution: new(enum.Weighted)}))
		},
	},
	"changed shares": {
		func(w *brand, s database.Scan) error {
			return w.db.PreviewPartitionStrategy(w.Context(), w.m.ID, w.standing(), database.UpdatePartitionStrategy{Distribution: new(enum.Weighted), Shares: &[]database.Share{{StoreID: w.s2.ID, Weight: new(int64(9))}}}, s)
		},
		func(w *brand) error {
			return errOf(w.db.UpdatePartitionStrategy(w.Context(), w.m.ID, w.standing(), database.UpdatePartitionStrategy{Distribution: new(enum.Weighted), Shares: &[]database.Share{{StoreID: w.s2.ID, Weight: new(int64(9))}}}))
		},
	},
	"no strategy": {
		func(w *brand, s database.Scan) error {
			return w.db.PreviewPartitionStrategy(w.Context(), w.m.ID, w.standing(), database.UpdatePartitionStrategy{Active: new(false)}, s)
		},
		func(w *brand) error { return w.db.DeletePartitionStrategy(w.Context(), w.m.ID, w.standing()) },
	},
	"limits": {
		func(w *brand, s database.Scan) error {
			return w.db.PreviewStoreLimits(w.Context(), w.m.ID, w.s1.ID, database.SetStoreLimits{Limits: []database.Limit{{Pattern: "OLD-*", Action: enum.Skip}, {Pattern: "A", Action: enum.Skip}}}, s)
		},
		func(w *brand) error {
			return errOf(w.db.SetStoreLimits(w.Context(), w.m.ID, w.s1.ID, database.SetStoreLimits{Limits: []database.Limit{{Pattern: "OLD-*", Action: enum.Skip}, {Pattern: "A", Action: enum.Skip}}}))
		},
	},
	"scope": {
		func(w *brand, s database.Scan) error {
			return w.db.PreviewStoreLimits(w.Context(), w.m.ID, w.s2.ID, database.SetStoreLimits{Scope: new(enum.ListedSKUs)}, s)
		},
		func(w *brand) error {
			return errOf(w.db.SetStoreLimits(w.Context(), w.m.ID, w.s2.ID, database.SetStoreLimits{Scope: new(enum.ListedSKUs)}))
		},
	},
	"new listing": {
		func(w *brand, s database.Scan) error {
			return w.db.PreviewNewListing(w.Context(), database.CreateListing{MerchantID: w.m.ID, StoreID: w.s2.ID, SKU: "SET", ChannelSKU: "E"}, s)
		},
		func(w *brand) error {
			return errOf(w.db.CreateListing(w.Context(), database.CreateListing{MerchantID: w.m.ID, StoreID: w.s2.ID, SKU: "SET", ChannelSKU: "E"}))
		},
	},
	"listing of what passed through": {
		func(w *brand, s database.Scan) error {
			return w.db.PreviewNewListing(w.Context(), database.CreateListing{MerchantID: w.m.ID, StoreID: w.s1.ID, SKU: "KIT", ChannelSKU: "B"}, s)
		},
		func(w *brand) error {
			return errOf(w.db.CreateListing(w.Context(), database.CreateListing{MerchantID: w.m.ID, StoreID: w.s1.ID, SKU: "KIT", ChannelSKU: "B"}))
		},
	},
	"listing of another product": {
		func(w *brand, s database.Scan) error {
			return w.db.PreviewListing(w.Context(), w.m.ID, w.listed("S-A"), database.UpdateListing{SKU: new("C"), MaxQuantity: database.Opt[int64]{Set: true, Value: new(int64(3))}}, s)
		},
		func(w *brand) error {
			return errOf(w.db.UpdateListing(w.Context(), w.m.ID, w.listed("S-A"), database.UpdateListing{SKU: new("C"), MaxQuantity: database.Opt[int64]{Set: true, Value: new(int64(3))}}))
		},
	},
	"listing disabled": {
		func(w *brand, s database.Scan) error {
			return w.db.PreviewListing(w.Context(), w.m.ID, w.listed("S-A"), database.UpdateListing{InventoryEnabled: new(false)}, s)
		},
		func(w *brand) error {
			return errOf(w.db.UpdateListing(w.Context(), w.m.ID, w.listed("S-A"), database.UpdateListing{InventoryEnabled: new(false)}))
		},
	},
	"no listing": {
		func(w *brand, s database.Scan) error {
			return w.db.PreviewNoListing(w.Context(), w.m.ID, w.listed("S-A"), s)
		},
		func(w *brand) error { return w.db.DeleteListing(w.Context(), w.m.ID, w.listed("S-A")) },
	},
	"bundle recomposed": {
		func(w *brand, s database.Scan) error {
			return w.db.PreviewBundle(w.Context(), w.m.ID, w.productID("KIT"), []database.Component{{SKU: "C", Quantity: 5}, {SKU: "B", Quantity: 1}}, s)
		},
		func(w *brand) error {
			return errOf(w.db.UpdateProduct(w.Context(), w.m.ID, w.productID("KIT"), database.UpdateProduct{Components: &[]database.Component{{SKU: "C", Quantity: 5}, {SKU: "B", Quantity: 1}}}))
		},
	},
	"bundle made plain": {
		func(w *brand, s database.Scan) error {
			return w.db.PreviewBundle(w.Context(), w.m.ID, w.productID("SET"), nil, s)
		},
		func(w *brand) error {
			return errOf(w.db.UpdateProduct(w.Context(), w.m.ID, w.productID("SET"), database.UpdateProduct{Components: &[]database.Component{}}))
		},
	},
	"plain made a bundle": {
		func(w *brand, s database.Scan) error {
			return w.db.PreviewBundle(w.Context(), w.m.ID, w.productID("E"), []database.Component{{SKU: "C", Quantity: 2}}, s)
		},
		func(w *brand) error {
			return errOf(w.db.UpdateProduct(w.Context(), w.m.ID, w.productID("E"), database.UpdateProduct{Components: &[]database.Component{{SKU: "C", Quantity: 2}}}))
		},
	},
}

// split is a strategy that does not stand yet.
func (w *brand) split() database.CreatePartitionStrategy {
	return database.CreatePartitionStrategy{MerchantID: w.m.ID, WarehouseID: w.w1.ID, Name: "Two to one", Buffer: database.Buffer{Quantity: new(int64(1))}, Distribution: enum.Weighted,
		Shares: []database.Share{{StoreID: w.s1.ID, Weight: new(int64(2))}}, Active: true}
}

// standing is the id of the active strategy.
func (w *brand) standing() int64 {
	w.Helper()
	return sure(w.db.Reader().PartitionStrategy.Query().FirstID(w.Context()))(w.T)
}

func (w *brand) listed(channelSKU string) int64 {
	w.Helper()
	for _, l := range sure(w.db.Reader().Listing.Query().All(w.Context()))(w.T) {
		if l.ChannelSku == channelSKU {
			return l.ID
		}
	}
	w.Fatalf("no listing %s", channelSKU)
	return 0
}

func (w *brand) productID(sku string) int64 {
	w.Helper()
	for _, p := range sure(w.db.Reader().Product.Query().All(w.Context()))(w.T) {
		if p.Sku == sku {
			return p.ID
		}
	}
	w.Fatalf("no product %s", sku)
	return 0
}

// spec 5: a preview tells exactly what the change then makes of the levels, page by page too, and changes nothing.
func TestPreviewTellsWhatTheChangeMakes(t *testing.T) {
	t.Parallel()
	for name, trial := range trials {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dbtest.Each(t, database.Options{}, func(t *testing.T, db *database.DB) {
				w := newBrand(t, db).stocked()
				if name != "new strategy" {
					in := w.split()
					in.Distribution = enum.Equal
					sure(db.CreatePartitionStrategy(w.Context(), in))(t)
					w.plan()
				}
				preview := func(s database.Scan) error { return trial.preview(w, s) }
				before := w.levels()
				var all []database.LevelChange
				if marks := w.marked(func() error { all = w.told(1000, 0, preview); return nil }); len(marks) > 0 || !maps.Equal(before, w.levels()) {
					t.Errorf("the preview wrote: marked %q", marks)
				}
				if paged := w.told(1, 0, preview); fmt.Sprint(places(paged)) != fmt.Sprint(places(all)) {
					t.Errorf("one by one: %v\nat once: %v", places(paged), places(all))
				}
				if of := w.told(2, w.s2.ID, preview); fmt.Sprint(places(of)) != fmt.Sprint(places(slices.DeleteFunc(slices.Clone(all), func(c database.LevelChange) bool { return c.Store != w.s2.ID }))) {
					t.Errorf("of the second store: %v", places(of))
				}
				if err := trial.make(w); err != nil {
					t.Fatal(err)
				}
				w.plan()
				want := map[string]string{}
				for place, after := range w.levels() {
					if was := before[place]; was != after {
						want[place] = was + " → " + after
					}
				}
				got := map[string]string{}
				for _, c := range all {
					was := ""
					if c.Before != nil {
						was = before[place(c)]
						if c.Before.Status == enum.LevelExcluded != (was == "excluded") {
							t.Errorf("%s was %s, not %s", place(c), was, c.Before.Status)
						}
					}
					got[place(c)] = was + " → " + stand(c.SKU, c.After.Quantity, c.After.Status)
				}
				if !maps.Equal(got, want) {
					t.Errorf("previewed %v\nbecame %v", got, want)
				}
				if len(want) == 0 && name != "new inactive strategy" {
					t.Error("the change shows nothing")
				}
			})
		})
	}
}

func place(c database.LevelChange) string {
	return fmt.Sprint(c.Store, " ", c.ChannelSKU, "@", c.Location)
}

func places(all []database.LevelChange) (out []string) {
	for _, c := range all {
		out = append(out, c.SKU+": "+place(c))
	}
	return out
}

// spec 5, 6: what the change would be refused for, its preview is refused for.
func TestPreviewRefusesWhatTheChangeWould(t *testing.T) {
	eachBrand(t, func(w *brand) {
		w.stocked()
		ctx := w.Context()
		none := database.Scan{Tell: func(database.LevelChange) bool { return true }}
		in := w.split()
		in.Buffer.Quantity, in.Shares[0].StoreID = new(int64(-1)), w.others.ID
		w.refused(w.db.PreviewNewPartitionStrategy(ctx, in, new(" "), none), "BLANK name", "OUT_OF_RANGE buffer.quantity", "NOT_FOUND shares.0.storeId")
		in.WarehouseID = w.other.ID
		w.refused(w.db.PreviewNewPartitionStrategy(ctx, in, nil, none), "NOT_FOUND warehouseId", "OUT_OF_RANGE buffer.quantity", "NOT_FOUND shares.0.storeId")
		w.refused(w.db.PreviewPartitionStrategy(ctx, w.m.ID, 999, database.UpdatePartitionStrategy{}, none), "NOT_FOUND partitionStrategyId")
		w.refused(w.db.PreviewStoreLimits(ctx, w.m.ID, w.s1.ID, database.SetStoreLimits{Limits: []database.Limit{{Pattern: "[", Action: enum.Skip}}}, none), "INVALID limits.0.pattern")
		w.refused(w.db.PreviewStoreLimits(ctx, w.m.ID, w.others.ID, database.SetStoreLimits{}, none), "NOT_FOUND storeId")
		w.refused(w.db.PreviewNewListing(ctx, database.CreateListing{MerchantID: w.m.ID, StoreID: w.s1.ID, SKU: "B", ChannelSKU: "S-A"}, none), "TAKEN channelSku")
		w.refused(w.db.PreviewListing(ctx, w.m2.ID, w.listed("S-A"), database.UpdateListing{}, none), "NOT_FOUND listingId")
		w.refused(w.db.PreviewNoListing(ctx, w.m2.ID, w.listed("S-A"), none), "NOT_FOUND listingId")
		w.refused(w.db.PreviewBundle(ctx, w.m.ID, w.productID("A"), []database.Component{{SKU: "C", Quantity: 2}}, none), "BUNDLE_NESTED components")
	})
}

// BenchmarkPreview previews a strategy over 100,000 SKUs in 5 stores, all of whose levels move: the first page of 50, and
// all of it, as totalCount asks for.
func BenchmarkPreview(b *testing.B) {
	for _, dialect := range []string{"sqlite", "postgres"} {
		b.Run(dialect, func(b *testing.B) {
			const skus, stores = 100_000, 5
			ctx := context.Background()
			db := dbtest.Open(b, dialect, database.Options{})
			m := must(db.CreateMerchant(ctx, database.CreateMerchant{Name: "bench"}))
			w := must(db.CreateWarehouse(ctx, database.CreateWarehouse{MerchantID: m.ID, Name: "w", Platform: overHTTP}))
			for i := range stores {
				s := must(db.CreateStore(ctx, database.CreateStore{MerchantID: m.ID, Name: fmt.Sprint(i), Platform: overHTTP}))
				c := must(db.CreateConnection(ctx, database.CreateConnection{MerchantID: m.ID, WarehouseID: w.ID, StoreID: s.ID}))
				if _, _, err := db.EnableConnection(ctx, m.ID, c.ID); err != nil {
					b.Fatal(err)
				}
				if _, _, err := db.EnableInventory(ctx, m.ID, c.ID); err != nil {
					b.Fatal(err)
				}
			}
			if err := record(ctx, db, m.ID, w.ID, skus, func(i int) int64 { return 5 + int64(i%7) }); err != nil {
				b.Fatal(err)
			}
			for after := ""; ; {
				chunk := must(db.SKUsToPlan(ctx, m.ID, w.ID, after, 4000))
				if len(chunk) == 0 {
					break
				}
				must(db.Plan(ctx, m.ID, database.Int{}, chunk))
				after = chunk[len(chunk)-1]
			}
			if err := db.Tamper(ctx, "ANALYZE"); err != nil {
				b.Fatal(err)
			}
			for name, most := range map[string]int{"first=50": 50, "all": skus * stores} {
				b.Run(name, func(b *testing.B) {
					for b.Loop() {
						n := 0
						err := db.PreviewNewPartitionStrategy(ctx, database.CreatePartitionStrategy{MerchantID: m.ID, WarehouseID: w.ID, Active: true}, nil, database.Scan{Tell: func(database.LevelChange) bool {
							n++
							return n < most
						}})
						if err != nil || n != most {
							b.Fatal(n, err)
						}
					}
				})
			}
		})
	}
}

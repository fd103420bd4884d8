package database_test

import (
	"fmt"
	"strings"
	"testing"

	"stockbridge/ent"
	"stockbridge/ent/bundlecomponent"
	"stockbridge/ent/product"
	"stockbridge/internal/database"
)

func (w *brand) product(sku string, components ...database.Component) *ent.Product {
	w.Helper()
	return sure(w.db.CreateProduct(w.Context(), database.CreateProduct{MerchantID: w.m.ID, SKU: sku, Components: components}))(w.T)
}

func components(skus ...string) []database.Component {
	var out []database.Component
	for _, sku := range skus {
		out = append(out, database.Component{SKU: sku, Quantity: 2})
	}
	return out
}

// spec 1: a SKU is exact, but for white space around it, and unique per merchant.
func TestProductSKUs(t *testing.T) {
	eachBrand(t, func(w *brand) {
		ctx := w.Context()
		if got := w.product("\t Ab 1\n"); got.Sku != "Ab 1" || got.Upc != nil || got.Version != 1 {
			w.Errorf("got %v", got)
		}
		w.product("ab 1")
		long := strings.Repeat("é", 127)
		w.product(long + "x")
		sure(w.db.CreateProduct(ctx, database.CreateProduct{MerchantID: w.m2.ID, SKU: "Ab 1"}))(w.T)
		create := func(in database.CreateProduct) error { return errOf(w.db.CreateProduct(ctx, in)) }
		w.refused(create(database.CreateProduct{MerchantID: w.m.ID, SKU: long + "xy"}), "TOO_LONG sku")
		w.refused(create(database.CreateProduct{MerchantID: 999, SKU: "X"}), "NOT_FOUND merchantId")
		w.refused(create(database.CreateProduct{MerchantID: w.m.ID, SKU: " Ab 1", Name: strings.Repeat("n", 256), UPC: new(strings.Repeat("1", 65)), ImageURL: new("javascript:alert(1)")}),
			"TAKEN sku", "TOO_LONG name", "TOO_LONG upc", "INVALID imageUrl")
		for _, bad := range []string{"/a.png", "https://", "data:image/png;base64,AA", "https://exa mple/", strings.Repeat("x", 2049)} {
			if err := create(database.CreateProduct{MerchantID: w.m.ID, SKU: "B", ImageURL: &bad}); err == nil {
				w.Errorf("the image URL %.30q is taken", bad)
			}
		}
		if failed := atOnce(func(int) error { return create(database.CreateProduct{MerchantID: w.m.ID, SKU: "RACE"}) }); len(failed) != 3 {
			w.Errorf("of 4 at once %d failed", len(failed))
		} else {
			w.refused(failed[0], "TAKEN sku")
		}
	})
}

func TestProductUpdate(t *testing.T) {
	eachBrand(t, func(w *brand) {
		ctx := w.Context()
		p := sure(w.db.CreateProduct(ctx, database.CreateProduct{MerchantID: w.m.ID, SKU: "A", Name: " Apple ", UPC: new(" 012 "), ImageURL: new("https://example.com/a.png")}))(w.T)
		if p.Name != "Apple" || *p.Upc != "012" || *p.ImageURL != "https://example.com/a.png" {
			w.Errorf("got %v", p)
		}
		p = sure(w.db.UpdateProduct(ctx, w.m.ID, p.ID, database.UpdateProduct{Name: new("")}))(w.T)
		if p.Name != "" || *p.Upc != "012" || p.Version != 2 {
			w.Errorf("got %v", p)
		}
		p = sure(w.db.UpdateProduct(ctx, w.m.ID, p.ID, database.UpdateProduct{UPC: database.Opt[string]{Set: true}, ImageURL: database.Opt[string]{Set: true, Value: new("http://example.com/")}}))(w.T)
		if p.Upc != nil || *p.ImageURL != "http://example.com/" {
			w.Errorf("got %v", p)
		}
		p = sure(w.db.UpdateProduct(ctx, w.m.ID, p.ID, database.UpdateProduct{UPC: database.Opt[string]{Set: true, Value: new("7")}, ImageURL: database.Opt[string]{Set: true, Value: new(" ")}}))(w.T)
		if *p.Upc != "7" || p.ImageURL != nil {
			w.Errorf("got %v", p)
		}
		w.product("B")
		update := func(in database.UpdateProduct) error { return errOf(w.db.UpdateProduct(ctx, w.m.ID, p.ID, in)) }
		w.refused(update(database.UpdateProduct{SKU: new("B"), Name: new("\x00"), UPC: database.Opt[string]{Set: true, Value: new(strings.Repeat("1", 65))}}), "TAKEN sku", "INVALID name", "TOO_LONG upc")
		w.refused(update(database.UpdateProduct{ExpectedVersion: new(int64(1))}), "STALE_VERSION expectedVersion")
		w.refused(errOf(w.db.UpdateProduct(ctx, w.m2.ID, p.ID, database.UpdateProduct{})), "NOT_FOUND productId")
		w.refused(w.db.DeleteProduct(ctx, w.m2.ID, p.ID), "NOT_FOUND productId")
	})
}

// spec 1, 6: bundles hold two units or more of plain products; cycles and nesting are refused.
func TestBundles(t *testing.T) {
	eachBrand(t, func(w *brand) {
		ctx := w.Context()
		a, b := w.product("A"), w.product("B")
		kit := w.product("KIT", database.Component{SKU: " A ", Quantity: 1}, database.Component{SKU: "B", Quantity: 1_000_000})
		sure(w.db.CreateProduct(ctx, database.CreateProduct{MerchantID: w.m2.ID, SKU: "FOREIGN"}))(w.T)

		for _, x := range []struct {
			of   []database.Component
			want []string
		}{
			{[]database.Component{{SKU: "A", Quantity: 1}}, []string{"BUNDLE_TOO_SMALL components"}},
			{[]database.Component{{SKU: "A", Quantity: 0}}, []string{"OUT_OF_RANGE components.0.quantity"}},
			{[]database.Component{{SKU: "A", Quantity: 2}, {SKU: "B", Quantity: 1_000_001}}, []string{"OUT_OF_RANGE components.1.quantity"}},
			{[]database.Component{{SKU: "A", Quantity: -1}, {SKU: " ", Quantity: 2}}, []string{"OUT_OF_RANGE components.0.quantity", "BLANK components.1.sku"}},
			{components("A", "NONE"), []string{"NOT_FOUND components.1.sku"}},
			{components("FOREIGN"), []string{"NOT_FOUND components.0.sku"}},
			{components("a"), []string{"NOT_FOUND components.0.sku"}},
			{components("A", "B", "A "), []string{"TAKEN components.2.sku"}},
			{components("A", "KIT"), []string{"BUNDLE_NESTED components.1.sku"}},
			{components("NEW"), []string{"BUNDLE_CYCLE components.0.sku"}},
			{components(strings.Repeat("x", 256), "\xff"), []string{"TOO_LONG components.0.sku", "INVALID components.1.sku", "NOT_FOUND components.0.sku"}},
			{make([]database.Component, 1001), []string{"TOO_MANY components"}},
		} {
			w.refused(errOf(w.db.CreateProduct(ctx, database.CreateProduct{MerchantID: w.m.ID, SKU: "NEW", Components: x.of})), x.want...)
		}

		update := func(p *ent.Product, of ...database.Component) error {
			return errOf(w.db.UpdateProduct(ctx, w.m.ID, p.ID, database.UpdateProduct{Components: &of}))
		}
		w.refused(update(kit, components("KIT")...), "BUNDLE_CYCLE components.0.sku")
		w.refused(update(a, components("KIT", "B")...), "BUNDLE_CYCLE components.0.sku")
		w.refused(update(a, components("B")...), "BUNDLE_NESTED components")
		renamed := components("NEW")
		w.refused(errOf(w.db.UpdateProduct(ctx, w.m.ID, kit.ID, database.UpdateProduct{SKU: new("NEW"), Components: &renamed})), "BUNDLE_CYCLE components.0.sku")
		other := w.product("OTHER")
		w.refused(update(other, components("KIT")...), "BUNDLE_NESTED components.0.sku")

		w.refused(w.db.DeleteProduct(ctx, w.m.ID, a.ID), "IN_USE productId")
		if err := update(kit); err != nil { // a plain product from now on
			w.Fatal(err)
		}
		if err := update(a, components("B")...); err != nil {
			w.Fatal(err)
		}
		if err := w.db.DeleteProduct(ctx, w.m.ID, a.ID); err != nil {
			w.Fatal(err)
		}
		if n := sure(w.db.Reader().BundleComponent.Query().Where(bundlecomponent.ComponentID(b.ID)).Count(ctx))(w.T); n != 0 {
			w.Errorf("%d components outlived their bundle", n)
		}
	})
}

// Two changes at once that are fine each by itself must not make a cycle together.
func TestBundlesMadeAtOnceDoNotNest(t *testing.T) {
	eachBrand(t, func(w *brand) {
		for i := range 5 {
			a, b := w.product(fmt.Sprint("A", i)), w.product(fmt.Sprint("B", i))
			failed := atOnce(func(n int) error {
				p, of := a, components(b.Sku)
				if n%2 == 1 {
					p, of = b, components(a.Sku)
				}
				return errOf(w.db.UpdateProduct(w.Context(), w.m.ID, p.ID, database.UpdateProduct{Components: &of}))
			})
			if len(failed) != 2 {
				w.Fatalf("of 4 at once %d failed: %v", len(failed), failed)
			}
			w.refused(failed[0], "BUNDLE_CYCLE components.0.sku")
			if n := sure(w.db.Reader().BundleComponent.Query().Where(bundlecomponent.HasBundleWith(product.IDIn(a.ID, b.ID))).Count(w.Context()))(w.T); n != 1 {
				w.Errorf("%d components", n)
			}
		}
	})
}

// spec 3.2
func TestProductIsPlannedAnewForWhatBearsOnLevels(t *testing.T) {
	eachBrand(t, func(w *brand) {
		ctx := w.Context()
		create := func(sku string, of ...database.Component) func() error {
			return func() error {
				return errOf(w.db.CreateProduct(ctx, database.CreateProduct{MerchantID: w.m.ID, SKU: sku, Components: of}))
			}
		}
		id := func(sku string) int64 {
			return sure(w.db.Reader().Product.Query().Where(product.MerchantID(w.m.ID), product.Sku(sku)).OnlyID(ctx))(w.T)
		}
		update := func(sku string, in database.UpdateProduct) func() error {
			return func() error { return errOf(w.db.UpdateProduct(ctx, w.m.ID, id(sku), in)) }
		}
		for _, sku := range []string{"A", "B", "C"} {
			w.marks("a plain product", create(sku))
		}
		w.marks("a bundle", create("KIT", components("B", "A")...), "A", "B", "KIT")
		same := components("A", "B")
		w.marks("the same components", update("KIT", database.UpdateProduct{Name: new("Kit"), SKU: new("KIT"), Components: &same}))
		others := components("B", "C")
		w.marks("other components", update("KIT", database.UpdateProduct{Components: &others}), "A", "B", "C", "KIT")
		more := []database.Component{{SKU: "B", Quantity: 2}, {SKU: "C", Quantity: 3}}
		w.marks("another quantity", update("KIT", database.UpdateProduct{Components: &more}), "B", "C", "KIT")
		w.marks("another SKU of a bundle", update("KIT", database.UpdateProduct{SKU: new("SET")}), "B", "C", "KIT", "SET")
		w.marks("another SKU of a component", update("C", database.UpdateProduct{SKU: new("D")}), "C", "D")
		w.marks("no component any more", update("SET", database.UpdateProduct{Components: new([]database.Component{})}), "B", "D", "SET")
		w.marks("deletion of a plain product", func() error { return w.db.DeleteProduct(ctx, w.m.ID, id("A")) })
		sure(w.db.CreateListing(ctx, database.CreateListing{MerchantID: w.m.ID, StoreID: w.s1.ID, SKU: "B", ChannelSKU: "b-1"}))(w.T)
		w.marks("deletion of a listed product", func() error { return w.db.DeleteProduct(ctx, w.m.ID, id("B")) }, "B", "b-1")
		if n := sure(w.db.Reader().Listing.Query().Count(ctx))(w.T); n != 0 {
			w.Errorf("%d listings outlived their product", n)
		}
	})
}

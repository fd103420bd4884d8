package database_test

import (
	"strings"
	"testing"

	"stockbridge/internal/database"
)

func TestListingDefaults(t *testing.T) {
	eachBrand(t, func(w *brand) {
		w.product("A")
		l := sure(w.db.CreateListing(w.Context(), database.CreateListing{MerchantID: w.m.ID, StoreID: w.s1.ID, SKU: " A ", ChannelSKU: " "}))(w.T)
		if l.ChannelSku != "A" || !l.InventoryEnabled || l.MaxQuantity != nil || l.Price != nil || l.MerchantID != w.m.ID {
			w.Errorf("got %v", l)
		}
	})
}

func TestListingFaults(t *testing.T) {
	eachBrand(t, func(w *brand) {
		ctx := w.Context()
		w.product("A")
		w.product("B")
		create := func(in database.CreateListing) error {
			in.MerchantID = w.m.ID
			return errOf(w.db.CreateListing(ctx, in))
		}
		if err := create(database.CreateListing{StoreID: w.s1.ID, SKU: "A", ChannelSKU: "x", MaxQuantity: new(int64(0)), Price: new("19.90"), Weight: new("1.5 kg")}); err != nil {
			w.Fatal(err)
		}
		if err := create(database.CreateListing{StoreID: w.s2.ID, SKU: "A", ChannelSKU: "x"}); err != nil {
			w.Errorf("the same channel SKU on another store: %v", err)
		}
		if err := create(database.CreateListing{StoreID: w.s1.ID, SKU: "A", ChannelSKU: "X"}); err != nil {
			w.Errorf("a second channel SKU of a product, in another case: %v", err)
		}
		w.refused(create(database.CreateListing{StoreID: w.others.ID, SKU: "NONE", ChannelSKU: strings.Repeat("x", 256), MaxQuantity: new(int64(-1)),
			Name: new(strings.Repeat("x", 256)), Price: new("-1"), Weight: new("heavy"), ImageURL: new("ftp://x/"), Description: new(strings.Repeat("x", 65536))}),
			"NOT_FOUND storeId", "NOT_FOUND sku", "TOO_LONG channelSku", "OUT_OF_RANGE maxQuantity", "TOO_LONG name", "INVALID price", "INVALID weight", "INVALID imageUrl", "TOO_LONG description")
		w.refused(create(database.CreateListing{StoreID: w.s1.ID, SKU: "", ChannelSKU: "\x00"}), "BLANK sku", "INVALID channelSku")
		w.refused(create(database.CreateListing{StoreID: w.s1.ID, SKU: "B", ChannelSKU: " x ", MaxQuantity: new(int64(1 << 31))}), "TAKEN channelSku", "OUT_OF_RANGE maxQuantity")
		for _, bad := range []string{"1e3", "1.", ".5", "1,5", "€ 5", "+1", "NaN", "1.1234567"} {
			w.refused(create(database.CreateListing{StoreID: w.s1.ID, SKU: "B", Price: &bad}), "INVALID price")
		}
		failed := atOnce(func(int) error { return create(database.CreateListing{StoreID: w.s1.ID, SKU: "B"}) })
		if len(failed) != 3 {
			w.Fatalf("of 4 at once %d failed", len(failed))
		}
		w.refused(failed[0], "TAKEN channelSku")
		if !strings.Contains(failed[0].Error(), `the product "B"`) {
			w.Errorf("%v does not say which product has it", failed[0])
		}
	})
}

func TestListingUpdate(t *testing.T) {
	eachBrand(t, func(w *brand) {
		ctx := w.Context()
		w.product("A")
		b := w.product("B")
		l := sure(w.db.CreateListing(ctx, database.CreateListing{MerchantID: w.m.ID, StoreID: w.s1.ID, SKU: "A", MaxQuantity: new(int64(5)), Name: new("n"), Price: new("1"), Weight: new("2kg"),
			ImageURL: new("https://x/"), Description: new("d")}))(w.T)
		id := l.ID
		l = sure(w.db.UpdateListing(ctx, w.m.ID, id, database.UpdateListing{Price: database.Opt[string]{Set: true, Value: new("3.50")}, Name: database.Opt[string]{Set: true, Value: new(" ")}}))(w.T)
		if *l.Price != "3.50" || l.Name != nil || *l.Weight != "2kg" || *l.ImageURL != "https://x/" || *l.Description != "d" || *l.MaxQuantity != 5 || l.Version != 2 {
			w.Errorf("got %v", l)
		}
		l = sure(w.db.UpdateListing(ctx, w.m.ID, id, database.UpdateListing{SKU: new("B"), ChannelSKU: new(""), InventoryEnabled: new(false), MaxQuantity: database.Opt[int64]{Set: true},
			Weight: database.Opt[string]{Set: true}, ImageURL: database.Opt[string]{Set: true}, Description: database.Opt[string]{Set: true}}))(w.T)
		if l.ProductID != b.ID || l.ChannelSku != "B" || l.InventoryEnabled || l.MaxQuantity != nil || l.Weight != nil || l.ImageURL != nil || l.Description != nil {
			w.Errorf("got %v", l)
		}
		sure(w.db.CreateListing(ctx, database.CreateListing{MerchantID: w.m.ID, StoreID: w.s1.ID, SKU: "A"}))(w.T)
		update := func(in database.UpdateListing) error { return errOf(w.db.UpdateListing(ctx, w.m.ID, id, in)) }
		w.refused(update(database.UpdateListing{SKU: new("NONE"), ChannelSKU: new("A"), MaxQuantity: database.Opt[int64]{Set: true, Value: new(int64(-1))}}), "NOT_FOUND sku", "TAKEN channelSku", "OUT_OF_RANGE maxQuantity")
		w.refused(update(database.UpdateListing{ExpectedVersion: new(int64(1))}), "STALE_VERSION expectedVersion")
		w.refused(errOf(w.db.UpdateListing(ctx, w.m2.ID, id, database.UpdateListing{})), "NOT_FOUND listingId")
		w.refused(w.db.DeleteListing(ctx, w.m2.ID, id), "NOT_FOUND listingId")
	})
}

// spec 3.2, 4.3: a listing bears on its product's SKU, and on the warehouse SKU of its channel SKU's name.
func TestListingIsPlannedAnewForWhatBearsOnLevels(t *testing.T) {
	eachBrand(t, func(w *brand) {
		ctx := w.Context()
		w.product("A")
		w.product("B")
		var id int64
		w.marks("creation", func() error {
			l, err := w.db.CreateListing(ctx, database.CreateListing{MerchantID: w.m.ID, StoreID: w.s1.ID, SKU: "A", ChannelSKU: "x"})
			id = l.ID
			return err
		}, "A", "x")
		update := func(in database.UpdateListing) func() error {
			return func() error { return errOf(w.db.UpdateListing(ctx, w.m.ID, id, in)) }
		}
		w.marks("channel SKU", update(database.UpdateListing{ChannelSKU: new("y")}), "A", "x", "y")
		w.marks("product", update(database.UpdateListing{SKU: new("B")}), "A", "B", "y")
		w.marks("inventory off", update(database.UpdateListing{InventoryEnabled: new(false)}), "B", "y")
		w.marks("cap", update(database.UpdateListing{MaxQuantity: database.Opt[int64]{Set: true, Value: new(int64(3))}}), "B", "y")
		w.marks("no cap", update(database.UpdateListing{MaxQuantity: database.Opt[int64]{Set: true}}), "B", "y")
		w.marks("nothing", update(database.UpdateListing{SKU: new("B"), ChannelSKU: new("y"), InventoryEnabled: new(false), MaxQuantity: database.Opt[int64]{Set: true}}))
		w.marks("texts", update(database.UpdateListing{Name: database.Opt[string]{Set: true, Value: new("n")}}))
		w.marks("deletion", func() error { return w.db.DeleteListing(ctx, w.m.ID, id) }, "B", "y")
	})
}

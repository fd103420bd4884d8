package database_test

import (
	"strings"
	"testing"

	"stockbridge/internal/database"
)

// spec 6: duplicate names and blank ones are refused by name and field.
func TestMerchantNames(t *testing.T) {
	eachBrand(t, func(w *brand) {
		ctx := w.Context()
		create := func(name string) error { return errOf(w.db.CreateMerchant(ctx, database.CreateMerchant{Name: name})) }
		w.refused(create(" \t"), "BLANK name")
		w.refused(create(strings.Repeat("x", 256)), "TOO_LONG name")
		w.refused(create("a\x00b"), "INVALID name")
		w.refused(create("a\xff"), "INVALID name")
		w.refused(create(" Acme "), "TAKEN name")
		m := sure(w.db.CreateMerchant(ctx, database.CreateMerchant{Name: " acme\n"}))(w.T)
		if m.Name != "acme" || m.Version != 1 {
			w.Errorf("got %v", m)
		}
		name := "Acme"
		w.refused(errOf(w.db.UpdateMerchant(ctx, m.ID, database.UpdateMerchant{Name: &name})), "TAKEN name")
		if failed := atOnce(func(int) error { return create("Initech") }); len(failed) != 3 {
			w.Errorf("of 4 at once %d failed", len(failed))
		} else {
			w.refused(failed[0], "TAKEN name")
		}
	})
}

func TestMerchantUpdateSaysWhichVersionItMeets(t *testing.T) {
	eachBrand(t, func(w *brand) {
		ctx := w.Context()
		same, name, version := w.m.Name, "Acme 2", int64(1)
		m := sure(w.db.UpdateMerchant(ctx, w.m.ID, database.UpdateMerchant{Name: &same, ExpectedVersion: &version}))(w.T)
		if m.Version != 2 || m.UpdatedAt.Before(m.CreatedAt) {
			w.Errorf("got %v", m)
		}
		w.refused(errOf(w.db.UpdateMerchant(ctx, m.ID, database.UpdateMerchant{Name: &name, ExpectedVersion: &version})), "STALE_VERSION expectedVersion")
		w.refused(errOf(w.db.UpdateMerchant(ctx, 999, database.UpdateMerchant{Name: &name})), "NOT_FOUND merchantId")
	})
}

func TestMerchantIsDeletedOnlyWhenEmpty(t *testing.T) {
	eachBrand(t, func(w *brand) {
		ctx := w.Context()
		w.refused(w.db.DeleteMerchant(ctx, w.m2.ID), "IN_USE merchantId")
		w.refused(w.db.DeleteMerchant(ctx, 999), "NOT_FOUND merchantId")
		for _, err := range []error{
			w.db.DeleteWarehouse(ctx, w.m.ID, w.w1.ID), w.db.DeleteWarehouse(ctx, w.m.ID, w.w2.ID),
			w.db.DeleteStore(ctx, w.m.ID, w.s1.ID), w.db.DeleteStore(ctx, w.m.ID, w.s2.ID),
		} {
			if err != nil {
				w.Fatal(err)
			}
		}
		w.product("A")
		w.product("B")
		w.product("KIT", database.Component{SKU: "A", Quantity: 1}, database.Component{SKU: "B", Quantity: 1})
		if err := w.db.DeleteMerchant(ctx, w.m.ID); err != nil {
			w.Fatal(err)
		}
		if n := sure(w.db.Reader().Product.Query().Count(ctx))(w.T); n != 0 {
			w.Errorf("%d products are left", n)
		}
	})
}

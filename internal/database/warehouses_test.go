package database_test

import (
	"encoding/json"
	"strings"
	"testing"

	"stockbridge/ent/schema/enum"
	"stockbridge/internal/database"
)

func TestWarehouseDefaults(t *testing.T) {
	eachBrand(t, func(w *brand) {
		got := w.w1
		if got.QuantitySource != enum.Available || got.MissingSkuPolicy != enum.Keep || got.MaxDropPercent != 50 || got.Version != 1 || string(got.Secrets) != "sealed" {
			w.Errorf("got %v", got)
		}
	})
}

// spec 6: a refusal says all that is wrong, and changes nothing.
func TestWarehouseFaults(t *testing.T) {
	eachBrand(t, func(w *brand) {
		ctx := w.Context()
		create := func(in database.CreateWarehouse) error { return errOf(w.db.CreateWarehouse(ctx, in)) }
		w.refused(create(database.CreateWarehouse{MerchantID: 999, Name: "X", Platform: overHTTP}), "NOT_FOUND merchantId")
		w.refused(create(database.CreateWarehouse{MerchantID: w.m.ID, QuantitySource: "X", MissingSKUPolicy: "Y", MaxDropPercent: new(101)}),
			"BLANK name", "BLANK platform", "INVALID quantitySource", "INVALID missingSkuPolicy", "OUT_OF_RANGE maxDropPercent")
		w.refused(create(database.CreateWarehouse{MerchantID: w.m.ID, Name: "East", Platform: database.PlatformSettings{Platform: "FAX"}}), "TAKEN name", "INVALID platform")
		w.refused(create(database.CreateWarehouse{MerchantID: w.m.ID, Name: "X", Platform: database.PlatformSettings{Platform: enum.Push, Settings: []byte(`{"a":"\u0000"}`)}}), "INVALID platform")
		update := func(id int64, in database.UpdateWarehouse) error {
			return errOf(w.db.UpdateWarehouse(ctx, w.m.ID, id, in))
		}
		w.refused(update(w.other.ID, database.UpdateWarehouse{}), "NOT_FOUND warehouseId")
		w.refused(w.db.DeleteWarehouse(ctx, w.m.ID, w.other.ID), "NOT_FOUND warehouseId")
		w.refused(update(w.w1.ID, database.UpdateWarehouse{ExpectedVersion: new(int64(2))}), "STALE_VERSION expectedVersion")
		w.refused(update(w.w1.ID, database.UpdateWarehouse{Name: new("West"), Platform: &database.PlatformSettings{}, QuantitySource: new(enum.QuantitySource("")), MissingSKUPolicy: new(enum.MissingSKUPolicy("x")), MaxDropPercent: new(-1)}),
			"OUT_OF_RANGE maxDropPercent", "TAKEN name", "BLANK platform", "INVALID quantitySource", "INVALID missingSkuPolicy")
		if got := sure(w.db.Reader().Warehouse.Get(ctx, w.w1.ID))(w.T); got.Version != 1 || got.Name != "East" {
			w.Errorf("a refused update changed %v", got)
		}
		failed := atOnce(func(int) error {
			return create(database.CreateWarehouse{MerchantID: w.m.ID, Name: "North", Platform: overHTTP})
		})
		if len(failed) != 3 {
			w.Fatalf("of 4 at once %d failed", len(failed))
		}
		w.refused(failed[2], "TAKEN name")
	})
}

// Sealed secrets outlive an update that gives none, but never move to another platform.
func TestWarehouseSecrets(t *testing.T) {
	eachBrand(t, func(w *brand) {
		for _, step := range []struct {
			platform enum.Platform
			secrets  []byte
			want     string
		}{
			{enum.HTTP, nil, "sealed"},
			{enum.HTTP, []byte("new"), "new"},
			{enum.HTTP, []byte{}, ""},
			{enum.HTTP, []byte("again"), "again"},
			{enum.FileExchange, nil, ""},
			{enum.FileExchange, []byte("key"), "key"},
			{enum.HTTP, []byte("token"), "token"},
		} {
			got := sure(w.db.UpdateWarehouse(w.Context(), w.m.ID, w.w1.ID, database.UpdateWarehouse{Platform: &database.PlatformSettings{Platform: step.platform, Secrets: step.secrets}}))(w.T)
			if string(got.Secrets) != step.want || string(got.Settings) != "{}" || got.Platform != step.platform {
				w.Errorf("%v: got %q %s %s", step, got.Secrets, got.Settings, got.Platform)
			}
		}
	})
}

// A pinned host key must not bring back settings that were changed meanwhile.
func TestSettingsAreSetOnlyWhereTheyWereRead(t *testing.T) {
	eachBrand(t, func(w *brand) {
		ctx := w.Context()
		pinned := json.RawMessage(`{"hostKey": "ssh-ed25519 AAAA"}`)
		for range 2 {
			if err := w.db.SetWarehouseSettings(ctx, w.m.ID, w.w1.ID, 1, pinned); err != nil {
				w.Fatal(err)
			}
			if err := w.db.SetStoreSettings(ctx, w.m.ID, w.s1.ID, 1, pinned); err != nil {
				w.Fatal(err)
			}
		}
		warehouse, store := sure(w.db.Reader().Warehouse.Get(ctx, w.w1.ID))(w.T), sure(w.db.Reader().Store.Get(ctx, w.s1.ID))(w.T)
		if warehouse.Version != 1 || store.Version != 1 || !strings.Contains(string(warehouse.Settings), "AAAA") || !strings.Contains(string(store.Settings), "AAAA") {
			w.Errorf("got %v and %v", warehouse, store)
		}
		sure(w.db.UpdateWarehouse(ctx, w.m.ID, w.w1.ID, database.UpdateWarehouse{Platform: &overHTTP}))(w.T)
		sure(w.db.UpdateStore(ctx, w.m.ID, w.s1.ID, database.UpdateStore{Platform: &overHTTP}))(w.T)
		w.refused(w.db.SetWarehouseSettings(ctx, w.m.ID, w.w1.ID, 1, pinned), "STALE_VERSION expectedVersion")
		w.refused(w.db.SetStoreSettings(ctx, w.m.ID, w.s1.ID, 1, pinned), "STALE_VERSION expectedVersion")
		w.refused(w.db.SetWarehouseSettings(ctx, w.m.ID, w.other.ID, 1, pinned), "NOT_FOUND warehouseId")
		w.refused(w.db.SetStoreSettings(ctx, w.m.ID, w.others.ID, 1, pinned), "NOT_FOUND storeId")
	})
}

// spec 3.2
func TestWarehouseIsPlannedAnewForWhatBearsOnLevels(t *testing.T) {
	eachBrand(t, func(w *brand) {
		ctx := w.Context()
		update := func(in database.UpdateWarehouse) func() error {
			return func() error { return errOf(w.db.UpdateWarehouse(ctx, w.m.ID, w.w1.ID, in)) }
		}
		w.marks("quantity source", update(database.UpdateWarehouse{QuantitySource: new(enum.OnHand)}), "East")
		w.marks("same quantity source", update(database.UpdateWarehouse{QuantitySource: new(enum.OnHand)}))
		w.marks("anything else", update(database.UpdateWarehouse{Platform: &overHTTP, MissingSKUPolicy: new(enum.Zero), MaxDropPercent: new(0)}))
		w.marks("deletion", func() error { return w.db.DeleteWarehouse(ctx, w.m.ID, w.w2.ID) }, "*")
		w.refused(w.db.DeleteWarehouse(ctx, w.m.ID, w.w2.ID), "NOT_FOUND warehouseId")
		if n := sure(w.db.Reader().Connection.Query().Count(ctx))(w.T); n != 2 {
			w.Errorf("%d connections are left", n)
		}
	})
}

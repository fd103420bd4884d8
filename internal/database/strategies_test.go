package database_test

import (
	"fmt"
	"strings"
	"testing"

	"stockbridge/ent"
	"stockbridge/ent/partitionshare"
	"stockbridge/ent/partitionstrategy"
	"stockbridge/ent/schema/enum"
	"stockbridge/internal/database"
)

func (w *brand) strategy(name string, active bool) *ent.PartitionStrategy {
	w.Helper()
	return sure(w.db.CreatePartitionStrategy(w.Context(), database.CreatePartitionStrategy{MerchantID: w.m.ID, WarehouseID: w.w1.ID, Name: name, Active: active}))(w.T)
}

func TestStrategyIsStored(t *testing.T) {
	eachBrand(t, func(w *brand) {
		ctx := w.Context()
		p := w.strategy(" Plain ", false)
		if p.Name != "Plain" || p.BufferType != enum.NoBuffer || p.Distribution != enum.Equal || p.Remainder != enum.Spread || p.Active {
			w.Errorf("defaults are %v", p)
		}
		p = sure(w.db.CreatePartitionStrategy(ctx, database.CreatePartitionStrategy{MerchantID: w.m.ID, WarehouseID: w.w1.ID, Name: "Full", Buffer: database.Buffer{BasisPoints: new(int64(10000))},
			MinimumDistributable: 3, Distribution: enum.Priority, Remainder: enum.HoldBack, Shares: []database.Share{{StoreID: w.s2.ID, Cap: new(int64(7))}, {StoreID: w.s1.ID, Weight: new(int64(0)), Quantity: new(int64(1))}}}))(w.T)
		if p.BufferType != enum.PercentageBuffer || p.BufferBasisPoints != 10000 || p.MinimumDistributable != 3 || p.Distribution != enum.Priority || p.Remainder != enum.HoldBack {
			w.Errorf("got %v", p)
		}
		shares := sure(w.db.Reader().PartitionShare.Query().Where(partitionshare.StrategyID(p.ID)).Order(partitionshare.ByID()).All(ctx))(w.T)
		if len(shares) != 2 || shares[0].StoreID != w.s2.ID || *shares[0].Cap != 7 || shares[0].Weight != nil || *shares[1].Weight != 0 || *shares[1].Quantity != 1 {
			w.Errorf("got %v", shares)
		}
		p = sure(w.db.UpdatePartitionStrategy(ctx, w.m.ID, p.ID, database.UpdatePartitionStrategy{Name: new("New"), Buffer: &database.Buffer{Quantity: new(int64(4))}, MinimumDistributable: new(int64(0)),
			Distribution: new(enum.Fixed), Remainder: new(enum.Spread), Shares: &[]database.Share{{StoreID: w.s1.ID}}}))(w.T)
		if p.Name != "New" || p.BufferType != enum.FixedBuffer || p.BufferBasisPoints != 0 || p.BufferQuantity != 4 || p.MinimumDistributable != 0 || p.Distribution != enum.Fixed || p.Version != 2 {
			w.Errorf("got %v", p)
		}
		p = sure(w.db.UpdatePartitionStrategy(ctx, w.m.ID, p.ID, database.UpdatePartitionStrategy{Buffer: &database.Buffer{}}))(w.T)
		if p.BufferType != enum.NoBuffer || p.BufferQuantity != 0 {
			w.Errorf("got %v", p)
		}
		if n := sure(w.db.Reader().PartitionShare.Query().Where(partitionshare.StrategyID(p.ID)).Count(ctx))(w.T); n != 1 {
			w.Errorf("%d shares", n)
		}
	})
}

// spec 6: percentages outside 0 to 100, duplicate names.
func TestStrategyFaults(t *testing.T) {
	eachBrand(t, func(w *brand) {
		ctx := w.Context()
		p := w.strategy("Taken", true)
		foreign := sure(w.db.CreatePartitionStrategy(ctx, database.CreatePartitionStrategy{MerchantID: w.m2.ID, WarehouseID: w.other.ID, Name: "Theirs", Active: true}))(w.T)
		big, below := new(int64(1<<31)), new(int64(-1))
		create := func(in database.CreatePartitionStrategy) error {
			in.MerchantID = w.m.ID
			return errOf(w.db.CreatePartitionStrategy(ctx, in))
		}
		w.refused(create(database.CreatePartitionStrategy{WarehouseID: w.other.ID, Name: "Theirs"}), "NOT_FOUND warehouseId")
		w.refused(create(database.CreatePartitionStrategy{WarehouseID: w.w1.ID, Name: "Taken", Buffer: database.Buffer{BasisPoints: new(int64(10001)), Quantity: big}, MinimumDistributable: -1,
			Distribution: "x", Remainder: "y", Shares: []database.Share{{StoreID: w.s1.ID, Weight: new(int64(1_000_001))}, {StoreID: w.others.ID, Cap: below}, {StoreID: w.s1.ID, Quantity: big}}}),
			"TAKEN name", "OUT_OF_RANGE buffer.percentage", "OUT_OF_RANGE buffer.quantity", "INVALID buffer", "OUT_OF_RANGE minimumDistributable", "INVALID distribution", "INVALID remainder",
			"OUT_OF_RANGE shares.0.weight", "NOT_FOUND shares.1.storeId", "OUT_OF_RANGE shares.1.cap", "TAKEN shares.2.storeId", "OUT_OF_RANGE shares.2.quantity")
		w.refused(create(database.CreatePartitionStrategy{WarehouseID: w.w1.ID, Name: strings.Repeat("x", 256), Shares: make([]database.Share, 1001)}), "TOO_LONG name", "TOO_MANY shares")
		other := w.strategy("Other", false)
		w.refused(errOf(w.db.UpdatePartitionStrategy(ctx, w.m.ID, other.ID, database.UpdatePartitionStrategy{Name: new("Taken"), Buffer: &database.Buffer{BasisPoints: below}, MinimumDistributable: big,
			Distribution: new(enum.Distribution("")), Remainder: new(enum.Remainder("")), Shares: &[]database.Share{{}}})),
			"TAKEN name", "OUT_OF_RANGE buffer.percentage", "OUT_OF_RANGE minimumDistributable", "INVALID distribution", "INVALID remainder", "NOT_FOUND shares.0.storeId")
		w.refused(errOf(w.db.UpdatePartitionStrategy(ctx, w.m.ID, p.ID, database.UpdatePartitionStrategy{ExpectedVersion: new(int64(9))})), "STALE_VERSION expectedVersion")
		w.refused(errOf(w.db.UpdatePartitionStrategy(ctx, w.m.ID, foreign.ID, database.UpdatePartitionStrategy{})), "NOT_FOUND partitionStrategyId")
		w.refused(w.db.DeletePartitionStrategy(ctx, w.m.ID, foreign.ID), "NOT_FOUND partitionStrategyId")
	})
}

// spec 1: at most one strategy of a warehouse is active; a new one takes over.
func TestActiveStrategyTakesOver(t *testing.T) {
	eachBrand(t, func(w *brand) {
		ctx := w.Context()
		active := func() string {
			w.Helper()
			rows := sure(w.db.Reader().PartitionStrategy.Query().Where(partitionstrategy.WarehouseID(w.w1.ID), partitionstrategy.Active(true)).All(ctx))(w.T)
			var names []string
			for _, p := range rows {
				names = append(names, p.Name)
			}
			return strings.Join(names, ",")
		}
		a, b := w.strategy("A", true), w.strategy("B", true)
		if got := active(); got != "B" {
			w.Errorf("%s is active", got)
		}
		sure(w.db.UpdatePartitionStrategy(ctx, w.m.ID, a.ID, database.UpdatePartitionStrategy{Active: new(true)}))(w.T)
		if got := active(); got != "A" {
			w.Errorf("%s is active", got)
		}
		w.refused(errOf(w.db.UpdatePartitionStrategy(ctx, w.m.ID, b.ID, database.UpdatePartitionStrategy{ExpectedVersion: new(int64(1))})), "STALE_VERSION expectedVersion")
		if failed := atOnce(func(i int) error {
			if i == 0 {
				return errOf(w.db.CreatePartitionStrategy(ctx, database.CreatePartitionStrategy{MerchantID: w.m.ID, WarehouseID: w.w1.ID, Name: fmt.Sprint("C", i), Active: true}))
			}
			return errOf(w.db.UpdatePartitionStrategy(ctx, w.m.ID, []int64{a.ID, b.ID}[i%2], database.UpdatePartitionStrategy{Active: new(true)}))
		}); len(failed) > 0 {
			w.Error(failed)
		}
		if got := active(); strings.Contains(got, ",") || got == "" {
			w.Errorf("%s are active", got)
		}
	})
}

// spec 3.2
func TestStrategyIsPlannedAnewForWhatBearsOnLevels(t *testing.T) {
	eachBrand(t, func(w *brand) {
		ctx := w.Context()
		var a *ent.PartitionStrategy
		w.marks("creation of an inactive one", func() error { a = w.strategy("A", false); return nil })
		update := func(in database.UpdatePartitionStrategy) func() error {
			return func() error { return errOf(w.db.UpdatePartitionStrategy(ctx, w.m.ID, a.ID, in)) }
		}
		w.marks("terms of an inactive one", update(database.UpdatePartitionStrategy{MinimumDistributable: new(int64(1)), Shares: &[]database.Share{{StoreID: w.s1.ID}}}))
		w.marks("activation", update(database.UpdatePartitionStrategy{Active: new(true)}), "East")
		w.marks("terms", update(database.UpdatePartitionStrategy{Buffer: &database.Buffer{BasisPoints: new(int64(1))}}), "East")
		w.marks("shares", update(database.UpdatePartitionStrategy{Shares: &[]database.Share{{StoreID: w.s1.ID, Cap: new(int64(1))}, {StoreID: w.s2.ID}}}), "East")
		w.marks("the same", update(database.UpdatePartitionStrategy{Name: new("A2"), Active: new(true), Buffer: &database.Buffer{BasisPoints: new(int64(1))},
			Shares: &[]database.Share{{StoreID: w.s2.ID}, {StoreID: w.s1.ID, Cap: new(int64(1))}}}))
		w.marks("deactivation", update(database.UpdatePartitionStrategy{Active: new(false)}), "East")
		w.marks("creation of an active one", func() error { w.strategy("B", true); return nil }, "East")
		w.marks("deletion of an inactive one", func() error { return w.db.DeletePartitionStrategy(ctx, w.m.ID, a.ID) })
		a = w.strategy("C", true)
		w.marks("deletion", func() error { return w.db.DeletePartitionStrategy(ctx, w.m.ID, a.ID) }, "East")
	})
}

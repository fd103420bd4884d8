package database_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"

	"stockbridge/ent"
	"stockbridge/ent/planmark"
	"stockbridge/ent/schema/enum"
	"stockbridge/internal/database"
	"stockbridge/internal/database/dbtest"
	"stockbridge/internal/fault"
)

// brand is a merchant with two warehouses and two stores. The connections w1→s1, w2→s1 and w1→s2 count; w2→s2 is not
// enabled. There is a second merchant with one of each, whom nothing may touch.
type brand struct {
	*testing.T
	db             *database.DB
	m, m2          *ent.Merchant
	w1, w2, other  *ent.Warehouse
	s1, s2, others *ent.Store
	c11, c21, c12  *ent.Connection
	c22            *ent.Connection
}

// sure lets a test end where a call fails that has to succeed.
func sure[T any](row T, err error) func(*testing.T) T {
	return func(t *testing.T) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return row
	}
}

var overHTTP = database.PlatformSettings{Platform: enum.HTTP, Settings: []byte(`{"url": "https://example.com"}`), Secrets: []byte("sealed")}

func newBrand(t *testing.T, db *database.DB) *brand {
	t.Helper()
	ctx := t.Context()
	w := &brand{T: t, db: db}
	w.m = sure(db.CreateMerchant(ctx, database.CreateMerchant{Name: "Acme"}))(t)
	w.m2 = sure(db.CreateMerchant(ctx, database.CreateMerchant{Name: "Globex"}))(t)
	warehouse := func(m *ent.Merchant, name string) *ent.Warehouse {
		return sure(db.CreateWarehouse(ctx, database.CreateWarehouse{MerchantID: m.ID, Name: name, Platform: overHTTP}))(t)
	}
	store := func(m *ent.Merchant, name string) *ent.Store {
		return sure(db.CreateStore(ctx, database.CreateStore{MerchantID: m.ID, Name: name, Platform: overHTTP, Locations: []database.Location{{Code: "front", Name: "Front"}, {Code: "back"}}}))(t)
	}
	w.w1, w.w2, w.other = warehouse(w.m, "East"), warehouse(w.m, "West"), warehouse(w.m2, "East")
	w.s1, w.s2, w.others = store(w.m, "Shop"), store(w.m, "Outlet"), store(w.m2, "Shop")
	connect := func(from *ent.Warehouse, to *ent.Store) *ent.Connection {
		return sure(db.CreateConnection(ctx, database.CreateConnection{MerchantID: w.m.ID, WarehouseID: from.ID, StoreID: to.ID}))(t)
	}
	enable := func(c *ent.Connection) *ent.Connection {
		for _, f := range []func() (*ent.Connection, bool, error){
			func() (*ent.Connection, bool, error) { return db.EnableConnection(ctx, w.m.ID, c.ID) },
			func() (*ent.Connection, bool, error) { return db.EnableInventory(ctx, w.m.ID, c.ID) },
		} {
			var err error
			if c, _, err = f(); err != nil {
				t.Fatal(err)
			}
		}
		return c
	}
	w.c11, w.c21, w.c12, w.c22 = enable(connect(w.w1, w.s1)), enable(connect(w.w2, w.s1)), enable(connect(w.w1, w.s2)), connect(w.w2, w.s2)
	return w
}

// eachBrand runs a test on every database with a brand of its own.
func eachBrand(t *testing.T, test func(*brand)) {
	t.Helper()
	t.Parallel()
	dbtest.Each(t, database.Options{}, func(t *testing.T, db *database.DB) { test(newBrand(t, db)) })
}

// faultsOf gives the faults of an error as "CODE field", in order.
func faultsOf(err error) []string {
	var list fault.List
	if !errors.As(err, &list) {
		var one *fault.Error
		if !errors.As(err, &one) {
			return []string{fmt.Sprint(err)}
		}
		list = fault.List{one}
	}
	var out []string
	for _, f := range list {
		out = append(out, strings.TrimSpace(string(f.Code)+" "+strings.Join(f.Field, ".")))
	}
	return out
}

func (w *brand) refused(err error, want ...string) {
	w.Helper()
	if got := faultsOf(err); !slices.Equal(got, want) {
		w.Errorf("refused with %q (%v), want %q", got, err, want)
	}
}

// marked gives what f marked to be planned: SKUs, names of warehouses, or * for all of the merchant.
func (w *brand) marked(f func() error) []string {
	w.Helper()
	ctx := w.Context()
	last := 0
	if n := sure(w.db.Reader().PlanMark.Query().Order(planmark.ByID()).IDs(ctx))(w.T); len(n) > 0 {
		last = int(n[len(n)-1])
	}
	if err := f(); err != nil {
		w.Fatal(err)
	}
	var out []string
	for _, m := range sure(w.db.Reader().PlanMark.Query().Where(planmark.IDGT(int64(last))).All(ctx))(w.T) {
		switch {
		case m.MerchantID != w.m.ID:
			w.Errorf("another merchant is marked")
		case m.WarehouseID == nil && m.Sku == "":
			out = append(out, "*")
		case m.WarehouseID == nil:
			out = append(out, m.Sku)
		case *m.WarehouseID == w.w1.ID:
			out = append(out, w.w1.Name)
		case *m.WarehouseID == w.w2.ID:
			out = append(out, w.w2.Name)
		}
	}
	slices.Sort(out)
	return out
}

// marks checks what f marks to be planned.
func (w *brand) marks(what string, f func() error, want ...string) {
	w.Helper()
	if got := w.marked(f); !slices.Equal(got, want) {
		w.Errorf("%s: marked %q, want %q", what, got, want)
	}
}

// errOf forgets a row that a call gives.
func errOf[T any](_ T, err error) error { return err }

// atOnce runs f several times at once and gives the errors of those that failed.
func atOnce(f func(i int) error) []error {
	var wg sync.WaitGroup
	errs := make([]error, 4)
	for i := range errs {
		wg.Go(func() { errs[i] = f(i) })
	}
	wg.Wait()
	return slices.DeleteFunc(errs, func(err error) bool { return err == nil })
}

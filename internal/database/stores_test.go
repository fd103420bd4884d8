package database_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"stockbridge/ent"
	"stockbridge/ent/schema/enum"
	"stockbridge/ent/storelimit"
	"stockbridge/ent/storelocation"
	"stockbridge/internal/database"
)

func (w *brand) limits(s *ent.Store) string {
	w.Helper()
	var out []string
	for _, l := range sure(w.db.Reader().StoreLimit.Query().Where(storelimit.StoreID(s.ID)).Order(storelimit.ByPosition()).All(w.Context()))(w.T) {
		out = append(out, fmt.Sprint(l.Position, l.Pattern, l.Action))
	}
	return strings.Join(out, " ")
}

func (w *brand) locations(s *ent.Store) string {
	w.Helper()
	var out []string
	for _, l := range sure(w.db.Reader().StoreLocation.Query().Where(storelocation.StoreID(s.ID)).Order(storelocation.ByID()).All(w.Context()))(w.T) {
		out = append(out, l.Code+"="+l.Name)
	}
	return strings.Join(out, " ")
}

func TestStoreCreation(t *testing.T) {
	eachBrand(t, func(w *brand) {
		s := sure(w.db.CreateStore(w.Context(), database.CreateStore{MerchantID: w.m.ID, Name: " Web ", Platform: overHTTP, Scope: enum.ListedSKUs, OnExclude: enum.ZeroExcluded,
			Limits:    []database.Limit{{Pattern: " B* ", Action: enum.Send}, {Pattern: "A", Action: enum.Skip}},
			Locations: []database.Location{{Code: " 2 ", Name: " Two "}, {Code: "1"}}}))(w.T)
		if s.Name != "Web" || s.Scope != enum.ListedSKUs || s.OnExclude != enum.ZeroExcluded || w.limits(s) != "0B*SEND 1ASKIP" || w.locations(s) != "2=Two 1=1" {
			w.Errorf("got %v, %s, %s", s, w.limits(s), w.locations(s))
		}
		if w.s1.Scope != enum.AllSKUs || w.s1.OnExclude != enum.LeaveExcluded {
			w.Errorf("defaults are %v", w.s1)
		}
	})
}

func TestStoreFaults(t *testing.T) {
	eachBrand(t, func(w *brand) {
		ctx := w.Context()
		create := func(in database.CreateStore) error { return errOf(w.db.CreateStore(ctx, in)) }
		w.refused(create(database.CreateStore{MerchantID: 999, Name: "X", Platform: overHTTP}), "NOT_FOUND merchantId")
		w.refused(create(database.CreateStore{MerchantID: w.m.ID, Name: "Shop", Platform: database.PlatformSettings{Platform: enum.Push}, Scope: "x", OnExclude: "y",
			Limits:    []database.Limit{{Pattern: "A", Action: enum.Send}, {Pattern: " "}, {Pattern: strings.Repeat("x", 256), Action: "z"}, {Pattern: "[a", Action: enum.Skip}},
			Locations: []database.Location{{Code: ""}, {Code: "a"}, {Code: " a", Name: strings.Repeat("x", 256)}}}),
			"TAKEN name", "INVALID platform", "INVALID scope", "INVALID onExclude",
			"BLANK limits.1.pattern", "INVALID limits.1.action", "TOO_LONG limits.2.pattern", "INVALID limits.2.action", "INVALID limits.3.pattern",
			"BLANK locations.0.code", "TOO_LONG locations.2.name", "TAKEN locations.2.code")
		w.refused(create(database.CreateStore{MerchantID: w.m.ID, Name: "X", Platform: overHTTP, Limits: make([]database.Limit, 1001), Locations: make([]database.Location, 1001)}),
			"TOO_MANY limits", "TOO_MANY locations")
		update := func(in database.UpdateStore) error { return errOf(w.db.UpdateStore(ctx, w.m.ID, w.s1.ID, in)) }
		w.refused(update(database.UpdateStore{Name: new("Outlet"), Platform: &database.PlatformSettings{Platform: enum.Push}, Scope: new(enum.StoreScope("")), OnExclude: new(enum.OnExclude("")),
			Limits: &[]database.Limit{{}}, Locations: &[]database.Location{{}}}),
			"TAKEN name", "INVALID platform", "INVALID scope", "INVALID onExclude", "BLANK limits.0.pattern", "INVALID limits.0.action", "BLANK locations.0.code")
		w.refused(update(database.UpdateStore{ExpectedVersion: new(int64(7))}), "STALE_VERSION expectedVersion")
		w.refused(errOf(w.db.UpdateStore(ctx, w.m.ID, w.others.ID, database.UpdateStore{})), "NOT_FOUND storeId")
		w.refused(errOf(w.db.SetStoreLimits(ctx, w.m.ID, w.others.ID, database.SetStoreLimits{})), "NOT_FOUND storeId")
		w.refused(errOf(w.db.SetStoreLimits(ctx, w.m.ID, w.s1.ID, database.SetStoreLimits{ExpectedVersion: new(int64(7))})), "STALE_VERSION expectedVersion")
		w.refused(w.db.DeleteStore(ctx, w.m.ID, w.others.ID), "NOT_FOUND storeId")
		failed := atOnce(func(int) error {
			return create(database.CreateStore{MerchantID: w.m.ID, Name: "Web", Platform: overHTTP})
		})
		if len(failed) != 3 {
			w.Fatalf("of 4 at once %d failed", len(failed))
		}
		w.refused(failed[1], "TAKEN name")
		if got := w.locations(w.s1); got != "front=Front back=back" {
			w.Errorf("a refused update left %s", got)
		}
	})
}

func TestStoreLocationsAreAddedRenamedAndTakenAway(t *testing.T) {
	eachBrand(t, func(w *brand) {
		ctx := w.Context()
		sure(w.db.SetLocationLinks(ctx, w.m.ID, w.c11.ID, database.SetLocationLinks{Links: []database.LocationLink{{FacilityCode: "F1", LocationCode: "front"}}}))(w.T)
		id := sure(w.db.Reader().StoreLocation.Query().Where(storelocation.StoreID(w.s1.ID), storelocation.Code("back")).OnlyID(ctx))(w.T)
		if err := w.db.Tamper(ctx, "INSERT INTO channel_levels (merchant_id, store_id, location_id, location_code, channel_sku, sku, quantity, status, updated_at) VALUES (?, ?, ?, 'back', 'A', 'A', 1, 'PUSHED', ?)",
			w.m.ID, w.s1.ID, id, w.db.Now()); err != nil {
			w.Fatal(err)
		}
		update := func(of ...database.Location) error {
			return errOf(w.db.UpdateStore(ctx, w.m.ID, w.s1.ID, database.UpdateStore{Locations: &of}))
		}
		w.refused(update(database.Location{Code: "back"}), "IN_USE locations")
		w.refused(update(make([]database.Location, 1001)...), "TOO_MANY locations")
		if err := update(database.Location{Code: "new", Name: "New"}, database.Location{Code: "front", Name: "Entrance"}); err != nil {
			w.Fatal(err)
		}
		if got := w.locations(w.s1); got != "front=Entrance new=New" {
			w.Errorf("got %s", got)
		}
		if n := sure(w.db.Reader().ChannelLevel.Query().Count(ctx))(w.T); n != 0 {
			w.Errorf("the level of a location taken away is left")
		}
		if got := w.locations(w.s2); got != "front=Front back=back" {
			w.Errorf("another store's are %s", got)
		}
	})
}

// spec 3.2: what a store receives bears on all that the warehouses have that feed it.
func TestStoreIsPlannedAnewForWhatBearsOnLevels(t *testing.T) {
	eachBrand(t, func(w *brand) {
		ctx := w.Context()
		update := func(s *ent.Store, in database.UpdateStore) func() error {
			return func() error { return errOf(w.db.UpdateStore(ctx, w.m.ID, s.ID, in)) }
		}
		limit := func(of ...database.Limit) func() error {
			return func() error {
				return errOf(w.db.SetStoreLimits(ctx, w.m.ID, w.s1.ID, database.SetStoreLimits{Limits: of}))
			}
		}
		a, b := database.Limit{Pattern: "A*", Action: enum.Send}, database.Limit{Pattern: "*", Action: enum.Skip}
		w.marks("limits", limit(a, b), "East", "West")
		w.marks("the same limits", limit(a, b))
		w.marks("another order", limit(b, a), "East", "West")
		if got := w.limits(w.s1); got != "0*SKIP 1A*SEND" {
			w.Errorf("got %s", got)
		}
		w.marks("scope with limits", func() error {
			return errOf(w.db.SetStoreLimits(ctx, w.m.ID, w.s1.ID, database.SetStoreLimits{Scope: new(enum.ListedSKUs), Limits: []database.Limit{b, a}}))
		}, "East", "West")
		w.marks("no limits", update(w.s1, database.UpdateStore{Limits: new([]database.Limit{})}), "East", "West")
		w.marks("the same scope", update(w.s1, database.UpdateStore{Scope: new(enum.ListedSKUs)}))
		w.marks("scope of a store with one connection that counts", update(w.s2, database.UpdateStore{Scope: new(enum.ListedSKUs)}), "East")
		w.marks("anything else", update(w.s2, database.UpdateStore{OnExclude: new(enum.ZeroExcluded), Name: new("Other"), Platform: &overHTTP, Locations: &[]database.Location{{Code: "x"}}}))
		w.marks("deletion", func() error { return w.db.DeleteStore(ctx, w.m.ID, w.s2.ID) }, "East")
		left := sure(w.db.Reader().Connection.Query().IDs(ctx))(w.T)
		if slices.Sort(left); !slices.Equal(left, []int64{w.c11.ID, w.c21.ID}) {
			w.Errorf("connections %v are left", left)
		}
	})
}

package database_test

import (
	"strings"
	"testing"

	"stockbridge/ent"
	"stockbridge/ent/facility"
	"stockbridge/ent/locationlink"
	"stockbridge/internal/database"
)

// spec 4.10; section 5: a facility may be named before it reports.
func TestLocationLinks(t *testing.T) {
	eachBrand(t, func(w *brand) {
		ctx := w.Context()
		if err := w.db.Tamper(ctx, "INSERT INTO facilities (merchant_id, warehouse_id, code, created_at) VALUES (?, ?, 'F1', ?)", w.m.ID, w.w1.ID, w.db.Now()); err != nil {
			w.Fatal(err)
		}
		set := func(c *ent.Connection, of ...database.LocationLink) func() error {
			return func() error {
				return errOf(w.db.SetLocationLinks(ctx, w.m.ID, c.ID, database.SetLocationLinks{Links: of}))
			}
		}
		f1, f2 := database.LocationLink{FacilityCode: "F1", LocationCode: "front"}, database.LocationLink{FacilityCode: " F2 ", LocationCode: " front "}
		w.marks("links", set(w.c11, f1, f2), "East", "West")
		w.marks("the same in another order", set(w.c11, f2, f1))
		f2.LocationCode = "back"
		w.marks("another location", set(w.c11, f1, f2), "East", "West")
		w.marks("fewer", set(w.c11, f1), "East", "West")
		w.marks("one that does not count", set(w.c22, f1))
		if n := sure(w.db.Reader().Facility.Query().Where(facility.WarehouseID(w.w1.ID)).Count(ctx))(w.T); n != 2 {
			w.Errorf("there are %d facilities", n)
		}
		if n := sure(w.db.Reader().LocationLink.Query().Where(locationlink.ConnectionID(w.c11.ID)).Count(ctx))(w.T); n != 1 {
			w.Errorf("there are %d links", n)
		}
		w.refused(set(w.c11, database.LocationLink{}, f1, database.LocationLink{FacilityCode: "F1", LocationCode: "attic"}, database.LocationLink{FacilityCode: strings.Repeat("x", 256), LocationCode: "front"})(),
			"BLANK links.0.facilityCode", "BLANK links.0.locationCode", "TAKEN links.2.facilityCode", "NOT_FOUND links.2.locationCode", "TOO_LONG links.3.facilityCode")
		w.refused(set(w.c11, make([]database.LocationLink, 1001)...)(), "TOO_MANY links")
		w.refused(errOf(w.db.SetLocationLinks(ctx, w.m2.ID, w.c11.ID, database.SetLocationLinks{})), "NOT_FOUND connectionId")
		w.refused(errOf(w.db.SetLocationLinks(ctx, w.m.ID, w.c11.ID, database.SetLocationLinks{ExpectedVersion: new(int64(1))})), "STALE_VERSION expectedVersion")
		w.marks("none", set(w.c11), "East", "West")
		if failed := atOnce(func(i int) error { // as reports do that name a new facility, without waiting for settings
			if i%2 == 0 {
				return w.db.Tamper(ctx, "INSERT INTO facilities (merchant_id, warehouse_id, code, created_at) VALUES (?, ?, 'F9', ?) ON CONFLICT DO NOTHING", w.m.ID, w.w1.ID, w.db.Now())
			}
			return set(w.c11, database.LocationLink{FacilityCode: "F9", LocationCode: "front"})()
		}); len(failed) != 0 {
			w.Error(failed)
		}
	})
}

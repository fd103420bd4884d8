package database_test

import (
	"encoding/json"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"stockbridge/ent"
	"stockbridge/ent/facility"
	"stockbridge/ent/locationlink"
	"stockbridge/ent/schedule"
	"stockbridge/ent/schema/enum"
	"stockbridge/internal/database"
)

func (w *brand) schedule(c *ent.Connection, mode enum.SyncMode) *ent.Schedule {
	w.Helper()
	return sure(w.db.Reader().Schedule.Query().Where(schedule.ConnectionID(c.ID), schedule.ModeEQ(mode)).Only(w.Context()))(w.T)
}

// spec 1, 3.7: a connection is off at first, and has a Smart schedule of every 60 minutes and an empty Full one.
func TestConnectionDefaults(t *testing.T) {
	eachBrand(t, func(w *brand) {
		c := w.c22
		if c.Name != "West → Outlet" || c.TimeZone != "UTC" || c.Priority != 0 || c.Enabled || c.InventoryEnabled || c.PushOnChange {
			w.Errorf("got %v", c)
		}
		smart, full := w.schedule(c, enum.Smart), w.schedule(c, enum.Full)
		var rules []map[string]any
		if err := json.Unmarshal(smart.Rules, &rules); err != nil || len(rules) != 1 || rules[0]["type"] != "MINUTELY" || rules[0]["every"] != 60. {
			w.Errorf("Smart rules are %s", smart.Rules)
		}
		if !smart.AnchorAt.Equal(c.CreatedAt) || !smart.NextRunAt.Equal(c.CreatedAt.Add(time.Hour)) {
			w.Errorf("Smart counts from %s and is due at %s", smart.AnchorAt, smart.NextRunAt)
		}
		if string(full.Rules) != "[]" || full.NextRunAt != nil {
			w.Errorf("Full is %v", full)
		}
	})
}

func TestConnectionFaults(t *testing.T) {
	eachBrand(t, func(w *brand) {
		ctx := w.Context()
		create := func(in database.CreateConnection) error {
			in.MerchantID = w.m.ID
			return errOf(w.db.CreateConnection(ctx, in))
		}
		w.refused(create(database.CreateConnection{WarehouseID: w.other.ID, StoreID: w.others.ID, Name: strings.Repeat("x", 256), Priority: 1 << 31, TimeZone: "Mars/Olympus"}),
			"NOT_FOUND warehouseId", "NOT_FOUND storeId", "TOO_LONG name", "OUT_OF_RANGE priority", "UNKNOWN_TIME_ZONE timeZone")
		w.refused(create(database.CreateConnection{WarehouseID: w.w1.ID, StoreID: w.s1.ID}), "TAKEN storeId")
		for _, zone := range []string{"Local", "localtime", "posix/UTC", "right/UTC", "+02:00", "../UTC", "a\x00"} {
			w.refused(errOf(w.db.UpdateConnection(ctx, w.m.ID, w.c11.ID, database.UpdateConnection{TimeZone: &zone})), "UNKNOWN_TIME_ZONE timeZone")
		}
		w.refused(errOf(w.db.UpdateConnection(ctx, w.m.ID, w.c11.ID, database.UpdateConnection{Name: new("\x00"), Priority: new(-1 << 31)})), "OUT_OF_RANGE priority", "INVALID name")
		w.refused(errOf(w.db.UpdateConnection(ctx, w.m.ID, w.c11.ID, database.UpdateConnection{ExpectedVersion: new(int64(1))})), "STALE_VERSION expectedVersion")
		w.refused(errOf(w.db.UpdateConnection(ctx, w.m2.ID, w.c11.ID, database.UpdateConnection{})), "NOT_FOUND id")
		w.refused(w.db.DeleteConnection(ctx, w.m2.ID, w.c11.ID), "NOT_FOUND id")
		_, _, err := w.db.EnableConnection(ctx, w.m2.ID, w.c11.ID)
		w.refused(err, "NOT_FOUND connectionId")

		s := sure(w.db.CreateStore(ctx, database.CreateStore{MerchantID: w.m.ID, Name: "Web", Platform: overHTTP}))(w.T)
		failed := atOnce(func(int) error { return create(database.CreateConnection{WarehouseID: w.w1.ID, StoreID: s.ID}) })
		if len(failed) != 3 {
			w.Fatalf("of 4 at once %d failed", len(failed))
		}
		w.refused(failed[0], "TAKEN storeId")
	})
}

func TestConnectionNameIsMadeOfItsEnds(t *testing.T) {
	eachBrand(t, func(w *brand) {
		ctx := w.Context()
		s := sure(w.db.CreateStore(ctx, database.CreateStore{MerchantID: w.m.ID, Name: strings.Repeat("€", 85), Platform: overHTTP}))(w.T)
		c := sure(w.db.CreateConnection(ctx, database.CreateConnection{MerchantID: w.m.ID, WarehouseID: w.w1.ID, StoreID: s.ID}))(w.T)
		if !strings.HasPrefix(c.Name, "East → €") || len(c.Name) > 255 || len(c.Name) < 250 || !utf8.ValidString(c.Name) {
			w.Errorf("got %q", c.Name)
		}
		c = sure(w.db.UpdateConnection(ctx, w.m.ID, w.c11.ID, database.UpdateConnection{Name: new("Main")}))(w.T)
		if c.Name != "Main" {
			w.Errorf("got %q", c.Name)
		}
		c = sure(w.db.UpdateConnection(ctx, w.m.ID, w.c11.ID, database.UpdateConnection{Name: new(" ")}))(w.T)
		if c.Name != "East → Shop" {
			w.Errorf("got %q", c.Name)
		}
	})
}

// spec 3.2, 4.2, 4.6
func TestConnectionIsPlannedAnewForWhatBearsOnLevels(t *testing.T) {
	eachBrand(t, func(w *brand) {
		ctx := w.Context()
		update := func(c *ent.Connection, in database.UpdateConnection) func() error {
			return func() error { return errOf(w.db.UpdateConnection(ctx, w.m.ID, c.ID, in)) }
		}
		type set func(*database.DB) (*ent.Connection, bool, error)
		turn := func(f set, changes bool) func() error {
			return func() error {
				c, changed, err := f(w.db)
				if err == nil && changed != changes {
					w.Errorf("changed is %t: %v", changed, c)
				}
				return err
			}
		}
		enable := func(db *database.DB) (*ent.Connection, bool, error) {
			return db.EnableConnection(ctx, w.m.ID, w.c22.ID)
		}
		disable := func(db *database.DB) (*ent.Connection, bool, error) {
			return db.DisableConnection(ctx, w.m.ID, w.c22.ID)
		}
		on := func(db *database.DB) (*ent.Connection, bool, error) {
			return db.EnableInventory(ctx, w.m.ID, w.c22.ID)
		}
		off := func(db *database.DB) (*ent.Connection, bool, error) {
			return db.DisableInventory(ctx, w.m.ID, w.c22.ID)
		}
		w.marks("priority of one that does not count", update(w.c22, database.UpdateConnection{Priority: new(3)}))
		w.marks("inventory without the connection", turn(on, true))
		w.marks("the connection with its inventory", turn(enable, true), "East", "West")
		w.marks("again", turn(enable, false))
		w.marks("inventory again", turn(on, false))
		w.marks("priority", update(w.c22, database.UpdateConnection{Priority: new(-3)}), "West")
		w.marks("the same priority", update(w.c22, database.UpdateConnection{Priority: new(-3)}))
		w.marks("anything else", update(w.c22, database.UpdateConnection{Name: new("n"), TimeZone: new("Europe/Berlin"), PushOnChange: new(true)}))
		w.marks("no inventory", turn(off, true), "East", "West")
		w.marks("not enabled", turn(disable, true))
		w.marks("not enabled again", turn(disable, false))
		w.marks("deletion", func() error { return w.db.DeleteConnection(ctx, w.m.ID, w.c22.ID) }, "East", "West")
		w.marks("deletion of one that counts", func() error { return w.db.DeleteConnection(ctx, w.m.ID, w.c21.ID) }, "East", "West")
		if n := sure(w.db.Reader().Schedule.Query().Count(ctx))(w.T); n != 4 {
			w.Errorf("%d schedules are left", n)
		}
	})
}

// What syncs is not taken away below the sync.
func TestNothingThatSyncsIsDeleted(t *testing.T) {
	eachBrand(t, func(w *brand) {
		ctx := w.Context()
		run := func(status enum.SyncStatus) {
			w.Helper()
			for _, statement := range []string{"DELETE FROM sync_runs WHERE connection_id = ?",
				"INSERT INTO sync_runs (merchant_id, mode, trigger, status, created_at, connection_id) SELECT merchant_id, 'SMART', 'MANUAL', '" + string(status) + "', created_at, id FROM connections WHERE id = ?"} {
				if err := w.db.Tamper(ctx, statement, w.c11.ID); err != nil {
					w.Fatal(err)
				}
			}
		}
		run(enum.Running)
		w.refused(w.db.DeleteConnection(ctx, w.m.ID, w.c11.ID), "IN_USE id")
		w.refused(w.db.DeleteStore(ctx, w.m.ID, w.s1.ID), "IN_USE id")
		w.refused(w.db.DeleteWarehouse(ctx, w.m.ID, w.w1.ID), "IN_USE id")
		if err := w.db.DeleteConnection(ctx, w.m.ID, w.c12.ID); err != nil {
			w.Errorf("another connection of the warehouse: %v", err)
		}
		run(enum.Queued)
		for _, err := range []error{w.db.DeleteConnection(ctx, w.m.ID, w.c11.ID), w.db.DeleteStore(ctx, w.m.ID, w.s1.ID), w.db.DeleteWarehouse(ctx, w.m.ID, w.w1.ID)} {
			if err != nil {
				w.Error(err)
			}
		}
	})
}

// spec 3.7: rules are reckoned in the connection's time zone, MINUTELY from when the schedule was saved.
func TestSchedulesAreSet(t *testing.T) {
	eachBrand(t, func(w *brand) {
		ctx := w.Context()
		var asked []string
		due := time.Date(2030, 1, 2, 3, 4, 5, 678, time.FixedZone("", 3600))
		next := func(rules json.RawMessage, anchor time.Time, zone string) (*time.Time, error) {
			asked = append(asked, zone)
			if string(rules) == "[]" {
				return nil, nil
			}
			return &due, nil
		}
		set := func(in database.SetSchedule) (*ent.Schedule, error) {
			in.NextRun = next
			return w.db.SetSchedule(ctx, w.m.ID, w.c11.ID, in)
		}
		before := w.db.Now()
		s := sure(set(database.SetSchedule{Mode: enum.Full, Rules: json.RawMessage(`[{"type":"DAILY","at":"06:30"}]`)}))(w.T)
		if s.Mode != enum.Full || !strings.Contains(string(s.Rules), "06:30") || s.AnchorAt.Before(before) || !s.NextRunAt.Equal(due.Truncate(time.Microsecond)) || s.Version != 2 {
			w.Errorf("got %v", s)
		}
		if len(asked) != 1 || asked[0] != "UTC" {
			w.Errorf("asked for %v", asked)
		}
		if old := w.schedule(w.c11, enum.Smart); old.NextRunAt.Equal(due) {
			w.Errorf("the other schedule moved: %v", old)
		}
		sure(set(database.SetSchedule{Mode: enum.Full, TimeZone: new(" Asia/Tokyo ")}))(w.T)
		if got := w.schedule(w.c11, enum.Full); string(got.Rules) != "[]" || got.NextRunAt != nil {
			w.Errorf("got %v", got)
		}
		if got := w.schedule(w.c11, enum.Smart); !got.NextRunAt.Equal(due.Truncate(time.Microsecond)) || got.Version != 1 {
			w.Errorf("the other schedule was not reckoned in the new zone: %v", got)
		}
		c := sure(w.db.Reader().Connection.Get(ctx, w.c11.ID))(w.T)
		if c.TimeZone != "Asia/Tokyo" || c.Version != w.c11.Version+2 {
			w.Errorf("got %v", c)
		}
		asked = nil
		sure(w.db.UpdateConnection(ctx, w.m.ID, w.c11.ID, database.UpdateConnection{TimeZone: new("Asia/Tokyo"), NextRun: next}))(w.T)
		if asked != nil {
			w.Error("the same time zone was reckoned anew")
		}
		sure(w.db.UpdateConnection(ctx, w.m.ID, w.c11.ID, database.UpdateConnection{TimeZone: new(""), NextRun: next}))(w.T)
		if len(asked) != 2 || asked[0] != "UTC" || asked[1] != "UTC" {
			w.Errorf("asked for %v", asked)
		}
		w.refused(errOf(set(database.SetSchedule{Mode: "x", TimeZone: new("Nowhere")})), "INVALID mode", "UNKNOWN_TIME_ZONE timeZone")
		w.refused(errOf(set(database.SetSchedule{Mode: enum.Full, ExpectedVersion: new(int64(1))})), "STALE_VERSION expectedVersion")
		w.refused(errOf(w.db.SetSchedule(ctx, w.m2.ID, w.c11.ID, database.SetSchedule{Mode: enum.Full})), "NOT_FOUND connectionId")
	})
}

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

package database_test

import (
	"encoding/json"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"stockbridge/ent"
	"stockbridge/ent/schema/enum"
	"stockbridge/internal/database"
)

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
		w.refused(errOf(w.db.UpdateConnection(ctx, w.m2.ID, w.c11.ID, database.UpdateConnection{})), "NOT_FOUND connectionId")
		w.refused(w.db.DeleteConnection(ctx, w.m2.ID, w.c11.ID), "NOT_FOUND connectionId")
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
		w.marks("deletion", func() error { return w.db.DeleteConnection(ctx, w.m.ID, w.c22.ID) })
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
		w.refused(w.db.DeleteConnection(ctx, w.m.ID, w.c11.ID), "IN_USE connectionId")
		w.refused(w.db.DeleteStore(ctx, w.m.ID, w.s1.ID), "IN_USE storeId")
		w.refused(w.db.DeleteWarehouse(ctx, w.m.ID, w.w1.ID), "IN_USE warehouseId")
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

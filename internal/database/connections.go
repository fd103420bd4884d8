package database

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"stockbridge/ent"
	"stockbridge/ent/connection"
	"stockbridge/ent/predicate"
	"stockbridge/internal/fault"
)

// CreateConnection lets a warehouse feed a store, once it is enabled. Its schedules are those of spec 3.7.
type CreateConnection struct {
	MerchantID   int64
	Name         string // up to 255 bytes; blank is "<warehouse> → <store>"
	WarehouseID  int64  // of the merchant
	StoreID      int64  // of the merchant; no second connection of the two
	Priority     int    // lower comes first; within 32 bits
	TimeZone     string // an IANA name; blank is UTC
	PushOnChange bool
}

// UpdateConnection changes a connection; nil leaves a field as it is.
type UpdateConnection struct {
	ExpectedVersion *int64 // the version the change was made against, else STALE_VERSION; nil is any
	Name            *string
	Priority        *int
	TimeZone        *string
	PushOnChange    *bool
	NextRun         NextRun // asked for both schedules where TimeZone changes; nil leaves them without a next run
}

// CreateConnection adds a connection, neither it nor its inventory enabled. Faults: NOT_FOUND of warehouseId and storeId,
// TAKEN of storeId, TOO_LONG or INVALID of name, OUT_OF_RANGE of priority, UNKNOWN_TIME_ZONE of timeZone.
func (db *DB) CreateConnection(ctx context.Context, in CreateConnection) (*ent.Connection, error) {
	return change(ctx, db, in.MerchantID, "create a connection", func(t *tx) (*ent.Connection, error) {
		var c check
		w, err := t.warehouse(ctx, in.MerchantID, in.WarehouseID, "warehouseId")
		if c.keep(err) != nil {
			return nil, err
		}
		s, err := t.store(ctx, in.MerchantID, in.StoreID, "storeId")
		if c.keep(err) != nil {
			return nil, err
		}
		name := c.text("name", in.Name, maxText)
		if name == "" && w != nil && s != nil {
			name = connectionName(w, s)
		}
		within(&c, "priority", &in.Priority, -maxUnits, maxUnits)
		zone := c.timeZone(in.TimeZone)
		twin, err := t.ent.Connection.Query().Where(connection.WarehouseID(in.WarehouseID), connection.StoreID(in.StoreID), connection.MerchantID(in.MerchantID)).Only(ctx)
		if ent.MaskNotFound(err) != nil {
			return nil, err
		}
		if twin != nil {
			c.add("storeId", fault.Taken, "the connection %.80q lets this warehouse feed this store already: change that one", twin.Name)
		}
		if err := c.faults.Or(); err != nil {
			return nil, err
		}
		now := db.Now()
		row, err := t.ent.Connection.Create().SetMerchantID(in.MerchantID).SetWarehouseID(in.WarehouseID).SetStoreID(in.StoreID).
			SetName(name).SetPriority(in.Priority).SetTimeZone(zone).SetPushOnChange(in.PushOnChange).
			SetCreatedAt(now).SetUpdatedAt(now).Save(ctx)
		if err != nil {
			return nil, err
		}
		return row, t.addSchedules(ctx, row)
	})
}

// UpdateConnection changes a connection. Faults: those of CreateConnection, NOT_FOUND and STALE_VERSION.
func (db *DB) UpdateConnection(ctx context.Context, merchantID, id int64, in UpdateConnection) (*ent.Connection, error) {
	return change(ctx, db, merchantID, "update a connection", func(t *tx) (*ent.Connection, error) {
		row, err := t.connection(ctx, merchantID, id, "id")
		if err != nil {
			return nil, err
		}
		if err := upToDate(in.ExpectedVersion, row.Version); err != nil {
			return nil, err
		}
		var c check
		u := row.Update().SetUpdatedAt(db.Now()).AddVersion(1).SetNillablePriority(in.Priority).SetNillablePushOnChange(in.PushOnChange)
		within(&c, "priority", in.Priority, -maxUnits, maxUnits)
		if in.Name != nil {
			name := c.text("name", *in.Name, maxText)
			if name == "" {
				if name, err = t.defaultName(ctx, row); err != nil {
					return nil, err
				}
			}
			u.SetName(name)
		}
		zone := row.TimeZone
		if in.TimeZone != nil {
			zone = c.timeZone(*in.TimeZone)
		}
		if err := c.faults.Or(); err != nil {
			return nil, err
		}
		if zone != row.TimeZone {
			if err := t.rezone(ctx, row, zone, in.NextRun); err != nil {
				return nil, err
			}
		}
		if in.Priority != nil && *in.Priority != row.Priority && counts(row) {
			if err := t.markWarehouses(ctx, merchantID, row.WarehouseID); err != nil {
				return nil, err
			}
		}
		return u.SetTimeZone(zone).Save(ctx)
	})
}

// DeleteConnection takes a connection away with its links, schedules and runs. Faults: NOT_FOUND, and IN_USE while it is
// syncing.
func (db *DB) DeleteConnection(ctx context.Context, merchantID, id int64) error {
	return remove(ctx, db, merchantID, "delete a connection", func(t *tx) error {
		row, err := t.connection(ctx, merchantID, id, "id")
		if err != nil {
			return err
		}
		if err := t.idle(ctx, "connection", connection.FieldID, id); err != nil {
			return err
		}
		if err := t.markConnection(ctx, row); err != nil {
			return err
		}
		return t.ent.Connection.DeleteOne(row).Exec(ctx)
	})
}

// EnableConnection lets a connection sync. It says whether that is new. Fault: NOT_FOUND of connectionId, here and in
// the next three.
func (db *DB) EnableConnection(ctx context.Context, merchantID, id int64) (c *ent.Connection, changed bool, err error) {
	return db.switchConnection(ctx, merchantID, id, "enable a connection", func(c *ent.Connection) { c.Enabled = true })
}

// DisableConnection keeps a connection from syncing, and its warehouse from counting for the store. It says whether
// that is new.
func (db *DB) DisableConnection(ctx context.Context, merchantID, id int64) (c *ent.Connection, changed bool, err error) {
	return db.switchConnection(ctx, merchantID, id, "disable a connection", func(c *ent.Connection) { c.Enabled = false })
}

// EnableInventory lets a connection's warehouse count for its store, if the connection is enabled too. It says whether
// that is new, for a first Full Sync to start (spec 3.11).
func (db *DB) EnableInventory(ctx context.Context, merchantID, id int64) (c *ent.Connection, changed bool, err error) {
	return db.switchConnection(ctx, merchantID, id, "enable inventory", func(c *ent.Connection) { c.InventoryEnabled = true })
}

// DisableInventory keeps a connection's warehouse from counting for its store. It says whether that is new.
func (db *DB) DisableInventory(ctx context.Context, merchantID, id int64) (c *ent.Connection, changed bool, err error) {
	return db.switchConnection(ctx, merchantID, id, "disable inventory", func(c *ent.Connection) { c.InventoryEnabled = false })
}

func (db *DB) switchConnection(ctx context.Context, merchantID, id int64, what string, set func(*ent.Connection)) (c *ent.Connection, changed bool, err error) {
	c, err = change(ctx, db, merchantID, what, func(t *tx) (*ent.Connection, error) {
		row, err := t.connection(ctx, merchantID, id, "connectionId")
		if err != nil {
			return nil, err
		}
		was := *row
		set(row)
		changed = row.Enabled != was.Enabled || row.InventoryEnabled != was.InventoryEnabled
		if !changed {
			return row, nil
		}
		if counts(row) != counts(&was) {
			if err := t.markConnection(ctx, row); err != nil {
				return nil, err
			}
		}
		return row.Update().SetUpdatedAt(db.Now()).AddVersion(1).SetEnabled(row.Enabled).SetInventoryEnabled(row.InventoryEnabled).Save(ctx)
	})
	return c, changed && err == nil, err
}

func (t *tx) connection(ctx context.Context, merchantID, id int64, field string) (*ent.Connection, error) {
	row, err := t.ent.Connection.Query().Where(connection.ID(id), connection.MerchantID(merchantID)).Only(ctx)
	return row, found(err, field, "connection")
}

// counts tells whether a connection's warehouse counts for its store (spec 4.2).
func counts(c *ent.Connection) bool { return c.Enabled && c.InventoryEnabled }

// counting are the connections that count.
func counting() predicate.Connection {
	return connection.And(connection.Enabled(true), connection.InventoryEnabled(true))
}

// markFeeding marks the warehouses of these connections to be planned.
func (t *tx) markFeeding(ctx context.Context, merchantID int64, of ...predicate.Connection) error {
	rows, err := t.ent.Connection.Query().Where(of...).All(ctx)
	if err != nil {
		return err
	}
	var ids []int64
	for _, c := range rows {
		ids = append(ids, c.WarehouseID)
	}
	slices.Sort(ids)
	return t.markWarehouses(ctx, merchantID, slices.Compact(ids)...)
}

// markConnection marks a connection's warehouse, and the others that feed its store, to be planned.
func (t *tx) markConnection(ctx context.Context, c *ent.Connection) error {
	return t.markFeeding(ctx, c.MerchantID, connection.Or(connection.ID(c.ID), connection.And(connection.StoreID(c.StoreID), counting())))
}

// idle refuses to take away something whose connections, those with the id in this column, are at work. On PostgreSQL
// the locks keep new runs from being added, and queued ones from beginning, until the commit.
func (t *tx) idle(ctx context.Context, what, column string, id int64) error {
	of := "connections WHERE " + column + " = ?"
	if t.postgres() {
		for _, lock := range []string{
			"SELECT 1 FROM " + of + " FOR UPDATE",
			"SELECT 1 FROM sync_runs WHERE status IN ('QUEUED', 'RUNNING') AND connection_id IN (SELECT id FROM " + of + ") FOR UPDATE",
		} {
			if _, err := t.ExecContext(ctx, t.db.rebind(lock), id); err != nil {
				return fmt.Errorf("hold runs: %w", err)
			}
		}
	}
	var running bool
	query := "SELECT EXISTS (SELECT 1 FROM sync_runs WHERE status = 'RUNNING' AND connection_id IN (SELECT id FROM " + of + "))"
	if err := t.QueryRowContext(ctx, t.db.rebind(query), id).Scan(&running); err != nil {
		return fmt.Errorf("look for running syncs: %w", err)
	}
	if running {
		return fault.At("id", fault.InUse, "this %s is syncing: cancel the sync, or wait for its end, and try again", what)
	}
	return nil
}

// defaultName is what a connection is called unless told otherwise.
func (t *tx) defaultName(ctx context.Context, c *ent.Connection) (string, error) {
	w, err := c.QueryWarehouse().Only(ctx)
	if err != nil {
		return "", err
	}
	s, err := c.QueryStore().Only(ctx)
	if err != nil {
		return "", err
	}
	return connectionName(w, s), nil
}

func connectionName(w *ent.Warehouse, s *ent.Store) string {
	name := w.Name + " → " + s.Name
	if len(name) > maxText {
		cut := maxText
		for !utf8.RuneStart(name[cut]) {
			cut--
		}
		name = name[:cut]
	}
	return name
}

// timeZone holds a zone to the names of the IANA; blank is UTC.
func (c *check) timeZone(name string) string {
	if name = strings.TrimSpace(name); name == "" {
		return "UTC"
	}
	_, err := time.LoadLocation(name)
	// These load as well, but mean the machine's own zone, or count leap seconds.
	foreign := name == "Local" || name == "localtime" || name == "posixrules" || strings.HasPrefix(name, "posix/") || strings.HasPrefix(name, "right/")
	if err != nil || foreign {
		c.add("timeZone", fault.UnknownZone, "%.80q is no time zone: write an IANA name, such as Europe/Berlin, America/New_York or UTC", name)
	}
	return name
}

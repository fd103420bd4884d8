package database

import (
	"cmp"
	"context"
	"strings"
	"unicode/utf8"

	"stockbridge/ent"
	"stockbridge/ent/connection"
	"stockbridge/ent/predicate"
	"stockbridge/ent/schema/enum"
	"stockbridge/ent/syncrun"
	"stockbridge/internal/fault"
	"stockbridge/internal/schedule"
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
}

// CreateConnection adds a connection, neither it nor its inventory enabled. Faults: NOT_FOUND of warehouseId and storeId,
// TAKEN of storeId, TOO_LONG or INVALID of name, OUT_OF_RANGE of priority, UNKNOWN_TIME_ZONE of timeZone (an update's also
// BLANK).
func (db *DB) CreateConnection(ctx context.Context, in CreateConnection) (*ent.Connection, error) {
	return change(ctx, db, in.MerchantID, "create a connection", func(t *tx) (*ent.Connection, error) {
		var c check
		w, err := t.warehouse(ctx, in.MerchantID, in.WarehouseID)
		if c.keep(err) != nil {
			return nil, err
		}
		s, err := t.store(ctx, in.MerchantID, in.StoreID)
		if c.keep(err) != nil {
			return nil, err
		}
		name := c.text("name", in.Name, maxText)
		if name == "" && w != nil && s != nil {
			name = connectionName(w, s)
		}
		within(&c, "priority", &in.Priority, -maxUnits, maxUnits)
		zone := cmp.Or(strings.TrimSpace(in.TimeZone), "UTC")
		if _, err := schedule.LoadZone(zone); c.keep(err) != nil {
			return nil, err
		}
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
		row, err := t.connection(ctx, merchantID, id)
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
			zone = strings.TrimSpace(*in.TimeZone)
			if _, err := schedule.LoadZone(zone); c.keep(err) != nil {
				return nil, err
			}
		}
		if err := c.faults.Or(); err != nil {
			return nil, err
		}
		if in.Priority != nil && *in.Priority != row.Priority && counts(row) {
			if err := t.markWarehouses(ctx, merchantID, row.WarehouseID); err != nil {
				return nil, err
			}
		}
		was := row.TimeZone
		if row, err = u.SetTimeZone(zone).Save(ctx); err == nil && zone != was {
			err = t.reckonAll(ctx, row)
		}
		return row, err
	})
}

// DeleteConnection takes a connection away with its links, schedules and runs. Faults: NOT_FOUND, and IN_USE while it is
// syncing.
func (db *DB) DeleteConnection(ctx context.Context, merchantID, id int64) error {
	return remove(ctx, db, merchantID, "delete a connection", func(t *tx) error {
		row, err := t.connection(ctx, merchantID, id)
		if err != nil {
			return err
		}
		if err := t.idle(ctx, "connection", connection.ID(id)); err != nil {
			return err
		}
		if counts(row) {
			if err := t.markConnection(ctx, row); err != nil {
				return err
			}
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
		row, err := t.connection(ctx, merchantID, id)
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
		if counts(row) { // what came due while it was off is not missed
			if err := t.reckonAll(ctx, row); err != nil {
				return nil, err
			}
		}
		return row.Update().SetUpdatedAt(db.Now()).AddVersion(1).SetEnabled(row.Enabled).SetInventoryEnabled(row.InventoryEnabled).Save(ctx)
	})
	return c, changed && err == nil, err
}

func (t *tx) connection(ctx context.Context, merchantID, id int64) (*ent.Connection, error) {
	row, err := t.ent.Connection.Query().Where(connection.ID(id), connection.MerchantID(merchantID)).Only(ctx)
	return row, found(err, "connectionId", "connection")
}

// counts tells whether a connection's warehouse counts for its store (spec 4.2).
func counts(c *ent.Connection) bool { return c.Enabled && c.InventoryEnabled }

// markConnection marks a connection's warehouse to be planned, and the others that feed its store.
func (t *tx) markConnection(ctx context.Context, c *ent.Connection) error {
	if err := t.markWarehouses(ctx, c.MerchantID, c.WarehouseID); err != nil {
		return err
	}
	return t.markFeeding(ctx, c.MerchantID, connection.And(connection.StoreID(c.StoreID), connection.IDNEQ(c.ID)))
}

// markFeeding marks the warehouses of those of the connections that count to be planned.
func (t *tx) markFeeding(ctx context.Context, merchantID int64, of predicate.Connection) error {
	var ids []int64
	err := t.ent.Connection.Query().Where(of, connection.Enabled(true), connection.InventoryEnabled(true)).
		Unique(true).Order(connection.ByWarehouseID()).Select(connection.FieldWarehouseID).Scan(ctx, &ids)
	if err != nil {
		return err
	}
	return t.markWarehouses(ctx, merchantID, ids...)
}

// idle refuses to take away something whose connections are syncing. None of them begins to until the commit.
func (t *tx) idle(ctx context.Context, what string, of predicate.Connection) error {
	ids, err := t.ent.Connection.Query().Where(of).Order(connection.ByID()).IDs(ctx)
	if err != nil {
		return err
	}
	for _, id := range ids {
		if err := t.lock(ctx, lockRuns, id); err != nil {
			return err
		}
	}
	running, err := t.ent.SyncRun.Query().Where(syncrun.ConnectionIDIn(ids...), syncrun.StatusEQ(enum.Running)).Exist(ctx)
	if err == nil && running {
		err = fault.At(what+"Id", fault.InUse, "this %s is syncing: cancel the sync, or wait for its end, and try again", what)
	}
	return err
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

package database

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"stockbridge/ent"
	"stockbridge/ent/connection"
	entschedule "stockbridge/ent/schedule"
	"stockbridge/ent/schema/enum"
	"stockbridge/internal/fault"
	"stockbridge/internal/schedule"
)

// Schedules are those of a connection, or with connection 0 of all, each with its connection; Full ones come first.
func (db *DB) Schedules(ctx context.Context, connectionID int64) ([]*ent.Schedule, error) {
	q := db.reader.Schedule.Query().WithConnection().Order(entschedule.ByMode(), entschedule.ByID())
	if connectionID != 0 {
		q.Where(entschedule.ConnectionID(connectionID))
	}
	found, err := q.All(ctx)
	if err != nil {
		return nil, fmt.Errorf("read schedules: %w", err)
	}
	return found, nil
}

// ScheduleOf is a stored schedule as the rules take it; its connection has to be loaded.
func ScheduleOf(s *ent.Schedule) (schedule.Schedule, error) {
	return ScheduleIn(s, s.Edges.Connection.TimeZone)
}

// ScheduleIn is a stored schedule as the rules take it, in the time zone of its connection.
func ScheduleIn(s *ent.Schedule, zone string) (out schedule.Schedule, err error) {
	if out.Zone, err = schedule.LoadZone(zone); err == nil {
		err = json.Unmarshal(s.Rules, &out.Rules)
	}
	if err != nil {
		return out, fmt.Errorf("read schedule %d: %w", s.ID, err)
	}
	out.Anchor = s.AnchorAt
	return out, nil
}

// Due is a run that a schedule asks for.
type Due struct {
	ScheduleID, Version, MerchantID, ConnectionID int64
	Mode                                          enum.SyncMode
	By                                            time.Time  // the schedule is due where it is so by then
	Next                                          *time.Time // when it is due after this; nil is never
}

// EnqueueDue asks for the sync that a schedule is due for, and stores when the next one is: in one transaction, so that of
// several replicas one does so, once. due is false where another one has, or the schedule was changed since that version.
// Faults: those of EnqueueRun; that the run was due is settled with them too.
func (db *DB) EnqueueDue(ctx context.Context, d Due) (run *ent.SyncRun, due bool, err error) {
	var why error
	err = db.inTx(ctx, func(t *tx) error {
		done, err := t.ExecContext(ctx, db.rebind("UPDATE schedules SET next_run_at = ? WHERE id = ? AND version = ? AND next_run_at <= ?"), d.Next, d.ScheduleID, d.Version, d.By.UTC())
		if err != nil {
			return err
		}
		n, err := done.RowsAffected()
		if due = n > 0; err != nil || !due {
			return err
		}
		run, _, err = t.enqueue(ctx, d.MerchantID, d.ConnectionID, d.Mode, enum.Scheduled)
		if fault.CodeOf(err) != "" {
			why, err = err, nil
		}
		return err
	})
	if err = errors.Join(err, why); err != nil {
		return nil, due, fmt.Errorf("ask for a scheduled sync of connection %d: %w", d.ConnectionID, err)
	}
	return run, due, nil
}

// Overdue are schedules of connections that count which were due by a time, each with its connection; Full ones come first.
func (db *DB) Overdue(ctx context.Context, by time.Time) ([]*ent.Schedule, error) {
	found, err := db.reader.Schedule.Query().Where(entschedule.NextRunAtLTE(by.UTC()), entschedule.HasConnectionWith(connection.Enabled(true), connection.InventoryEnabled(true))).
		WithConnection().Order(entschedule.ByMode(), entschedule.ByID()).All(ctx)
	if err != nil {
		return nil, fmt.Errorf("read the schedules that are overdue: %w", err)
	}
	return found, nil
}

// SchedulesSince are the schedules that were changed since a time, each with its connection.
func (db *DB) SchedulesSince(ctx context.Context, since time.Time) ([]*ent.Schedule, error) {
	found, err := db.reader.Schedule.Query().Where(entschedule.UpdatedAtGTE(since.UTC())).WithConnection().All(ctx)
	if err != nil {
		return nil, fmt.Errorf("read changed schedules: %w", err)
	}
	return found, nil
}

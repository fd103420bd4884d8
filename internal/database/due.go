package database

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"stockbridge/ent"
	entschedule "stockbridge/ent/schedule"
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

// SetNextRun stores when a schedule is due next, or with ok false that it never is. Where the schedule was changed since
// that version, nothing is stored: the change has set its own.
func (db *DB) SetNextRun(ctx context.Context, id, version int64, next time.Time, ok bool) error {
	err := db.inTx(ctx, func(t *tx) error {
		u := t.ent.Schedule.Update().Where(entschedule.ID(id), entschedule.Version(version))
		if ok {
			u.SetNextRunAt(next)
		} else {
			u.ClearNextRunAt()
		}
		return u.Exec(ctx)
	})
	if err != nil {
		return fmt.Errorf("store the next run of schedule %d: %w", id, err)
	}
	return nil
}

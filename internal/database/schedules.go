package database

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"stockbridge/ent"
	"stockbridge/ent/schedule"
	"stockbridge/ent/schema/enum"
)

// NextRun works out when a schedule is due next, nil for never, from its rules as package schedule writes them, the
// time that MINUTELY counts from, and the connection's time zone. It is called inside a transaction: it only reckons.
type NextRun func(rules json.RawMessage, anchor time.Time, timeZone string) (*time.Time, error)

// SetSchedule replaces the rules of one of a connection's two schedules.
type SetSchedule struct {
	ExpectedVersion *int64 // the connection's version the change was made against, else STALE_VERSION; nil is any
	Mode            enum.SyncMode
	TimeZone        *string         // of the connection, and so of both schedules; nil leaves it
	Rules           json.RawMessage // a list as package schedule writes it, which has checked it; nil is the empty one
	NextRun         NextRun         // asked for this schedule, and for both where TimeZone changes; nil leaves them without a next run
}

// SetSchedule replaces one of a connection's schedules; MINUTELY counts from now. Faults: NOT_FOUND of connectionId,
// STALE_VERSION, INVALID of mode, UNKNOWN_TIME_ZONE of timeZone.
func (db *DB) SetSchedule(ctx context.Context, merchantID, connectionID int64, in SetSchedule) (*ent.Schedule, error) {
	return change(ctx, db, merchantID, "set a schedule", func(t *tx) (*ent.Schedule, error) {
		conn, err := t.connection(ctx, merchantID, connectionID, "connectionId")
		if err != nil {
			return nil, err
		}
		if err := upToDate(in.ExpectedVersion, conn.Version); err != nil {
			return nil, err
		}
		var c check
		oneOf(&c, "mode", in.Mode, "")
		zone := conn.TimeZone
		if in.TimeZone != nil {
			zone = c.timeZone(*in.TimeZone)
		}
		if err := c.faults.Or(); err != nil {
			return nil, err
		}
		now := db.Now()
		if err := conn.Update().SetTimeZone(zone).SetUpdatedAt(now).AddVersion(1).Exec(ctx); err != nil {
			return nil, err
		}
		if zone != conn.TimeZone {
			if err := t.rezone(ctx, conn, zone, in.NextRun); err != nil {
				return nil, err
			}
		}
		row, err := conn.QuerySchedules().Where(schedule.ModeEQ(in.Mode)).Only(ctx)
		if err != nil {
			return nil, err
		}
		row.Rules, row.AnchorAt = in.Rules, now
		if row.Rules == nil {
			row.Rules = json.RawMessage("[]")
		}
		u := row.Update().SetRules(row.Rules).SetAnchorAt(now).SetUpdatedAt(now).AddVersion(1)
		if err := in.NextRun.set(u, row, zone); err != nil {
			return nil, err
		}
		return u.Save(ctx)
	})
}

// rezone works out anew when a connection's schedules are due.
func (t *tx) rezone(ctx context.Context, c *ent.Connection, zone string, next NextRun) error {
	rows, err := c.QuerySchedules().All(ctx)
	if err != nil {
		return err
	}
	for _, row := range rows {
		u := row.Update()
		if err := next.set(u, row, zone); err != nil {
			return err
		}
		if err := u.Exec(ctx); err != nil {
			return err
		}
	}
	return nil
}

func (f NextRun) set(u *ent.ScheduleUpdateOne, s *ent.Schedule, zone string) error {
	var next *time.Time
	if f != nil {
		var err error
		if next, err = f(s.Rules, s.AnchorAt, zone); err != nil {
			return fmt.Errorf("work out the next run: %w", err)
		}
	}
	if next == nil {
		u.ClearNextRunAt()
	} else {
		u.SetNextRunAt(next.UTC().Truncate(time.Microsecond))
	}
	return nil
}

// addSchedules gives a new connection the schedules of spec 3.7.
func (t *tx) addSchedules(ctx context.Context, c *ent.Connection) error {
	now := c.CreatedAt
	add := func(mode enum.SyncMode, rules string) *ent.ScheduleCreate {
		return t.ent.Schedule.Create().SetMerchantID(c.MerchantID).SetConnectionID(c.ID).SetMode(mode).
			SetRules(json.RawMessage(rules)).SetAnchorAt(now).SetCreatedAt(now).SetUpdatedAt(now)
	}
	return t.ent.Schedule.CreateBulk(
		add(enum.Smart, `[{"type":"MINUTELY","every":60}]`).SetNextRunAt(now.Add(time.Hour)),
		add(enum.Full, `[]`),
	).Exec(ctx)
}

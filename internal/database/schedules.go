package database

import (
	"context"
	"encoding/json"
	"strings"
	"time"

	"stockbridge/ent"
	"stockbridge/ent/schema/enum"
	"stockbridge/internal/schedule"
)

// SetSchedule replaces the rules of one of a connection's two schedules.
type SetSchedule struct {
	ExpectedVersion *int64 // the connection's version the change was made against, else STALE_VERSION; nil is any
	Mode            enum.SyncMode
	TimeZone        *string         // of the connection, and so of both schedules; nil leaves it
	Rules           []schedule.Rule // all of them; none is never
	Floor           time.Duration   // the least time the server allows between two Smart Syncs; 0 is any
}

// SetSchedule replaces one of a connection's schedules; MINUTELY counts from now. Faults: NOT_FOUND of connectionId,
// STALE_VERSION, INVALID of mode, and those of schedule.Validate.
func (db *DB) SetSchedule(ctx context.Context, merchantID, connectionID int64, in SetSchedule) (*ent.Schedule, error) {
	return change(ctx, db, merchantID, "set a schedule", func(t *tx) (*ent.Schedule, error) {
		conn, err := t.connection(ctx, merchantID, connectionID)
		if err != nil {
			return nil, err
		}
		if err := upToDate(in.ExpectedVersion, conn.Version); err != nil {
			return nil, err
		}
		var c check
		oneOf(&c, "mode", in.Mode, "")
		zone, floor := conn.TimeZone, in.Floor
		if in.TimeZone != nil {
			zone = strings.TrimSpace(*in.TimeZone)
		}
		if in.Mode == enum.Full {
			floor = 0
		}
		if err := c.keep(schedule.Validate(in.Rules, zone, floor)); err != nil {
			return nil, err
		}
		if err := c.faults.Or(); err != nil {
			return nil, err
		}
		rules, err := json.Marshal(append([]schedule.Rule{}, in.Rules...)) // none are [], not null
		if err != nil {
			return nil, err
		}
		now, rezoned := db.Now(), zone != conn.TimeZone
		if conn, err = conn.Update().SetTimeZone(zone).SetUpdatedAt(now).AddVersion(1).Save(ctx); err != nil {
			return nil, err
		}
		schedules, err := conn.QuerySchedules().All(ctx)
		if err != nil {
			return nil, err
		}
		var set *ent.Schedule
		for _, s := range schedules {
			switch {
			case s.Mode == in.Mode:
				s.Rules, s.AnchorAt = rules, now
				set, err = t.reckon(ctx, s, conn)
			case rezoned:
				_, err = t.reckon(ctx, s, conn)
			}
			if err != nil {
				return nil, err
			}
		}
		return set, nil
	})
}

// reckonAll stores anew when a connection's schedules are due.
func (t *tx) reckonAll(ctx context.Context, c *ent.Connection) error {
	schedules, err := c.QuerySchedules().All(ctx)
	if err != nil {
		return err
	}
	for _, s := range schedules {
		if _, err := t.reckon(ctx, s, c); err != nil {
			return err
		}
	}
	return nil
}

// reckon stores a connection's schedule with when it is due next.
func (t *tx) reckon(ctx context.Context, s *ent.Schedule, c *ent.Connection) (*ent.Schedule, error) {
	s.Edges.Connection = c
	rules, err := ScheduleOf(s)
	if err != nil {
		return nil, err
	}
	now := t.db.Now()
	var due *time.Time
	if next, ok := rules.Next(now); ok {
		due = &next
	}
	u := s.Update().SetRules(s.Rules).SetAnchorAt(s.AnchorAt).SetUpdatedAt(now).AddVersion(1)
	put(due, u.SetNextRunAt, u.ClearNextRunAt)
	return u.Save(ctx)
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

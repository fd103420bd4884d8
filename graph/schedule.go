package graph

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"stockbridge/ent"
	"stockbridge/ent/schema/enum"
	"stockbridge/graph/model"
	"stockbridge/internal/database"
	"stockbridge/internal/schedule"
)

type scheduleFields struct{}

func (scheduleFields) Rules(_ context.Context, s *ent.Schedule) ([]*model.ScheduleRule, error) {
	var rules []*model.ScheduleRule // its JSON is that of schedule.Rule
	if err := json.Unmarshal(s.Rules, &rules); err != nil {
		return nil, fmt.Errorf("read the rules of schedule %d: %w", s.ID, err)
	}
	return rules, nil
}

func (m mutation) SetSchedule(ctx context.Context, in model.SetScheduleInput) (out *model.SetSchedulePayload, err error) {
	out = &model.SetSchedulePayload{}
	out.UserErrors, err = change(ctx, "connectionId", func() error {
		row, err := find(ctx, "Connection", "connectionId", in.ConnectionID, m.Reader.Connection.Get)
		if err != nil {
			return err
		}
		zone, floor := row.TimeZone, time.Duration(0)
		if in.TimeZone != nil {
			zone = *in.TimeZone
		}
		if in.Mode == enum.Smart {
			floor = m.SmartFloor
		}
		rules := make([]schedule.Rule, len(in.Rules))
		for i, r := range in.Rules {
			rules[i] = rule(r)
		}
		if err := schedule.Validate(rules, zone, floor); err != nil {
			return err
		}
		raw, err := json.Marshal(rules)
		if err != nil {
			return fmt.Errorf("write the rules of a schedule: %w", err)
		}
		if _, err := m.DB.SetSchedule(ctx, row.MerchantID, row.ID, database.SetSchedule{ExpectedVersion: in.ExpectedVersion, Mode: in.Mode, TimeZone: in.TimeZone,
			Rules: raw, NextRun: m.nextRun}); err != nil {
			return err
		}
		m.reschedule(ctx, row.ID)
		out.Connection, err = again(ctx, m.Reader.Connection.Query(), row.ID, "connection")
		return err
	})
	return out, err
}

// nextRun is when a schedule is due next, as internal/database asks for it.
func (r *resolver) nextRun(rules json.RawMessage, anchor time.Time, timeZone string) (*time.Time, error) {
	s := schedule.Schedule{Anchor: anchor}
	if err := json.Unmarshal(rules, &s.Rules); err != nil {
		return nil, fmt.Errorf("read the rules of a schedule: %w", err)
	}
	var err error
	if s.Zone, err = schedule.LoadZone(timeZone); err != nil {
		return nil, err
	}
	next, ok := s.Next(r.DB.Now())
	if !ok {
		return nil, nil
	}
	return &next, nil
}

func rule(in *model.ScheduleRuleInput) schedule.Rule {
	out := schedule.Rule{Type: schedule.Type(in.Type), Every: int(given(in.Every)), Minute: int(given(in.Minute)), At: given(in.At),
		Unit: schedule.Unit(given(in.Unit)), StartHour: narrow(in.StartHour), EndHour: narrow(in.EndHour), Cron: given(in.Cron)}
	for _, d := range in.Weekdays {
		if day, ok := schedule.ParseWeekday(string(d)); ok { // an enum's value is one
			out.Weekdays = append(out.Weekdays, day)
		}
	}
	return out
}

package graph

import (
	"context"
	"encoding/json"
	"fmt"

	"stockbridge/ent"
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
	out.UserErrors, err = change(ctx, func() error {
		row, err := find(ctx, "Connection", "connectionId", in.ConnectionID, m.Reader.Connection.Get)
		if err != nil {
			return err
		}
		rules := make([]schedule.Rule, len(in.Rules))
		for i, r := range in.Rules {
			rules[i] = rule(r)
		}
		if _, err := m.DB.SetSchedule(ctx, row.MerchantID, row.ID, database.SetSchedule{ExpectedVersion: in.ExpectedVersion, Mode: in.Mode, TimeZone: in.TimeZone,
			Rules: rules, Floor: m.SmartFloor}); err != nil {
			return err
		}
		m.reschedule(ctx, row.ID)
		out.Connection, err = again(ctx, m.Reader.Connection.Query(), row.ID, "connection")
		return err
	})
	return out, err
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

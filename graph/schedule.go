package graph

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"slices"

	"stockbridge/ent"
	"stockbridge/ent/schema/enum"
	"stockbridge/graph/model"
	"stockbridge/graph/page"
	"stockbridge/internal/database"
	"stockbridge/internal/schedule"
)

type scheduleFields struct{}

// NextRuns are when a connection is due (spec 3.7).
func (f connectionFields) NextRuns(ctx context.Context, c *ent.Connection, first *int64, mode *enum.SyncMode) ([]*model.NextRun, error) {
	n, _, err := page.Args{First: first}.Size()
	if err != nil {
		return nil, err
	}
	schedules, err := c.Schedules(ctx)
	if err != nil {
		return nil, err
	}
	runs := []*model.NextRun{}
	for _, s := range schedules {
		if mode != nil && s.Mode != *mode {
			continue
		}
		rules, err := database.ScheduleIn(s, c.TimeZone)
		if err != nil {
			return nil, err
		}
		for _, at := range rules.Upcoming(f.DB.Now(), n) {
			runs = append(runs, &model.NextRun{Mode: s.Mode, At: at})
		}
	}
	slices.SortFunc(runs, func(a, b *model.NextRun) int { return cmp.Or(a.At.Compare(b.At), cmp.Compare(a.Mode, b.Mode)) })
	return runs[:min(n, len(runs))], nil
}

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
		if in.Mode == enum.Full && schedule.MoreThanDaily(rules) {
			out.Warnings = []*model.ScheduleWarning{{Code: model.ScheduleWarningCodeFullMoreThanDaily, Message: "Full Syncs will come more often than once a day. " +
				"Each pushes every level of the store, changed or not, and uses up what the store lets be sent; what changes goes out with Smart Syncs. One Full Sync a day, at a quiet hour, mends drift"}}
		}
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

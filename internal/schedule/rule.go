package schedule

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
	"time"
)

// Type says how a rule's runs are found, and which other fields of it count.
type Type string

// The types of rules (spec 3.7). A field that is not named with a type must be left empty.
const (
	// Minutely runs Every minutes (1–44,640, which is 31 days) of real time, counted from the schedule's anchor.
	Minutely Type = "MINUTELY"
	// Hourly runs at Minute (0–59) of every Every-th hour (1–24), counted from midnight; where
	// Every does not divide 24, the count starts anew each midnight.
	Hourly Type = "HOURLY"
	// Daily runs once a day, at At.
	Daily Type = "DAILY"
	// Flexible runs every Every Units (at most a day), counted from the full hour StartHour and as
	// long as the hour EndHour (0–23) lasts; both nil is the whole day, from midnight. An EndHour
	// before StartHour is one of the next day. Each of Weekdays (none: every day) starts a count,
	// and the hours past midnight belong to the weekday they were started on.
	Flexible Type = "FLEXIBLE"
	// Cron runs as the five-field expression Cron says; see parseCron.
	Cron Type = "CRON"
)

// Unit is what a FLEXIBLE rule counts in.
type Unit string

// The units of FLEXIBLE rules.
const (
	Minutes Unit = "MINUTES"
	Hours   Unit = "HOURS"
)

// Rule is one line of a schedule. Its JSON holds only the fields of its type, for instance
// {"type":"HOURLY","every":6,"minute":0} or {"type":"FLEXIBLE","every":30,"unit":"MINUTES","weekdays":["MONDAY"]};
// it is what the database keeps.
type Rule struct {
	Type      Type
	Every     int
	Minute    int
	At        string // "HH:MM", 00:00–23:59
	Unit      Unit
	StartHour *int
	EndHour   *int
	Weekdays  []time.Weekday
	Cron      string
}

type ruleJSON struct {
	Type      Type     `json:"type"`
	Every     int      `json:"every,omitempty"`
	Minute    *int     `json:"minute,omitempty"`
	At        string   `json:"at,omitempty"`
	Unit      Unit     `json:"unit,omitempty"`
	StartHour *int     `json:"startHour,omitempty"`
	EndHour   *int     `json:"endHour,omitempty"`
	Weekdays  []string `json:"weekdays,omitempty"`
	Cron      string   `json:"cron,omitempty"`
}

// MarshalJSON encodes the rule, fields in a fixed order.
func (r Rule) MarshalJSON() ([]byte, error) {
	j := ruleJSON{r.Type, r.Every, nil, r.At, r.Unit, r.StartHour, r.EndHour, nil, r.Cron}
	if r.Type == Hourly || r.Minute != 0 {
		j.Minute = &r.Minute
	}
	for _, d := range r.Weekdays {
		j.Weekdays = append(j.Weekdays, strings.ToUpper(d.String()))
	}
	return json.Marshal(j)
}

// UnmarshalJSON decodes a rule; it refuses keys and weekdays it does not know, and leaves the rest to Validate.
func (r *Rule) UnmarshalJSON(data []byte) error {
	var j ruleJSON
	d := json.NewDecoder(bytes.NewReader(data))
	d.DisallowUnknownFields()
	if err := d.Decode(&j); err != nil {
		return fmt.Errorf("decode schedule rule: %w", err)
	}
	*r = Rule{Type: j.Type, Every: j.Every, At: j.At, Unit: j.Unit, StartHour: j.StartHour, EndHour: j.EndHour, Cron: j.Cron}
	if j.Minute != nil {
		r.Minute = *j.Minute
	}
	for _, name := range j.Weekdays {
		day, ok := ParseWeekday(name)
		if !ok {
			return fmt.Errorf("decode schedule rule: %q is no weekday; write MONDAY to SUNDAY", name)
		}
		r.Weekdays = append(r.Weekdays, day)
	}
	return nil
}

// ParseWeekday reads MONDAY to SUNDAY.
func ParseWeekday(name string) (time.Weekday, bool) {
	for d := time.Sunday; d <= time.Saturday; d++ {
		if name == strings.ToUpper(d.String()) {
			return d, true
		}
	}
	return 0, false
}

// clock reads At as a minute of the day.
func clock(at string) (minute int, ok bool) {
	t, err := time.Parse("15:04", at)
	return t.Hour()*60 + t.Minute(), err == nil && len(at) == len("15:04")
}

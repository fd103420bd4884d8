package schedule

import (
	"encoding/json"
	"os"
	"testing"
	"time"
	_ "time/tzdata"
)

func load(t testing.TB, name string) *time.Location {
	t.Helper()
	zone, err := LoadZone(name)
	if err != nil {
		t.Fatal(err)
	}
	return zone
}

func at(t testing.TB, s string) time.Time {
	t.Helper()
	v, err := time.Parse(time.RFC3339Nano, s)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// spec 3.7
func TestVectors(t *testing.T) {
	t.Parallel()
	data, err := os.ReadFile("testdata/schedules.json")
	if err != nil {
		t.Fatal(err)
	}
	var vectors []struct {
		Name   string
		Zone   string
		Rules  []json.RawMessage
		Anchor *time.Time
		After  time.Time
		Next   []time.Time
	}
	if err := json.Unmarshal(data, &vectors); err != nil {
		t.Fatal(err)
	}
	for _, v := range vectors {
		t.Run(v.Name, func(t *testing.T) {
			t.Parallel()
			s := Schedule{Zone: load(t, v.Zone)}
			if v.Anchor != nil {
				s.Anchor = *v.Anchor
			}
			for _, raw := range v.Rules {
				var r Rule
				if err := json.Unmarshal(raw, &r); err != nil {
					t.Fatal(err)
				}
				s.Rules = append(s.Rules, r)
				if back, err := json.Marshal(r); err != nil || string(back) != string(raw) {
					t.Errorf("%s came back as %s (%v)", raw, back, err)
				}
			}
			if err := Validate(s.Rules, v.Zone, 5*time.Minute); err != nil {
				t.Error(err)
			}
			got := s.Upcoming(v.After, len(v.Next))
			for i, want := range v.Next {
				if i >= len(got) || !got[i].Equal(want) {
					t.Fatalf("got %v, want %v", got, v.Next)
				}
			}
		})
	}
}

func ptr(n int) *int { return &n }

func cronRule(expr string) Rule { return Rule{Type: Cron, Cron: expr} }

// spec 3.7: what the vectors leave open.
func TestNext(t *testing.T) {
	t.Parallel()
	quarter := Rule{Type: Flexible, Every: 15, Unit: Minutes}
	tests := []struct {
		name   string
		zone   string
		anchor string
		rules  []Rule
		after  string
		want   []string // in the zone; a trailing "" says that no more come
	}{
		{"minutely starts at an anchor to come", "UTC", "2026-03-01T10:07:30Z", []Rule{{Type: Minutely, Every: 90}},
			"2026-02-01T00:00:00Z", []string{"2026-03-01T10:07:30Z", "2026-03-01T11:37:30Z"}},
		{"minutely keeps its pace when the clocks change", "Europe/Berlin", "2026-03-28T12:00:00Z", []Rule{{Type: Minutely, Every: 720}},
			"2026-03-28T12:00:00Z", []string{"2026-03-29T02:00:00+02:00", "2026-03-29T14:00:00+02:00"}},
		{"minutely keeps its anchor's fraction", "UTC", "2026-03-01T10:00:00.5Z", []Rule{{Type: Minutely, Every: 1}},
			"2026-03-01T10:07:00.4Z", []string{"2026-03-01T10:07:00.5Z", "2026-03-01T10:08:00.5Z"}},
		{"minutely from no anchor", "UTC", "0001-01-01T00:00:00Z", []Rule{{Type: Minutely, Every: 60}},
			"2026-03-01T10:00:00Z", []string{"2026-03-01T11:00:00Z"}},
		{"hourly starts anew at midnight where it does not divide the day", "UTC", "", []Rule{{Type: Hourly, Every: 7, Minute: 5}},
			"2026-03-01T14:05:00Z", []string{"2026-03-01T21:05:00Z", "2026-03-02T00:05:00Z", "2026-03-02T07:05:00Z"}},
		{"hourly in a zone of half hours", "Asia/Kathmandu", "", []Rule{{Type: Hourly, Every: 12, Minute: 59}},
			"2026-03-01T00:00:00Z", []string{"2026-03-01T12:59:00+05:45", "2026-03-02T00:59:00+05:45"}},
		{"hourly at a midnight that is skipped", "Africa/Cairo", "", []Rule{{Type: Hourly, Every: 12, Minute: 30}},
			"2026-04-23T12:00:00Z", []string{"2026-04-24T01:00:00+03:00", "2026-04-24T12:30:00+03:00"}},
		{"hourly in the hour that comes twice", "America/New_York", "", []Rule{{Type: Hourly, Every: 1, Minute: 30}},
			"2026-11-01T04:30:00Z", []string{"2026-11-01T01:30:00-04:00", "2026-11-01T02:30:00-05:00"}},
		{"asked within the second coming of an hour", "America/New_York", "", []Rule{{Type: Daily, At: "01:45"}},
			"2026-11-01T06:30:00Z", []string{"2026-11-02T01:45:00-05:00"}},
		{"daily on a day that the zone skips", "Pacific/Apia", "", []Rule{{Type: Daily, At: "10:00"}},
			"2011-12-29T09:00:00-10:00", []string{"2011-12-29T10:00:00-10:00", "2011-12-31T00:00:00+14:00", "2011-12-31T10:00:00+14:00"}},
		{"daily on a day that came twice", "Pacific/Kwajalein", "", []Rule{{Type: Daily, At: "10:00"}},
			"1969-09-30T00:00:00+11:00", []string{"1969-09-30T10:00:00+11:00", "1969-10-01T10:00:00-12:00"}},
		{"daily in the skip, with another at its end", "Europe/Berlin", "", []Rule{{Type: Daily, At: "02:15"}, {Type: Daily, At: "03:00"}},
			"2026-03-29T00:00:00Z", []string{"2026-03-29T03:00:00+02:00", "2026-03-30T02:15:00+02:00"}},
		{"half an hour that comes twice", "Australia/Lord_Howe", "", []Rule{quarter},
			"2026-04-05T01:31:00+11:00", []string{"2026-04-05T01:45:00+11:00", "2026-04-05T02:00:00+10:30"}},
		{"leap day's next year in a zone with DST", "America/New_York", "", []Rule{{Type: Daily, At: "12:00"}},
			"2040-12-30T17:00:00Z", []string{"2040-12-31T12:00:00-05:00", "2041-01-01T12:00:00-05:00"}},
		{"flexible counts minutes from the start hour", "UTC", "", []Rule{{Type: Flexible, Every: 45, Unit: Minutes, StartHour: ptr(9), EndHour: ptr(10)}},
			"2026-06-05T00:00:00Z", []string{"2026-06-05T09:00:00Z", "2026-06-05T09:45:00Z", "2026-06-05T10:30:00Z", "2026-06-06T09:00:00Z"}},
		{"flexible within one hour", "UTC", "", []Rule{{Type: Flexible, Every: 30, Unit: Minutes, StartHour: ptr(9), EndHour: ptr(9)}},
			"2026-06-05T00:00:00Z", []string{"2026-06-05T09:00:00Z", "2026-06-05T09:30:00Z", "2026-06-06T09:00:00Z"}},
		{"flexible longer than its block runs at its start", "UTC", "", []Rule{{Type: Flexible, Every: 5, Unit: Hours, StartHour: ptr(22), EndHour: ptr(1)}},
			"2026-06-05T00:00:00Z", []string{"2026-06-05T22:00:00Z", "2026-06-06T22:00:00Z"}},
		{"flexible over midnight belongs to the day it starts", "UTC", "", []Rule{{Type: Flexible, Every: 1, Unit: Hours, StartHour: ptr(23), EndHour: ptr(0),
			Weekdays: []time.Weekday{time.Saturday, time.Sunday}}},
			"2026-06-05T00:00:00Z", []string{"2026-06-06T23:00:00Z", "2026-06-07T00:00:00Z", "2026-06-07T23:00:00Z", "2026-06-08T00:00:00Z", "2026-06-13T23:00:00Z"}},
		{"flexible from noon to noon", "UTC", "", []Rule{{Type: Flexible, Every: 8, Unit: Hours, StartHour: ptr(12), EndHour: ptr(11)}},
			"2026-06-05T00:00:00Z", []string{"2026-06-05T04:00:00Z", "2026-06-05T12:00:00Z", "2026-06-05T20:00:00Z", "2026-06-06T04:00:00Z"}},
		{"cron's names, lists, ranges and steps", "UTC", "", []Rule{cronRule(" 5,50-59/5  8-18/10 * jan,JUN Mon ")},
			"2026-06-05T00:00:00Z", []string{"2026-06-08T08:05:00Z", "2026-06-08T08:50:00Z", "2026-06-08T08:55:00Z", "2026-06-08T18:05:00Z"}},
		{"cron with both days is either", "UTC", "", []Rule{cronRule("0 0 13 * 5")},
			"2026-06-05T00:00:00Z", []string{"2026-06-12T00:00:00Z", "2026-06-13T00:00:00Z", "2026-06-19T00:00:00Z"}},
		{"cron on leap days and Mondays in February", "UTC", "", []Rule{cronRule("0 0 29 2 1")},
			"2028-02-27T00:00:00Z", []string{"2028-02-28T00:00:00Z", "2028-02-29T00:00:00Z", "2029-02-05T00:00:00Z"}},
		{"cron on leap days, over a century", "UTC", "", []Rule{cronRule("59 23 29 2 *")},
			"2096-02-29T23:59:00Z", []string{"2104-02-29T23:59:00Z"}},
		{"cron in the skip collapses", "America/New_York", "", []Rule{cronRule("*/20 2 * * 0")},
			"2026-03-02T00:00:00Z", []string{"2026-03-08T03:00:00-04:00", "2026-03-15T02:00:00-04:00"}},
		{"cron in the hour that comes twice", "America/New_York", "", []Rule{cronRule("*/30 * * * *")},
			"2026-11-01T05:00:00Z", []string{"2026-11-01T01:30:00-04:00", "2026-11-01T02:00:00-05:00"}},
		{"no rules", "UTC", "", nil, "2026-06-05T00:00:00Z", []string{""}},
		{"rules that cannot be", "UTC", "", []Rule{{Type: Minutely}, {Type: Hourly}, {Type: Flexible, Unit: Minutes}, {Type: Daily, At: "25:00"},
			cronRule("0 0 30 2 *"), {Type: Flexible, Every: 1, Unit: Hours, StartHour: ptr(1)}, {}}, "2026-06-05T00:00:00Z", []string{""}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			s := Schedule{Zone: load(t, tt.zone), Rules: tt.rules}
			if tt.anchor != "" {
				s.Anchor = at(t, tt.anchor)
			}
			after := at(t, tt.after)
			for _, want := range tt.want {
				got, ok := s.Next(after)
				if ok != (want != "") || ok && !got.Equal(at(t, want)) {
					t.Fatalf("after %s: got %s %v, want %s", after, got.In(s.Zone), ok, want)
				}
				after = got
			}
		})
	}
}

// spec 3.7: a schedule without a zone is one of UTC, and runs are told in UTC.
func TestNextIsInUTC(t *testing.T) {
	t.Parallel()
	after := at(t, "2026-06-05T00:00:00+02:00")
	s := Schedule{Rules: []Rule{{Type: Daily, At: "01:00"}, {Type: Minutely, Every: 44640}}, Anchor: after.Add(time.Hour)}
	for i, want := range []string{"2026-06-04T23:00:00Z", "2026-06-05T01:00:00Z"} {
		if got := s.Upcoming(after, 2)[i].Format(time.RFC3339); got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	}
}

func TestRuleJSONRefusesWhatItDoesNotKnow(t *testing.T) {
	t.Parallel()
	for _, raw := range []string{`{"type":"DAILY","at":"01:00","timezone":"UTC"}`, `{"type":"FLEXIBLE","weekdays":["Monday"]}`, `[]`} {
		var r Rule
		if err := json.Unmarshal([]byte(raw), &r); err == nil {
			t.Errorf("%s became %+v", raw, r)
		}
	}
}

func BenchmarkNext(b *testing.B) {
	for name, rule := range map[string]Rule{"daily": {Type: Daily, At: "02:30"}, "leap day": cronRule("0 0 29 2 *")} {
		b.Run(name, func(b *testing.B) {
			s := Schedule{Zone: load(b, "America/New_York"), Rules: []Rule{rule}}
			after := at(b, "2096-03-01T00:00:00Z")
			for b.Loop() {
				s.Next(after)
			}
		})
	}
}

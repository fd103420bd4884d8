package schedule

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"stockbridge/internal/fault"
)

// codes returns "FIELD CODE" of every fault, in order.
func codes(err error) []string {
	var l fault.List
	errors.As(err, &l)
	var got []string
	for _, f := range l {
		got = append(got, strings.Join(f.Field, ".")+" "+string(f.Code))
	}
	return got
}

// spec 3.7 and 6: every refusal names its code and field.
func TestValidateNamesFaultAndField(t *testing.T) {
	t.Parallel()
	flexible := func(start, end *int) Rule {
		return Rule{Type: Flexible, Every: 1, Unit: Hours, StartHour: start, EndHour: end}
	}
	tests := []struct {
		name string
		rule Rule
		want []string
	}{
		{"no type", Rule{}, []string{"type BLANK"}},
		{"unknown type", Rule{Type: "WEEKLY"}, []string{"type INVALID"}},
		{"minutely never", Rule{Type: Minutely}, []string{"every OUT_OF_RANGE"}},
		{"minutely back", Rule{Type: Minutely, Every: -5}, []string{"every OUT_OF_RANGE"}},
		{"minutely a month", Rule{Type: Minutely, Every: 44640}, nil},
		{"minutely longer", Rule{Type: Minutely, Every: 44641}, []string{"every OUT_OF_RANGE"}},
		{"hourly", Rule{Type: Hourly, Every: 24, Minute: 59}, nil},
		{"hourly too much", Rule{Type: Hourly, Every: 25, Minute: 60}, []string{"every OUT_OF_RANGE", "minute OUT_OF_RANGE"}},
		{"hourly before the hour", Rule{Type: Hourly, Every: 1, Minute: -1}, []string{"minute OUT_OF_RANGE"}},
		{"daily without time", Rule{Type: Daily}, []string{"at BLANK"}},
		{"daily at midnight's end", Rule{Type: Daily, At: "24:00"}, []string{"at INVALID"}},
		{"daily without nought", Rule{Type: Daily, At: "1:00"}, []string{"at INVALID"}},
		{"daily with seconds", Rule{Type: Daily, At: "01:00:00"}, []string{"at INVALID"}},
		{"daily with five others", Rule{Type: Daily, At: "1:00 "}, []string{"at INVALID"}},
		{"daily on a weekday", Rule{Type: Daily, At: "01:00", Weekdays: []time.Weekday{time.Monday}}, []string{"weekdays INVALID"}},
		{"flexible all day", flexible(nil, nil), nil},
		{"flexible over midnight", flexible(ptr(23), ptr(0)), nil},
		{"flexible without end", flexible(ptr(1), nil), []string{"endHour BLANK"}},
		{"flexible without start", flexible(nil, ptr(0)), []string{"startHour BLANK"}},
		{"flexible hours", flexible(ptr(-1), ptr(24)), []string{"startHour OUT_OF_RANGE", "endHour OUT_OF_RANGE"}},
		{"flexible without unit", Rule{Type: Flexible, Every: 5}, []string{"unit BLANK"}},
		{"flexible days", Rule{Type: Flexible, Every: 5, Unit: "DAYS"}, []string{"unit INVALID"}},
		{"flexible more than a day", Rule{Type: Flexible, Every: 1441, Unit: Minutes}, []string{"every OUT_OF_RANGE"}},
		{"flexible more hours than a day", Rule{Type: Flexible, Every: 25, Unit: Hours}, []string{"every OUT_OF_RANGE"}},
		{"flexible on no weekday", Rule{Type: Flexible, Every: 5, Unit: Hours, Weekdays: []time.Weekday{7}}, []string{"weekdays INVALID"}},
		{"cron blank", cronRule("  "), []string{"cron BLANK"}},
		{"cron impossible", cronRule("0 0 30 2 *"), []string{"cron INVALID_CRON"}},
		{"cron with another's fields", Rule{Type: Cron, Cron: "0 0 * * *", Every: 5, Minute: 1, At: "01:00", Unit: Hours, StartHour: ptr(0), EndHour: ptr(0)},
			[]string{"every INVALID", "minute INVALID", "at INVALID", "unit INVALID", "startHour INVALID", "endHour INVALID"}},
		{"minutely with cron", Rule{Type: Minutely, Every: 5, Cron: "* * * * *"}, []string{"cron INVALID"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			var want []string
			for _, w := range tt.want {
				want = append(want, "rules.1."+w)
			}
			err := Validate([]Rule{{Type: Daily, At: "01:00"}, tt.rule}, "Europe/Berlin", 0)
			if got := codes(err); !slices.Equal(got, want) {
				t.Errorf("got %v, want %v", err, want)
			}
		})
	}
}

// spec 3.7: a schedule may be empty; spec 6: it may not be endless.
func TestValidateCountsRules(t *testing.T) {
	t.Parallel()
	if err := Validate(nil, "UTC", time.Hour); err != nil {
		t.Error(err)
	}
	rules := slices.Repeat([]Rule{{Type: Daily, At: "01:00"}}, MaxRules)
	if err := Validate(rules, "UTC", time.Hour); err != nil {
		t.Error(err)
	}
	if got := codes(Validate(append(rules, rules[0]), "UTC", 0)); !slices.Equal(got, []string{"rules TOO_MANY"}) {
		t.Error(got)
	}
}

// spec 6: unknown time zones.
func TestValidateZone(t *testing.T) {
	t.Parallel()
	for zone, want := range map[string]string{
		"UTC": "", "America/Argentina/Buenos_Aires": "", "Asia/Kathmandu": "", "": "BLANK", " ": "BLANK",
		"Local": "UNKNOWN_TIME_ZONE", "localtime": "UNKNOWN_TIME_ZONE", "right/UTC": "UNKNOWN_TIME_ZONE", "posix/UTC": "UNKNOWN_TIME_ZONE",
		"Europe/Atlantis": "UNKNOWN_TIME_ZONE", "+02:00": "UNKNOWN_TIME_ZONE", "../UTC": "UNKNOWN_TIME_ZONE", "Europe": "UNKNOWN_TIME_ZONE",
		"UTC\x00": "UNKNOWN_TIME_ZONE",
	} {
		got := codes(Validate(nil, zone, 0))
		_, err := LoadZone(zone)
		if want == "" && (got != nil || err != nil) || want != "" && (!slices.Equal(got, []string{"timeZone " + want}) || fault.CodeOf(err) != fault.Code(want)) {
			t.Errorf("%q: got %v and %v, want %q", zone, got, err, want)
		}
	}
}

// spec 3.7: the server sets a floor.
func TestValidateFloor(t *testing.T) {
	t.Parallel()
	minutes := func(n int) Rule { return Rule{Type: Flexible, Every: n, Unit: Minutes} }
	daily := func(at string) Rule { return Rule{Type: Daily, At: at} }
	tests := []struct {
		name  string
		floor time.Duration
		rules []Rule
		want  []string
	}{
		{"no floor", 0, []Rule{{Type: Minutely, Every: 1}, cronRule("* * * * *")}, nil},
		{"at the floor", 5 * time.Minute, []Rule{{Type: Minutely, Every: 5}, cronRule("*/5 * * * *"), minutes(5)}, nil},
		{"each below", 5 * time.Minute, []Rule{{Type: Minutely, Every: 4}, cronRule("*/4 * * * *"), {Type: Hourly, Every: 1}, minutes(4)},
			[]string{"rules.0.every TOO_FREQUENT", "rules.1.cron TOO_FREQUENT", "rules.3.every TOO_FREQUENT"}},
		{"a step that starts anew at the hour", 5 * time.Minute, []Rule{cronRule("*/7 * * * *")}, []string{"rules.0.cron TOO_FREQUENT"}},
		{"a count that starts anew at midnight", 5 * time.Minute, []Rule{minutes(1439)}, []string{"rules.0.every TOO_FREQUENT"}},
		{"a count that starts anew a week later", 5 * time.Minute, []Rule{{Type: Flexible, Every: 1439, Unit: Minutes, Weekdays: []time.Weekday{time.Monday}}}, nil},
		{"from one day to the next", 5 * time.Minute, []Rule{daily("23:58"), daily("00:01")}, []string{"rules.1 TOO_FREQUENT"}},
		{"once in 28 years", 5 * time.Minute, []Rule{cronRule("0 0 29 2 *"), {Type: Flexible, Every: 24, Unit: Hours, Weekdays: []time.Weekday{time.Monday}},
			cronRule("58 23 28 2 *")}, []string{"rules.2 TOO_FREQUENT"}},
		{"never on the same day", 5 * time.Minute, []Rule{cronRule("0 0 1 1 *"), cronRule("1 0 1 2 *")}, nil},
		{"the same runs twice are one", 5 * time.Minute, []Rule{daily("06:00"), daily("06:00"), {Type: Hourly, Every: 6}}, nil},
		{"pushed together by the clocks", 5 * time.Minute, []Rule{daily("01:58"), daily("02:30"), daily("03:02")}, nil},
		{"minutely of two paces", 5 * time.Minute, []Rule{{Type: Minutely, Every: 60}, {Type: Minutely, Every: 61}}, []string{"rules.1 TOO_FREQUENT"}},
		{"minutely of a common pace", 5 * time.Minute, []Rule{{Type: Minutely, Every: 60}, {Type: Minutely, Every: 45}}, nil},
		{"minutely beside a time of day", 5 * time.Minute, []Rule{{Type: Minutely, Every: 60}, daily("01:00")}, nil},
		{"daily under a floor of days", 48 * time.Hour, []Rule{daily("01:00")}, []string{"rules.0.at TOO_FREQUENT"}},
		{"yearly under a floor of days", 48 * time.Hour, []Rule{cronRule("0 0 1 1 *")}, nil},
		{"the floor waits for sound rules", 5 * time.Minute, []Rule{{Type: Minutely, Every: 1}, {}}, []string{"rules.1.type BLANK"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			if err := Validate(tt.rules, "Europe/Berlin", tt.floor); !slices.Equal(codes(err), tt.want) {
				t.Errorf("got %v, want %v", err, tt.want)
			}
		})
	}
}

// spec 3.7: what passes the floor keeps it in a zone whose clocks nobody turns.
func TestFloorHolds(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		s, after := drawSchedule(t)
		s.Zone = time.UTC
		s.Rules = slices.DeleteFunc(s.Rules, func(r Rule) bool { return r.Type == Minutely })
		floor := closest(s.Rules)
		runs := s.Upcoming(after, 300)
		for i := 1; i < len(runs); i++ {
			if runs[i].Sub(runs[i-1]) < floor {
				t.Fatalf("%s and %s are closer than %s", runs[i-1], runs[i], floor)
			}
		}
	})
}

func TestBrief(t *testing.T) {
	t.Parallel()
	for d, want := range map[time.Duration]string{5 * time.Minute: "5m", 90 * time.Second: "1m30s", 10 * time.Hour: "10h", 90 * time.Minute: "1h30m"} {
		if got := brief(d); got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	}
}

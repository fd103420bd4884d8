package schedule

import (
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// changes are instants around which zones do odd things.
var changes = []struct{ zone, at string }{
	{"America/New_York", "2026-03-08T07:00:00Z"}, {"America/New_York", "2026-11-01T06:00:00Z"},
	{"America/New_York", "2028-12-31T12:00:00Z"}, {"Europe/London", "2026-03-29T01:00:00Z"},
	{"Australia/Lord_Howe", "2026-10-03T15:30:00Z"}, {"Australia/Lord_Howe", "2026-04-04T15:00:00Z"},
	{"Africa/Cairo", "2026-04-23T22:00:00Z"}, {"Africa/Casablanca", "2026-02-15T02:00:00Z"},
	{"Pacific/Apia", "2011-12-30T10:00:00Z"}, {"Pacific/Kwajalein", "1969-09-30T13:00:00Z"},
	{"America/Metlakatla", "2019-01-20T10:00:00Z"}, {"Asia/Kathmandu", "1985-12-31T18:30:00Z"},
	{"Asia/Kolkata", "2026-06-01T00:00:00Z"}, {"UTC", "2028-02-28T12:00:00Z"},
}

func drawRule(t *rapid.T) Rule {
	hour := rapid.IntRange(0, 23)
	switch typ := rapid.SampledFrom([]Type{Minutely, Hourly, Daily, Flexible, Cron}).Draw(t, "type"); typ {
	case Minutely:
		return Rule{Type: typ, Every: rapid.IntRange(1, 44640).Draw(t, "every")}
	case Hourly:
		return Rule{Type: typ, Every: rapid.IntRange(1, 24).Draw(t, "every"), Minute: rapid.IntRange(0, 59).Draw(t, "minute")}
	case Daily:
		return Rule{Type: typ, At: time.Unix(int64(rapid.IntRange(0, dayMinutes-1).Draw(t, "at"))*60, 0).UTC().Format("15:04")}
	case Flexible:
		r := Rule{Type: typ, Unit: Minutes, Every: rapid.IntRange(1, 300).Draw(t, "every")}
		if rapid.Bool().Draw(t, "hours") {
			r.Unit, r.Every = Hours, r.Every%24+1
		}
		if rapid.Bool().Draw(t, "block") {
			r.StartHour, r.EndHour = ptr(hour.Draw(t, "start")), ptr(hour.Draw(t, "end"))
		}
		for d := time.Sunday; d <= time.Saturday; d++ {
			if rapid.Bool().Draw(t, "day") {
				r.Weekdays = append(r.Weekdays, d)
			}
		}
		return r
	default:
		pick := func(options ...string) string { return rapid.SampledFrom(options).Draw(t, "field") }
		return cronRule(strings.Join([]string{pick("*", "*/7", "0,30", "15-45/15"), pick("*", "1-3", "2", "*/6"), pick("*", "*", "8", "28-31"),
			pick("*", "*", "feb,mar,nov", "1-12/2"), pick("*", "*", "sun", "1-5")}, " "))
	}
}

// drawSchedule also returns a time near one of the changes.
func drawSchedule(t *rapid.T) (Schedule, time.Time) {
	c := rapid.SampledFrom(changes).Draw(t, "change")
	zone, _ := time.LoadLocation(c.zone)
	near, _ := time.Parse(time.RFC3339, c.at)
	moved := func(name string) time.Time {
		return near.Add(time.Duration(rapid.Int64Range(int64(-50*time.Hour), int64(50*time.Hour)).Draw(t, name)))
	}
	return Schedule{Zone: zone, Anchor: moved("anchor"), Rules: rapid.SliceOfN(rapid.Custom(drawRule), 0, 4).Draw(t, "rules")}, moved("after")
}

// due tells in the words of spec 3.7 whether a rule has a run at a wall-clock time; cron is its expression, read.
func due(r Rule, cron wall, wall time.Time) bool {
	switch r.Type {
	case Hourly:
		return wall.Minute() == r.Minute && wall.Hour()%r.Every == 0
	case Daily:
		return wall.Format("15:04") == r.At
	case Flexible:
		step := time.Duration(r.Every) * time.Minute
		if r.Unit == Hours {
			step *= 60
		}
		for back := range 2 { // a block started today, or yesterday
			day := time.Date(wall.Year(), wall.Month(), wall.Day()-back, 0, 0, 0, 0, time.UTC)
			start, end := day, day.Add(24*time.Hour)
			if r.StartHour != nil {
				start, end = day.Add(time.Duration(*r.StartHour)*time.Hour), day.Add(time.Duration(*r.EndHour+1)*time.Hour)
				if *r.EndHour < *r.StartHour {
					end = end.Add(24 * time.Hour)
				}
			}
			if (len(r.Weekdays) == 0 || slices.Contains(r.Weekdays, day.Weekday())) &&
				!wall.Before(start) && wall.Before(end) && wall.Sub(start)%step == 0 {
				return true
			}
		}
	case Cron:
		minute := wall.Hour()*60 + wall.Minute()
		got, ok := cron.minutes.from(minute)
		return ok && got == minute && cron.on(wall.Month(), wall.Day(), wall.Weekday())
	}
	return false
}

// watched finds a schedule's runs by watching the clock on the wall for some days, minute by minute: what it
// has never shown before is due, and so is all that it leaves out on the way there.
func watched(s Schedule, after, until time.Time) []time.Time {
	var runs []time.Time
	crons := map[string]wall{}
	for _, r := range s.Rules {
		crons[r.Cron], _ = parseCron(r.Cron) // what cannot be read never matches
	}
	shows := func(t time.Time) time.Time {
		_, offset := t.In(s.Zone).Zone()
		return t.Add(time.Duration(offset) * time.Second)
	}
	now := after.Truncate(time.Minute).Add(-48 * time.Hour)
	for shown := shows(now); now.Before(until); now = now.Add(time.Minute) {
		run := false
		for shown.Before(shows(now)) {
			shown = shown.Add(time.Minute)
			run = run || slices.ContainsFunc(s.Rules, func(r Rule) bool { return due(r, crons[r.Cron], shown) })
		}
		if run && now.After(after) {
			runs = append(runs, now)
		}
	}
	for _, r := range s.Rules {
		for run := s.Anchor; r.Type == Minutely && run.Before(until); run = run.Add(time.Duration(r.Every) * time.Minute) {
			if run.After(after) {
				runs = append(runs, run)
			}
		}
	}
	slices.SortFunc(runs, time.Time.Compare)
	return slices.CompactFunc(runs, time.Time.Equal)
}

// spec 3.7: the runs are those that one sees who watches the clock on the wall.
func TestUpcomingIsWhatTheWallClockShows(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		s, after := drawSchedule(t)
		want := watched(s, after, after.Add(3*24*time.Hour))
		got := s.Upcoming(after, len(want)+1)
		if len(got) > len(want) && got[len(want)].Before(after.Add(3*24*time.Hour)) {
			t.Errorf("one too many: %s", got[len(want)])
		}
		if !slices.EqualFunc(got[:min(len(got), len(want))], want, time.Time.Equal) {
			t.Errorf("after %s:\n got %v\nwant %v", after, got, want)
		}
	})
}

// spec 3.7: runs are strictly after, ascend without doubles, and a later question never has an earlier answer.
func TestNextIsMonotone(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		s, after := drawSchedule(t)
		last := after
		for _, run := range s.Upcoming(after, 50) {
			got, ok := s.Next(last)
			if !ok || !got.Equal(run) || !run.After(last) {
				t.Fatalf("after %s: Next says %s %v, Upcoming %s", last, got, ok, run)
			}
			between := last.Add(time.Duration(rapid.Int64Range(0, int64(run.Sub(last))-1).Draw(t, "between")))
			if got, _ := s.Next(between); !got.Equal(run) {
				t.Fatalf("after %s, between %s and %s: %s", between, last, run, got)
			}
			last = run
		}
	})
}

// spec 3.7: a DAILY rule runs at its time, or at the end of a skip that holds it.
func TestDailyRunsOnItsTime(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		s, after := drawSchedule(t)
		s.Rules = []Rule{{Type: Daily, At: time.Unix(int64(rapid.IntRange(0, dayMinutes-1).Draw(t, "at"))*60, 0).UTC().Format("15:04")}}
		for _, run := range s.Upcoming(after, 400) {
			here, before := run.In(s.Zone), run.Add(-time.Second).In(s.Zone)
			_, offset := here.Zone()
			if _, was := before.Zone(); here.Format("15:04") != s.Rules[0].At && offset <= was {
				t.Fatalf("%s runs at %s", s.Rules[0].At, here)
			}
		}
	})
}

package schedule

import (
	"strings"
	"testing"
	"time"
)

// spec 3.7 and 6: five fields, and an impossible expression is refused.
func TestCronRefused(t *testing.T) {
	t.Parallel()
	for _, expr := range []string{
		"", "* * * *", "* * * * * *", "0 * * * * *", "60 * * * *", "* 24 * * *", "* * 0 * *", "* * 32 * *", "* * * 13 *", "* * * 0 *", "* * * * 7",
		"-1 * * * *", "5-1 * * * *", "*/0 * * * *", "1/2/3 * * * *", "1-2-3 * * * *", "a * * * *", "* * * * monday", "1,,2 * * * *", ", * * * *", "* * * * ,",
		"0 0 30 2 *", "0 0 31 4,6,9,11 *", "0 0 30-31 feb *", "@daily", "@every 1h", "@reboot", "TZ=UTC * * * * *", "CRON_TZ=UTC * * * * *", "TZ=", " TZ=UTC",
		"99999999999999999999 * * * *", "* * * * *" + strings.Repeat(" ", 250), "L * * * *", "* * 15W * *", "* * * * 5#2",
	} {
		if _, err := parseCron(expr); err == nil {
			t.Errorf("%q is taken", expr)
		}
	}
}

// spec 3.7: whatever passes for cron has a next run.
func FuzzCron(f *testing.F) {
	for _, expr := range []string{"*/5 * * * *", "0 0 29 2 1", "0 0 30 2 *", "5,50-59/5 8-18/10 ? jan,JUN Mon", "TZ=", "@daily", "0 0 31 2 ?", ", * * * *", "* * * * 0/+3"} {
		f.Add(expr)
	}
	zone := load(f, "America/New_York")
	after := time.Date(2095, 12, 31, 23, 59, 59, 0, zone)
	f.Fuzz(func(t *testing.T, expr string) {
		w, err := parseCron(expr)
		if err != nil {
			return
		}
		last := after
		for range 3 {
			run, ok := (Schedule{Zone: zone, Rules: []Rule{cronRule(expr)}}).Next(last)
			if !ok || !run.After(last) || run.Sub(last) > 9*366*24*time.Hour {
				t.Fatalf("%q after %s: %s %v", expr, last, run, ok)
			}
			here := run.In(zone)
			_, was := run.Add(-time.Second).In(zone).Zone()
			_, is := here.Zone()
			if minute, _ := w.minutes.from(here.Hour()*60 + here.Minute()); is <= was &&
				(minute != here.Hour()*60+here.Minute() || !w.on(here.Month(), here.Day(), here.Weekday())) {
				t.Fatalf("%q runs at %s", expr, here)
			}
			last = run
		}
	})
}

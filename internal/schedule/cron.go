package schedule

import (
	"fmt"
	"slices"
	"strings"

	"github.com/robfig/cron/v3"
)

// parseCron reads a cron expression of five fields: minute, hour, day of the month, month (1–12 or JAN–DEC),
// day of the week (0–6 or SUN–SAT). Each is * or a list of numbers, ranges (1-5) and steps (*/15, 8-18/2).
// Where both day fields are restricted, either may match, as cron has always had it. There are no seconds, no
// descriptors (@daily, @every 1h) and no zone (TZ=), which the schedule has. The error says what is wrong.
//
// Only the reading is the library's: its own next times skip or double runs when a zone's clocks change.
func parseCron(expr string) (wall, error) {
	if len(expr) > 255 {
		return wall{}, fmt.Errorf("it is %d bytes long, of at most 255", len(expr))
	}
	fields := strings.Fields(expr)
	// The parser would panic on a TZ= alone, and take an empty list for a field that never matches.
	if len(fields) > 0 && strings.Contains(fields[0], "TZ=") {
		return wall{}, fmt.Errorf("the time zone is the schedule's; leave out %.80s", fields[0])
	}
	for _, f := range fields {
		if slices.Contains(strings.Split(f, ","), "") {
			return wall{}, fmt.Errorf("there is an empty item in the list %q", f)
		}
	}
	parsed, err := cron.NewParser(cron.Minute | cron.Hour | cron.Dom | cron.Month | cron.Dow).Parse(expr)
	if err != nil {
		return wall{}, err
	}
	spec := parsed.(*cron.SpecSchedule)
	const star = 1 << 63 // the library's mark of a field that is not restricted
	w := wall{months: spec.Month, days: spec.Dom, weekdays: spec.Dow, either: (spec.Dom|spec.Dow)&star == 0}
	for h := range 24 {
		for m := range 60 {
			if spec.Hour>>h&1 == 1 && spec.Minute>>m&1 == 1 {
				w.minutes.add(h*60 + m)
			}
		}
	}
	if _, ok := w.next(0); !ok {
		return wall{}, fmt.Errorf("no month that it names has such a day")
	}
	return w, nil
}

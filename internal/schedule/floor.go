package schedule

import (
	"fmt"
	"math"
	"strings"
	"time"

	"stockbridge/internal/fault"
)

// forever stands for the distance to a run that never comes, in minutes.
const forever = math.MaxInt64 / int64(time.Minute)

// tooFrequent tells which of some valid rules brings two runs closer together than floor.
func tooFrequent(rules []Rule, floor time.Duration) fault.List {
	if floor <= 0 || closest(rules) >= floor {
		return nil
	}
	var l fault.List
	for i, r := range rules {
		if gap := closest([]Rule{r}); gap < floor {
			field := map[Type]string{Daily: "at", Cron: "cron"}[r.Type]
			if field == "" {
				field = "every"
			}
			l = append(l, fault.At(fmt.Sprintf("rules.%d.%s", i, field), fault.TooFrequent,
				"runs come as close together as %s; this server needs at least %s between two", brief(gap), brief(floor)))
		}
	}
	for i := 1; i < len(rules) && len(l) == 0; i++ {
		if gap := closest(rules[:i+1]); gap < floor {
			l = append(l, fault.At(fmt.Sprintf("rules.%d", i), fault.TooFrequent,
				"runs come as close as %s to those of a rule before it; this server needs at least %s between two", brief(gap), brief(floor)))
		}
	}
	return l
}

// brief writes a duration without its zeros, 5m for 5m0s.
func brief(d time.Duration) string {
	s := d.String()
	if strings.HasSuffix(s, "m0s") {
		s = strings.TrimSuffix(s, "0s")
	}
	if strings.HasSuffix(s, "h0m") {
		s = strings.TrimSuffix(s, "0m")
	}
	return s
}

// MoreThanDaily tells whether some valid rules ever bring two runs closer together than a day, on a clock that nobody
// turns. What a MINUTELY rule and one of the wall clock have between them does not count.
func MoreThanDaily(rules []Rule) bool { return closest(rules) < 24*time.Hour }

// closest returns the shortest distance there ever is between two runs of some valid rules.
//
// Wall-clock rules are measured together, on a wall clock that nobody turns forward or back, so that what a
// change of the clocks pushes together is not held against the rules. MINUTELY rules are measured together too,
// but apart from the others: where their runs fall among those depends on the anchor, and changes with the clocks.
func closest(rules []Rule) time.Duration {
	shortest := forever
	var walls []wall
	var intervals []int64
	for _, r := range rules {
		if r.Type != Minutely {
			walls = append(walls, r.walls()...)
			continue
		}
		// Multiples of two numbers come as close as their greatest common divisor, and no closer.
		for _, other := range append(intervals, int64(r.Every)) {
			shortest = min(shortest, gcd(int64(r.Every), other))
		}
		intervals = append(intervals, int64(r.Every))
	}

	// After 28 years dates and weekdays fall together anew, as long as no century is passed.
	const first, years28 = 11323, 28*365 + 7 // days, from 2001-01-01
	seen := map[uint64]gaps{}                // by the walls that are on that day
	last := -forever
	for n := int64(first); n <= first+years28; n++ {
		date := time.Unix(n*86400, 0).UTC()
		var on uint64
		for i := range walls {
			if walls[i].on(date.Month(), date.Day(), date.Weekday()) {
				on |= 1 << i
			}
		}
		day, known := seen[on]
		if !known {
			day = gapsOf(walls, on)
			seen[on] = day
		}
		if day.some {
			shortest = min(shortest, day.shortest, n*dayMinutes+day.first-last)
			last = n*dayMinutes + day.last
		}
	}
	return time.Duration(shortest) * time.Minute
}

// gaps says where the runs of one day lie, in minutes.
type gaps struct {
	some                  bool // there are runs; else the rest means nothing
	first, last, shortest int64
}

// gapsOf measures a day that the walls of a set are on.
func gapsOf(walls []wall, on uint64) gaps {
	g := gaps{shortest: forever}
	var union minuteSet
	for i := range walls {
		if on>>i&1 == 1 {
			for j, word := range walls[i].minutes {
				union[j] |= word
			}
		}
	}
	for m, ok := union.from(0); ok; m, ok = union.from(m + 1) {
		if g.some {
			g.shortest = min(g.shortest, int64(m)-g.last)
		} else {
			g.first = int64(m)
		}
		g.some, g.last = true, int64(m)
	}
	return g
}

func gcd(a, b int64) int64 {
	for b != 0 {
		a, b = b, a%b
	}
	return a
}

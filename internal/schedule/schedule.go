package schedule

import "time"

// Schedule is a list of rules, all of which apply, with what they are counted from.
// A rule that Validate refuses never runs.
type Schedule struct {
	Zone   *time.Location // of all wall-clock times; nil is UTC
	Anchor time.Time      // what MINUTELY rules count from, and their first run
	Rules  []Rule
}

// Next returns the first run strictly after a time, in UTC; false when there will never be one.
func (s Schedule) Next(after time.Time) (time.Time, bool) {
	return s.compile().next(after)
}

// Upcoming returns the first n runs strictly after a time, ascending, in UTC; fewer when there are no more.
func (s Schedule) Upcoming(after time.Time, n int) []time.Time {
	c := s.compile()
	var runs []time.Time
	for len(runs) < n {
		run, ok := c.next(after)
		if !ok {
			break
		}
		runs = append(runs, run)
		after = run
	}
	return runs
}

// compiled is a schedule made ready for asking.
type compiled struct {
	zone      *time.Location
	anchor    time.Time
	intervals []int // of MINUTELY rules, in minutes
	walls     []wall
}

func (s Schedule) compile() compiled {
	c := compiled{zone: s.Zone, anchor: s.Anchor}
	if c.zone == nil {
		c.zone = time.UTC
	}
	for _, r := range s.Rules {
		if len(r.faults("")) > 0 {
			continue
		}
		if r.Type == Minutely {
			c.intervals = append(c.intervals, r.Every)
		} else {
			c.walls = append(c.walls, r.walls()...)
		}
	}
	return c
}

func (c compiled) next(after time.Time) (first time.Time, ok bool) {
	take := func(run time.Time) {
		if !ok || run.Before(first) {
			first, ok = run, true
		}
	}
	for _, every := range c.intervals {
		take(tick(c.anchor, every, after))
	}
	_, offset := after.In(c.zone).Zone()
	now := floorDiv(after.Unix()+int64(offset), 60)
	for _, w := range c.walls {
		// What is shown on the clock at a run is later than what is shown at any time before the run, except
		// in an hour that comes twice: there the search passes over the times whose first coming is behind us.
		for at, found := w.next(now); found; at, found = w.next(at) {
			if run := instant(c.zone, at); run.After(after) {
				take(run)
				break
			}
		}
	}
	return first, ok
}

// tick returns the first of anchor, anchor + every, anchor + 2·every … (minutes) strictly after a time. It
// counts in whole seconds, since a time.Duration ends after 292 years.
func tick(anchor time.Time, every int, after time.Time) time.Time {
	if after.Before(anchor) {
		return anchor.Round(0).UTC()
	}
	elapsed := after.Unix() - anchor.Unix()
	if after.Nanosecond() < anchor.Nanosecond() {
		elapsed--
	}
	step := int64(every) * 60
	return time.Unix(anchor.Unix()+(elapsed/step+1)*step, int64(anchor.Nanosecond())).UTC()
}

func floorDiv(a, b int64) int64 {
	q := a / b
	if a%b < 0 {
		q--
	}
	return q
}

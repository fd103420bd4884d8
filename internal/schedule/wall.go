package schedule

import (
	"math/bits"
	"sort"
	"time"
)

const (
	dayMinutes = 24 * 60
	all        = ^uint64(0) // a set of all months, days or weekdays
)

// wall is a set of wall-clock times: the same minutes on each of its days. Months, days (of the
// month) and weekdays (Sunday is 0) are sets of bits.
type wall struct {
	minutes                minuteSet
	months, days, weekdays uint64
	either                 bool // a day needs to be in one of days and weekdays, not in both
}

// minuteSet is a set of minutes of a day.
type minuteSet [(dayMinutes + 63) / 64]uint64

func (s *minuteSet) add(minute int) { s[minute/64] |= 1 << (minute % 64) }

// from returns the first minute of the set that is not before another; false when there is none.
func (s *minuteSet) from(minute int) (int, bool) {
	passed := uint64(1)<<(minute%64) - 1
	for i := minute / 64; i < len(s); i++ {
		if word := s[i] &^ passed; word != 0 {
			return i*64 + bits.TrailingZeros64(word), true
		}
		passed = 0
	}
	return 0, false
}

// on tells whether the wall's minutes are on a day.
func (w *wall) on(month time.Month, day int, weekday time.Weekday) bool {
	inDays, inWeekdays := w.days>>day&1 == 1, w.weekdays>>weekday&1 == 1
	return w.months>>month&1 == 1 && (inDays && inWeekdays || w.either && (inDays || inWeekdays))
}

// next returns the first time of the set after another, both in minutes on the wall clock since it
// showed the start of 1970; false when there is none. It looks at single days, and not into months
// that are not in the set.
func (w *wall) next(after int64) (int64, bool) {
	// The rarest day is 29 February, up to eight years from the one before (1896–1904, 2096–2104): cron
	// has no way to ask for a date that falls on a weekday.
	const horizon = 9 * 366
	first := floorDiv(after+1, dayMinutes)
	minute := int(after + 1 - first*dayMinutes)
	for n := first; n < first+horizon; {
		date := time.Unix(n*86400, 0).UTC()
		year, month, day := date.Date()
		if w.months>>month&1 == 0 {
			n = time.Date(year, month+1, 1, 0, 0, 0, 0, time.UTC).Unix() / 86400
			minute = 0
			continue
		}
		if w.on(month, day, date.Weekday()) {
			if m, ok := w.minutes.from(minute); ok {
				return n*dayMinutes + int64(m), true
			}
		}
		n++
		minute = 0
	}
	return 0, false
}

// instant returns when a wall clock of the zone first shows a time, given as in next, or when it first
// shows a later one because the time is skipped. It never falls as the wall-clock time rises.
//
// It asks the zone for offsets only, which no zone since 1880 changed twice in 32 hours: Time.ZoneBounds ends
// a day early in leap years, and may not know of a zone's last change in the year it was made.
func instant(zone *time.Location, at int64) time.Time {
	offset := func(t int64) int64 {
		_, seconds := time.Unix(t, 0).In(zone).Zone()
		return int64(seconds)
	}
	const widest = 16 * 3600 // no offset from UTC was ever wider
	shown := at * 60
	before, after := offset(shown-widest), offset(shown+widest)
	run := shown - before
	if before != after {
		change := shown - widest + int64(sort.Search(2*widest, func(i int) bool {
			return offset(shown-widest+int64(i)) == after
		}))
		if run >= change {
			run = max(change, shown-after)
		}
	}
	return time.Unix(run, 0).UTC()
}

// walls returns the wall-clock times of a valid rule of any type but MINUTELY.
func (r Rule) walls() []wall {
	if r.Type == Cron {
		w, err := parseCron(r.Cron)
		if err != nil {
			return nil
		}
		return []wall{w}
	}
	today := wall{months: all, days: all, weekdays: all}
	switch r.Type {
	case Hourly:
		for h := 0; h < 24; h += r.Every {
			today.minutes.add(h*60 + r.Minute)
		}
	case Daily:
		minute, _ := clock(r.At)
		today.minutes.add(minute)
	case Flexible:
		return r.flexible(today)
	}
	return []wall{today}
}

// flexible returns the times of a FLEXIBLE rule up to midnight, and after it.
func (r Rule) flexible(today wall) []wall {
	if len(r.Weekdays) > 0 {
		today.weekdays = 0
		for _, d := range r.Weekdays {
			today.weekdays |= 1 << d
		}
	}
	tomorrow := today
	tomorrow.weekdays = (today.weekdays<<1 | today.weekdays>>6&1)
	start, length := 0, dayMinutes
	if r.StartHour != nil {
		start = *r.StartHour * 60
		length = ((*r.EndHour-*r.StartHour+24)%24 + 1) * 60
	}
	step := r.Every
	if r.Unit == Hours {
		step *= 60
	}
	for m := start; m < start+length; m += step {
		if m < dayMinutes {
			today.minutes.add(m)
		} else {
			tomorrow.minutes.add(m - dayMinutes)
		}
	}
	return []wall{today, tomorrow}
}

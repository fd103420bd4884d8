package schedule

import (
	"fmt"
	"strings"
	"time"

	"stockbridge/internal/fault"
)

// MaxRules is how many rules a schedule may have.
const MaxRules = 20

// Validate checks what a client wants a schedule to be: the rules, the name of their time zone, and that no
// two runs come closer than floor (0: any distance will do; see closest). No rules are valid: they never run.
// The error is a fault.List. Its fields are "timeZone", "rules", "rules.2" or "rules.2.every"; its codes BLANK,
// INVALID, OUT_OF_RANGE, INVALID_CRON, UNKNOWN_TIME_ZONE, TOO_MANY and TOO_FREQUENT.
func Validate(rules []Rule, zone string, floor time.Duration) error {
	var l fault.List
	if _, err := loadZone(zone); err != nil {
		l = append(l, err)
	}
	if len(rules) > MaxRules {
		return append(l, fault.At("rules", fault.TooMany, "there are %d rules; a schedule has at most %d", len(rules), MaxRules))
	}
	sound := true
	for i, r := range rules {
		faults := r.faults(fmt.Sprintf("rules.%d.", i))
		sound = sound && len(faults) == 0
		l = append(l, faults...)
	}
	if sound {
		l = append(l, tooFrequent(rules, floor)...)
	}
	return l.Or()
}

// LoadZone returns a time zone by its IANA name, such as Europe/Berlin. The error is a fault of the field
// "timeZone", with code BLANK or UNKNOWN_TIME_ZONE.
func LoadZone(name string) (*time.Location, error) {
	zone, err := loadZone(name)
	if err != nil {
		return nil, err
	}
	return zone, nil
}

func loadZone(name string) (*time.Location, *fault.Error) {
	const field, mend = "timeZone", "write an IANA name, such as Europe/Berlin, America/New_York or UTC"
	if strings.TrimSpace(name) == "" {
		return nil, fault.At(field, fault.Blank, "there is no time zone; "+mend)
	}
	zone, err := time.LoadLocation(name)
	// These load, but are no names of the IANA: they mean the machine's own zone, or count leap seconds.
	foreign := name == "Local" || name == "localtime" || name == "posixrules" ||
		strings.HasPrefix(name, "posix/") || strings.HasPrefix(name, "right/")
	if err != nil || foreign {
		f := fault.At(field, fault.UnknownZone, "%.80q is no time zone; "+mend, name)
		f.Err = err
		return nil, f
	}
	return zone, nil
}

// faults tells what is wrong with a rule by itself; at comes before the names of its fields.
func (r Rule) faults(at string) fault.List {
	var l fault.List
	add := func(field string, code fault.Code, format string, args ...any) {
		l = append(l, fault.At(at+field, code, format, args...))
	}
	inRange := func(field string, n, low, high int) {
		if n < low || n > high {
			add(field, fault.OutOfRange, "%d is out of range; write %d to %d", n, low, high)
		}
	}
	var uses string // the fields that this type may have
	switch r.Type {
	case Minutely:
		uses = "every"
		inRange("every", r.Every, 1, 31*dayMinutes)
	case Hourly:
		uses = "every minute"
		inRange("every", r.Every, 1, 24)
		inRange("minute", r.Minute, 0, 59)
	case Daily:
		uses = "at"
		if _, ok := clock(r.At); r.At == "" {
			add("at", fault.Blank, "a DAILY rule needs a time; write HH:MM, such as 06:30")
		} else if !ok {
			add("at", fault.Invalid, "%.20q is no time of day; write HH:MM from 00:00 to 23:59, such as 06:30", r.At)
		}
	case Flexible:
		uses = "every unit startHour endHour weekdays"
		switch r.Unit {
		case Minutes:
			inRange("every", r.Every, 1, dayMinutes)
		case Hours:
			inRange("every", r.Every, 1, 24)
		case "":
			add("unit", fault.Blank, "a FLEXIBLE rule needs a unit; write MINUTES or HOURS")
		default:
			add("unit", fault.Invalid, "%.20q is no unit; write MINUTES or HOURS", r.Unit)
		}
		for _, hour := range []struct {
			field string
			n     *int
			other *int
		}{{"startHour", r.StartHour, r.EndHour}, {"endHour", r.EndHour, r.StartHour}} {
			if hour.n != nil {
				inRange(hour.field, *hour.n, 0, 23)
			} else if hour.other != nil {
				add(hour.field, fault.Blank, "only one of startHour and endHour is given; give both, or neither for all day")
			}
		}
		for _, d := range r.Weekdays {
			if d < time.Sunday || d > time.Saturday {
				add("weekdays", fault.Invalid, "%d is no weekday; write MONDAY to SUNDAY", int(d))
			}
		}
	case Cron:
		uses = "cron"
		if strings.TrimSpace(r.Cron) == "" {
			add("cron", fault.Blank, "a CRON rule needs an expression of five fields, such as */15 8-18 * * 1-5")
		} else if _, err := parseCron(r.Cron); err != nil {
			add("cron", fault.InvalidCron, "%.80q cannot be used: %.200s; write five fields, minute (0-59) hour (0-23) "+
				"day (1-31) month (1-12) weekday (0-6, Sunday is 0), such as */15 8-18 * * 1-5", r.Cron, err.Error())
		}
	case "":
		add("type", fault.Blank, "a rule needs a type; write MINUTELY, HOURLY, DAILY, FLEXIBLE or CRON")
		return l
	default:
		add("type", fault.Invalid, "%.20q is no type of rule; write MINUTELY, HOURLY, DAILY, FLEXIBLE or CRON", r.Type)
		return l
	}
	// A field that would be passed over in silence is more likely a misunderstanding than a whim.
	for _, f := range []struct {
		name  string
		given bool
	}{
		{"every", r.Every != 0}, {"minute", r.Minute != 0}, {"at", r.At != ""}, {"unit", r.Unit != ""}, {"startHour", r.StartHour != nil},
		{"endHour", r.EndHour != nil}, {"weekdays", len(r.Weekdays) > 0}, {"cron", r.Cron != ""},
	} {
		if f.given && !strings.Contains(" "+uses+" ", " "+f.name+" ") {
			add(f.name, fault.Invalid, "a %s rule has no %s; leave it out, or choose another type", r.Type, f.name)
		}
	}
	return l
}

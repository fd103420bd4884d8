package warehouse

import (
	"errors"
	"fmt"
	"strings"
	"time"
	"unicode/utf8"
)

// ErrEmpty is in the chain of the error that Report.Read returns for a report that names nothing at all where it
// should: an empty file, a header without rows, a complete reply without levels. A complete report that is
// empty is held (spec 3.10), any other fails (spec section 6).
var ErrEmpty = errors.New("the report is empty")

// Row is a level as it came over the wire: every cell as text, "" where it is blank or absent.
type Row struct {
	Line                         int // 1-based line or item in the report
	SKU, Facility                string
	Available, OnHand, Committed string
	UpdatedAt                    string
}

// Level judges the row (spec section 6). It is refused without a SKU, with a SKU or facility that is too long or not
// text, and with a figure that ParseQuantity refuses. Without a figure that counts it stands for 0 (spec 4.1), which is
// noted. A time that cannot be read is only noted, since nothing is computed from it.
func (r Row) Level() (Level, *RowError) {
	l := Level{SKU: strings.TrimSpace(r.SKU), Facility: strings.TrimSpace(r.Facility), Line: r.Line}
	refuse := func(sku, format string, args ...any) (Level, *RowError) {
		return Level{}, &RowError{Line: r.Line, SKU: sku, Reason: fmt.Sprintf(format, args...)}
	}
	if l.SKU == "" {
		return refuse("", "no SKU: every row needs one")
	}
	if why := unusable(l.SKU); why != "" {
		return refuse("", "SKU %s %s", Excerpt(l.SKU), why)
	}
	if why := unusable(l.Facility); why != "" {
		return refuse(l.SKU, "facility %s %s", Excerpt(l.Facility), why)
	}
	var notes []string
	for _, f := range []struct {
		name, text string
		to         *Quantity
	}{
		{"available", r.Available, &l.Available}, {"on hand", r.OnHand, &l.OnHand}, {"committed", r.Committed, &l.Committed},
	} {
		q, floored, err := ParseQuantity(f.text)
		if err != nil {
			return refuse(l.SKU, "%s %v", f.name, err)
		}
		if floored {
			notes = append(notes, fmt.Sprintf("%s %.40s was floored to %d", f.name, strings.TrimSpace(f.text), q.Units))
		}
		*f.to = q
	}
	if !l.Available.Known && !l.OnHand.Known {
		notes = append(notes, "no available and no on hand: it counts as 0")
	}
	if text := strings.TrimSpace(r.UpdatedAt); text != "" {
		at, ok := parseTime(text)
		if !ok {
			notes = append(notes, fmt.Sprintf("updated at %s was ignored: write it as 2006-01-02T15:04:05Z", Excerpt(text)))
		}
		l.UpdatedAt = at
	}
	l.Note = strings.Join(notes, "; ")
	return l, nil
}

// unusable says why text cannot name a SKU or facility, "" when it can.
func unusable(text string) string {
	switch {
	case len(text) > MaxSKUBytes:
		return fmt.Sprintf("is %d bytes long: at most %d are kept", len(text), MaxSKUBytes)
	case !utf8.ValidString(text) || strings.ContainsRune(text, utf8.RuneError):
		return "holds bytes that are not text: write the report as UTF-8"
	case strings.ContainsRune(text, 0):
		return "holds a NUL character: leave it out"
	}
	return ""
}

// parseTime reads the forms of a date and time that mean one thing only. One without zone is UTC.
func parseTime(text string) (time.Time, bool) {
	for _, layout := range []string{
		time.RFC3339, "2006-01-02T15:04:05", "2006-01-02 15:04:05", "2006-01-02 15:04:05Z07:00", "2006-01-02 15:04:05 Z07:00",
		"2006-01-02 15:04:05 UTC", "2006-01-02T15:04:05Z0700", "2006-01-02 15:04:05 -0700", "2006-01-02T15:04", "2006-01-02 15:04", "2006-01-02",
	} {
		if t, err := time.Parse(layout, text); err == nil && t.Year() >= 1970 {
			return t.UTC(), true
		}
	}
	return time.Time{}, false
}

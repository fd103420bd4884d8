package demo

import (
	"fmt"
	"io"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"
)

// screen shows what the stores show: on a terminal a table that stands still, else a line per change.
type screen struct {
	out      io.Writer
	terminal bool
	lines    int // of the table that stands there now
	shown    []map[string]int64
}

// table has a row per SKU of the warehouse and a column per store.
func table(items []item, stores []*store) string {
	var text strings.Builder
	w := tabwriter.NewWriter(&text, 0, 0, 3, ' ', 0)
	row := func(cells ...string) { fmt.Fprintln(w, "  "+strings.Join(cells, "\t")) }
	row(append([]string{"SKU", "warehouse"}, names...)...)
	shows := make([]map[string]int64, len(stores))
	for at, s := range stores {
		shows[at] = s.look()
	}
	for _, i := range append(items[:len(items):len(items)], item{sku: bundle}) {
		cells := []string{i.sku, strconv.FormatInt(i.stock, 10)}
		if i.sku == bundle {
			cells[1] = "bundle"
		}
		for at := range stores {
			sku, note := i.sku, ""
			if at == marketplace && listed[sku] != "" {
				sku, note = listed[sku], " as "+listed[sku]
			}
			cell := "–"
			if units, ok := shows[at][sku]; ok {
				cell = strconv.FormatInt(units, 10) + note
			}
			cells = append(cells, cell)
		}
		row(cells...)
	}
	_ = w.Flush() // a strings.Builder takes all
	return text.String()
}

// refresh shows what is new.
func (s *screen) refresh(items []item, stores []*store) {
	if s.terminal {
		text := table(items, stores)
		if s.lines > 0 {
			fmt.Fprintf(s.out, "\x1b[%dA\x1b[J", s.lines) // up to the table's first line, and clear from there
		}
		fmt.Fprint(s.out, text)
		s.lines = strings.Count(text, "\n")
		return
	}
	if s.shown == nil {
		s.shown = make([]map[string]int64, len(stores))
	}
	for at, store := range stores {
		now := store.look()
		for _, sku := range sortedKeys(now) {
			before, was := s.shown[at][sku]
			switch {
			case !was:
				fmt.Fprintf(s.out, "%s  %s shows %s: %d\n", time.Now().Format(time.TimeOnly), store.name, sku, now[sku])
			case before != now[sku]:
				fmt.Fprintf(s.out, "%s  %s shows %s: %d, was %d\n", time.Now().Format(time.TimeOnly), store.name, sku, now[sku], before)
			}
		}
		s.shown[at] = now
	}
}

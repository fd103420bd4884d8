package warehouse

import (
	"strings"
	"testing"
	"time"
)

func TestRowIsTrimmedAndOtherwiseExact(t *testing.T) { // spec 1
	t.Parallel()
	got, refused := Row{Line: 7, SKU: "\u00a0 aB-\"c\"\u3000", Facility: " East ", Available: "2.5", OnHand: "-0.5", UpdatedAt: "2026-11-23T10:00:00+01:00"}.Level()
	want := Level{SKU: `aB-"c"`, Facility: "East", Available: Units(2), OnHand: Units(-1), Line: 7,
		UpdatedAt: time.Date(2026, 11, 23, 9, 0, 0, 0, time.UTC), Note: "available 2.5 was floored to 2; on hand -0.5 was floored to -1"}
	if refused != nil || got != want {
		t.Errorf("got %+v, %v; want %+v", got, refused, want)
	}
}

func TestRowThatCannotBeUsedIsRefusedWithReason(t *testing.T) { // spec 6
	t.Parallel()
	long := strings.Repeat("ä", 127)
	for name, tt := range map[string]struct {
		row    Row
		sku    string // as told by the RowError
		reason string // part of it; "" = usable
	}{
		"no SKU":                  {Row{SKU: " \u00a0", Available: "1"}, "", "no SKU"},
		"SKU of 255 bytes":        {Row{SKU: long + "x", Available: "1"}, "", ""},
		"SKU of 256 bytes":        {Row{SKU: long + "xy", Available: "1"}, "", "256 bytes"},
		"SKU is not text":         {Row{SKU: "A\xff", Available: "1"}, "", "not text"},
		"SKU was not text":        {Row{SKU: "A\ufffd", Available: "1"}, "", "not text"},
		"SKU with NUL":            {Row{SKU: "A\x00B", Available: "1"}, "", "NUL"},
		"facility of 256 bytes":   {Row{SKU: "A", Facility: long + "xy", Available: "1"}, "A", "facility"},
		"available not a number":  {Row{SKU: "A", Available: "many", OnHand: "1"}, "A", `available "many" is not a number`},
		"on hand out of range":    {Row{SKU: "A", Available: "1", OnHand: "2147483648"}, "A", "on hand"},
		"committed not a number":  {Row{SKU: "A", Available: "1", Committed: "x"}, "A", "committed"},
		"no figure at all":        {Row{SKU: "A", Available: " "}, "", ""},
		"committed only":          {Row{SKU: "A", Committed: "3"}, "", ""},
		"a time nobody can read":  {Row{SKU: "A", Available: "1", UpdatedAt: "03/04/2026"}, "", ""},
		"a facility of blanks":    {Row{SKU: "A", Available: "1", Facility: "  "}, "", ""},
		"a SKU with line break":   {Row{SKU: "A\nB", Available: "1"}, "", ""},
		"a figure of a megabyte":  {Row{SKU: "A", Available: strings.Repeat("9", 1<<20)}, "A", "out of range"},
		"a SKU of a megabyte":     {Row{SKU: strings.Repeat("9", 1<<20), Available: "1"}, "", "bytes long"},
		"a SKU of a no-break gap": {Row{SKU: "A\u00a0B", Available: "1"}, "", ""},
	} {
		tt.row.Line = 3
		l, refused := tt.row.Level()
		switch {
		case tt.reason == "" && (refused != nil || l.SKU == "" || l.Line != 3):
			t.Errorf("%s: refused: %v", name, refused)
		case tt.reason != "" && (refused == nil || refused.Line != 3 || refused.SKU != tt.sku || !strings.Contains(refused.Reason, tt.reason) || len(refused.Reason) > 300):
			t.Errorf("%s: got %+v, want a reason with %q", name, refused, tt.reason)
		}
	}
}

func TestTimeIsReadOrNoted(t *testing.T) {
	t.Parallel()
	nine := time.Date(2026, 11, 23, 9, 0, 0, 0, time.UTC)
	for text, want := range map[string]time.Time{
		"2026-11-23T09:00:00Z": nine, "2026-11-23T10:00:00.000+01:00": nine, "2026-11-23 09:00:00": nine, "2026-11-23T09:00:00": nine,
		"2026-11-23 09:00:00 UTC": nine, "2026-11-23 10:00:00 +0100": nine, " 2026-11-23 09:00 ": nine, "2026-11-23": nine.Add(-9 * time.Hour), "": {},
		"23.11.2026": {}, "11/12/2026": {}, "yesterday": {}, "1763888400": {}, "0001-01-01T00:00:00Z": {}, "2026-11-23 09:00:00 EST": {},
	} {
		l, refused := Row{SKU: "A", Available: "1", UpdatedAt: text}.Level()
		if refused != nil || !l.UpdatedAt.Equal(want) || (l.Note != "") != (want.IsZero() && text != "") {
			t.Errorf("%q = %v, note %q, %v; want %v", text, l.UpdatedAt, l.Note, refused, want)
		}
	}
}

package csvreport

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"testing"

	"golang.org/x/text/encoding/unicode"
	"pgregory.net/rapid"

	"stockbridge/internal/fault"
	"stockbridge/internal/warehouse"
)

// What is written in any delimiter, encoding, line end and quoting is read back unchanged.
func TestLevelsRoundTrip(t *testing.T) {
	t.Parallel()
	text := rapid.StringOfN(rapid.OneOf(rapid.SampledFrom([]rune("aB9 ,;\t|\"'\r\n\u00a0é€𝄞-_")), rapid.Rune()), 0, 30, 200)
	name := rapid.Custom(func(t *rapid.T) string {
		return strings.TrimSpace(strings.Map(func(r rune) rune {
			if r == 0 || r == '\ufffd' || r == '\ufeff' {
				return -1
			}
			return r
		}, text.Draw(t, "text")))
	})
	quantity := rapid.Custom(func(t *rapid.T) warehouse.Quantity {
		return warehouse.Units(rapid.Int64Range(warehouse.MinQuantity, warehouse.MaxQuantity).Draw(t, "units"))
	})
	encodings := map[string]func(string) (string, error){
		"UTF-8":           func(s string) (string, error) { return s, nil },
		"UTF-8 with mark": unicode.UTF8BOM.NewEncoder().String,
		"UTF-16 LE":       unicode.UTF16(unicode.LittleEndian, unicode.UseBOM).NewEncoder().String,
		"UTF-16 BE":       unicode.UTF16(unicode.BigEndian, unicode.UseBOM).NewEncoder().String,
	}
	rapid.Check(t, func(t *rapid.T) {
		levels := rapid.SliceOfN(rapid.Custom(func(t *rapid.T) warehouse.Level {
			return warehouse.Level{
				SKU: name.Filter(func(s string) bool { return s != "" }).Draw(t, "sku"), Facility: name.Draw(t, "facility"),
				Available: quantity.Draw(t, "available"), OnHand: rapid.OneOf(quantity, rapid.Just(warehouse.Quantity{})).Draw(t, "on hand"),
			}
		}), 1, 20).Draw(t, "levels")
		delim := rapid.SampledFrom([]string{",", ";", "\t", "|"}).Draw(t, "delimiter")
		end := rapid.SampledFrom([]string{"\n", "\r\n", "\r"}).Draw(t, "line end")
		always := rapid.Bool().Draw(t, "quote all")
		quote := func(s string) string {
			if always || strings.ContainsAny(s, delim+"\"\r\n") {
				return `"` + strings.ReplaceAll(s, `"`, `""`) + `"`
			}
			return s
		}
		file := strings.Join([]string{quote("sku"), quote("facility"), quote("on hand"), quote("available")}, delim) + end
		for _, l := range levels {
			onHand := ""
			if l.OnHand.Known {
				onHand = fmt.Sprint(l.OnHand.Units)
			}
			file += strings.Join([]string{quote(l.SKU), quote(l.Facility), quote(onHand), quote(fmt.Sprint(l.Available.Units))}, delim) + end
		}
		encoding := rapid.SampledFrom([]string{"UTF-8", "UTF-8 with mark", "UTF-16 LE", "UTF-16 BE"}).Draw(t, "encoding")
		file, err := encodings[encoding](file)
		if err != nil {
			t.Fatal(err)
		}
		var got []warehouse.Level
		err = Read(context.Background(), strings.NewReader(file), Columns{}, func(l warehouse.Level, e *warehouse.RowError) error {
			if e != nil {
				return e
			}
			l.Line = 0
			got = append(got, l)
			return nil
		})
		if err != nil || !reflect.DeepEqual(got, levels) {
			t.Fatalf("%q: got %+v, %v", file, got, err)
		}
	})
}

// FuzzRead holds that any file ends in rows with sensible lines, or in a BAD_REPORT that says something.
func FuzzRead(f *testing.F) {
	f.Fuzz(func(t *testing.T, text, sku, available string) {
		columns := Columns{SKU: sku, Available: available}
		if columns.Validate() != nil {
			return
		}
		rows, last := 0, 0
		err := Read(t.Context(), strings.NewReader(text), columns, func(l warehouse.Level, e *warehouse.RowError) error {
			rows++
			line := l.Line
			if e != nil {
				line = e.Line
			}
			if line <= last || (e == nil) == (l.SKU == "") || e != nil && e.Reason == "" {
				t.Fatalf("%q: after line %d: %+v, %v", text, last, l, e)
			}
			last = line
			return nil
		})
		if err != nil && (fault.CodeOf(err) != fault.BadReport || fault.Message(err) == "") || err == nil && rows == 0 || errors.Is(err, warehouse.ErrEmpty) && rows > 0 {
			t.Fatalf("%q: %d rows, %v", text, rows, err)
		}
	})
}

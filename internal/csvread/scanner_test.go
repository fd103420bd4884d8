package csvread

import (
	"bufio"
	"encoding/csv"
	"errors"
	"io"
	"reflect"
	"strings"
	"testing"
)

// FuzzScan holds the scanner against encoding/csv, on all that the latter takes.
func FuzzScan(f *testing.F) {
	f.Fuzz(func(t *testing.T, text string, delim byte) {
		if delim == 0 || delim == '"' || delim == '\r' || delim == '\n' || delim == ' ' || delim >= 0x80 {
			return
		}
		want := csv.NewReader(strings.NewReader(text))
		want.Comma, want.FieldsPerRecord = rune(delim), -1
		got := NewScanner(bufio.NewReader(strings.NewReader(text)), delim)
		// encoding/csv takes lone CRs and NULs for text and refuses some quotes that are fine here: then only our errors are judged.
		differs := strings.Contains(strings.ReplaceAll(text, "\r\n", ""), "\r") || strings.Contains(text, "\x00")
		for {
			record, wantErr := want.Read()
			differs = differs || wantErr != nil && wantErr != io.EOF
			line := 0
			if wantErr == nil {
				line, _ = want.FieldPos(0)
			}
			err := got.Next()
			if got.First > got.line || got.First > strings.Count(text, "\n")+strings.Count(text, "\r")+1 {
				t.Fatalf("%q: lines %d to %d", text, got.First, got.line)
			}
			if differs {
				if err == nil || errors.Is(err, ErrMisquoted) {
					continue
				}
				var bad *Error
				if err != io.EOF && (!errors.As(err, &bad) || bad.Line < 1) {
					t.Fatalf("%q: %v", text, err)
				}
				return
			}
			if wantErr == io.EOF || err != nil {
				if err != wantErr {
					t.Fatalf("%q: %v, want %v", text, err, wantErr)
				}
				return
			}
			cells := got.Cells()
			for i := range cells {
				cells[i] = strings.ReplaceAll(cells[i], "\r\n", "\n") // as encoding/csv does
			}
			if !reflect.DeepEqual(cells, record) || got.First != line {
				t.Fatalf("%q: line %d %q, want line %d %q", text, got.First, cells, line, record)
			}
		}
	})
}

package catalog

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"unicode/utf8"

	"stockbridge/ent/schema/enum"
	"stockbridge/internal/csvread"
	"stockbridge/internal/fault"
)

// row is one row of a file, its fields in the order of the kind's columns. Faults are those of its form.
type row struct {
	line   int64 // from 1
	fields []text
	faults fault.List
}

// unusable is why a file as a whole cannot be used.
type unusable struct {
	line int64 // 0 where no one line is at fault
	why  *fault.Error
}

func (u unusable) Error() string { return u.why.Error() }

func refuse(line int, field, format string, args ...any) error {
	u := unusable{int64(line), fault.New(fault.BadFile, format, args...)}
	if field != "" {
		u.why.Field = []string{field}
	}
	return u
}

// read yields the rows of a file, one at a time whatever its length; a row is good until yield returns. What cannot be read
// on is unusable. Other errors are those of r, yield and ctx.
func (k kind) read(ctx context.Context, r io.Reader, format enum.ImportFormat, yield func(row) error) error {
	decoded, err := csvread.Decode(r)
	if err == nil {
		next := func(row row) error {
			if row.line&0xff == 0 && ctx.Err() != nil {
				return ctx.Err()
			}
			return yield(row)
		}
		if format == enum.JSONLines {
			err = k.readJSON(decoded, next)
		} else {
			err = k.readCSV(decoded, next)
		}
	}
	var bad *csvread.Error
	if errors.As(err, &bad) {
		return refuse(bad.Line, "", "%s", bad.Message)
	}
	return err
}

func (k kind) readCSV(r *bufio.Reader, yield func(row) error) error {
	delim, err := csvread.Sniff(r, func(s *csvread.Scanner) (sense, cells int) {
		if _, err := k.header(s); err == nil {
			sense = 1
		}
		return sense, s.Len()
	})
	if err != nil {
		return err
	}
	s := csvread.NewScanner(r, delim)
	at, err := k.header(s)
	if err != nil {
		return err
	}
	for {
		switch err := s.Next(); {
		case err == io.EOF:
			return nil
		case errors.Is(err, csvread.ErrMisquoted):
			err = yield(row{line: int64(s.First), fields: make([]text, len(k.columns)), faults: fault.List{fault.New(fault.Invalid, "%v", err)}})
			if err != nil {
				return err
			}
		case err != nil:
			return err
		case s.Blank():
		default:
			if err := yield(k.cells(s, at)); err != nil {
				return err
			}
		}
	}
}

// header finds the columns in the first record: the column that each cell is.
func (k kind) header(s *csvread.Scanner) (at []int, err error) {
	expected := "write a header of " + strings.Join(k.columns, ", ")
	switch err := s.Next(); {
	case err == io.EOF:
		return nil, refuse(1, "", "the file is empty: %s, and one line per row", expected)
	case errors.Is(err, csvread.ErrMisquoted):
		return nil, refuse(s.First, "", "the header cannot be read: %v", err)
	case err != nil:
		return nil, err
	}
	width := s.Len()
	for width > 0 && csvread.Reduce(s.Cell(width-1)) == "" {
		width--
	}
	taken := map[int]int{}
	for n := range width {
		name := s.Cell(n)
		column := -1
		for c, known := range k.columns {
			if csvread.Reduce(name) == csvread.Reduce(known) {
				column = c
			}
		}
		if column < 0 {
			return nil, refuse(s.First, clip(name), "column %d of the header, %s, is unknown: %s, or some of these", n+1, quote(name), expected)
		}
		if before, ok := taken[column]; ok {
			return nil, refuse(s.First, k.columns[column], "columns %d and %d of the header are both %s: leave one out", before+1, n+1, k.columns[column])
		}
		taken[column] = n
		at = append(at, column)
	}
	for c, name := range k.columns[:k.needed] {
		if _, ok := taken[c]; !ok {
			return nil, refuse(s.First, name, "the header has no column %s: %s", name, expected)
		}
	}
	return at, nil
}

// cells takes a record apart. One of the wrong number of cells is told with what its first cells seem to say.
func (k kind) cells(s *csvread.Scanner, at []int) row {
	r := row{line: int64(s.First), fields: make([]text, len(k.columns))}
	cells := s.Len()
	for cells > len(at) && strings.TrimSpace(s.Cell(cells-1)) == "" {
		cells--
	}
	for n, column := range at {
		r.fields[column] = text{Set: true}
		if cell := s.Cell(n); strings.TrimSpace(cell) != "" {
			r.fields[column].Value = &cell
		}
	}
	quotes := ""
	if s.Last > s.First {
		quotes = fmt.Sprintf(" (the quotes of this row reach to line %d)", s.Last)
	}
	switch {
	case cells > len(at):
		r.faults = fault.List{fault.New(fault.Invalid, "%d cells where %d belong, cell %d is the first too many: quote cells that hold the delimiter%s", cells, len(at), len(at)+1, quotes)}
	case cells < len(at):
		r.faults = fault.List{fault.At(k.columns[at[cells]], fault.Invalid, "%d cells where %d belong, cell %d is the first that is missing: leave none out%s", cells, len(at), cells+1, quotes)}
	}
	return r
}

// readJSON reads one object a line.
func (k kind) readJSON(r *bufio.Reader, yield func(row) error) error {
	for number := 1; ; number++ {
		line, err := readLine(r, number)
		if err != nil && err != io.EOF {
			return err
		}
		last := err == io.EOF
		if bytes.IndexByte(line, 0) >= 0 {
			return refuse(number, "", "the file is not text: there is a NUL byte on line %d; write it as UTF-8, or as UTF-16 with a byte order mark", number)
		}
		if line = bytes.TrimSpace(line); len(line) > 0 {
			if err := yield(k.object(int64(number), line)); err != nil {
				return err
			}
		}
		if last {
			return nil
		}
	}
}

// readLine reads a line of up to csvread.MaxRecord bytes; io.EOF comes with the last.
func readLine(r *bufio.Reader, number int) ([]byte, error) {
	var line []byte
	for {
		part, err := r.ReadSlice('\n')
		if line = append(line, part...); len(line) > csvread.MaxRecord {
			return nil, refuse(number, "", "line %d is longer than 1 MiB: write one object a line", number)
		}
		if !errors.Is(err, bufio.ErrBufferFull) {
			return line, err
		}
	}
}

func (k kind) object(number int64, line []byte) row {
	r := row{line: number, fields: make([]text, len(k.columns))}
	bad := func(field string, format string, args ...any) {
		f := fault.New(fault.Invalid, format, args...)
		if field != "" {
			f.Field = []string{field}
		}
		r.faults = append(r.faults, f)
	}
	notObject := func() row {
		r.faults = nil
		bad("", `the line is no JSON object: write one such as {"%s": "…"}`, k.columns[0])
		return r
	}
	if !utf8.Valid(line) {
		bad("", "the line is not UTF-8")
		return r
	}
	d := json.NewDecoder(bytes.NewReader(line))
	d.UseNumber()
	if t, err := d.Token(); err != nil || t != json.Delim('{') {
		return notObject()
	}
	seen := map[string]bool{}
	for d.More() {
		name, err := d.Token()
		if err != nil {
			return notObject()
		}
		key := name.(string) // the decoder sees to it
		var value any
		if err := d.Decode(&value); err != nil {
			return notObject()
		}
		column := -1
		for c, known := range k.columns {
			if key == known {
				column = c
			}
		}
		switch {
		case column < 0:
			bad(clip(key), "%s is unknown: write %s, or some of these", quote(key), strings.Join(k.columns, ", "))
			continue
		case seen[key]:
			bad(key, "%s stands twice in the object: leave one out", key)
			continue
		}
		seen[key] = true
		field := text{Set: true}
		switch v := value.(type) {
		case nil:
		case string:
			field.Value = &v
		case json.Number:
			field.Value = new(v.String())
		case bool:
			field.Value = new(fmt.Sprint(v))
		default:
			bad(key, "%s is an object or a list: write a text, a number, true, false or null", key)
		}
		r.fields[column] = field
	}
	if t, err := d.Token(); err != nil || t != json.Delim('}') {
		return notObject()
	}
	if _, err := d.Token(); err != io.EOF {
		return notObject()
	}
	return r
}

// quote writes a foreign text into a message, cut where it is long.
func quote(s string) string {
	if cut := clip(s); cut != s {
		return fmt.Sprintf("%q…", cut)
	}
	return fmt.Sprintf("%q", s)
}

// clip cuts a foreign text to what can be told and stored.
func clip(s string) string {
	s = strings.ToValidUTF8(s, "\ufffd")
	if r := []rune(s[:min(len(s), 200)]); len(s) > 200 || len(r) > 40 {
		s = string(r[:min(len(r), 40)])
	}
	return strings.ReplaceAll(s, "\x00", "\ufffd")
}

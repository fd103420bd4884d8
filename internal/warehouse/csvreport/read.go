// Package csvreport reads warehouse reports that are CSV files (wire.md, "File exchange warehouse"): it finds out the
// encoding, the delimiter and the columns, and streams the rows.
package csvreport

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"unicode/utf8"

	"stockbridge/internal/csvread"
	"stockbridge/internal/fault"
	"stockbridge/internal/warehouse"
)

// Read yields every row of the CSV text in r, as warehouse.Report.Read does, holding one record at a time whatever the
// length of the file. The text is UTF-8, or UTF-16 with a byte order mark; cells are split at the comma, semicolon, tab or bar
// that makes sense of the header (without header: of the first rows). Lines of a problem count from 1,
// the header being line 1.
//
// A row of the wrong number of cells is refused, save for blank ones at its end; a blank row is passed over. A file that
// cannot be used as a whole is BAD_REPORT, one without rows with warehouse.ErrEmpty in the chain.
// Errors of r are returned as they are. The columns must be valid.
func Read(ctx context.Context, r io.Reader, columns Columns, yield func(warehouse.Level, *warehouse.RowError) error) error {
	err := stream(ctx, r, columns, yield)
	var bad *csvread.Error
	if errors.As(err, &bad) {
		return fault.New(fault.BadReport, "%s", bad.Message)
	}
	return err
}

func stream(ctx context.Context, r io.Reader, columns Columns, yield func(warehouse.Level, *warehouse.RowError) error) error {
	text, err := csvread.Decode(r)
	if err != nil {
		return err
	}
	delim, err := csvread.Sniff(text, columns.trial)
	if err != nil {
		return err
	}
	s := csvread.NewScanner(text, delim)
	l, err := open(s, columns)
	if err != nil {
		return err
	}
	for rows := 0; ; {
		if s.Last&0xff == 0 && ctx.Err() != nil {
			return ctx.Err()
		}
		err := s.Next()
		switch {
		case err == io.EOF && rows == 0:
			return empty("the file has no rows: write one per SKU")
		case err == io.EOF:
			return nil
		case errors.Is(err, csvread.ErrMisquoted):
			rows++
			err = yield(warehouse.Level{}, &warehouse.RowError{Line: s.First, Reason: err.Error()})
		case err != nil:
			return err
		case l.counts(s):
			rows++
			err = yield(l.level(s))
		}
		if err != nil {
			return err
		}
	}
}

func empty(words string) error { return fault.Wrap(warehouse.ErrEmpty, fault.BadReport, "%s", words) }

// open reads the header, if the file has one, and returns the layout of the rows that follow.
func open(s *csvread.Scanner, columns Columns) (*layout, error) {
	if columns.headerless() {
		return columns.positions(), nil
	}
	switch err := s.Next(); {
	case err == io.EOF:
		return nil, empty("the file is empty: write a header and a row per SKU")
	case errors.Is(err, csvread.ErrMisquoted):
		return nil, fault.New(fault.BadReport, "no usable header on line %d: %v", s.First, err)
	case err != nil:
		return nil, err
	}
	return columns.header(s.First, s.Cells())
}

// counts tells whether the record is a row: not blank, and of the right type.
func (l *layout) counts(s *csvread.Scanner) bool {
	if l.recordType != "" {
		return strings.TrimSpace(s.Cell(0)) == l.recordType
	}
	return !s.Blank()
}

// level judges the record.
func (l *layout) level(s *csvread.Scanner) (warehouse.Level, *warehouse.RowError) {
	cells := s.Len()
	if l.width == 0 && cells >= l.reach {
		l.width = cells
	}
	want := max(l.width, l.reach)
	for cells > want && strings.TrimSpace(s.Cell(cells-1)) == "" {
		cells--
	}
	if cells != want {
		return warehouse.Level{}, l.misfit(s, cells, want)
	}
	row := warehouse.Row{
		Line: s.First, SKU: s.Cell(l.at[sku]), Facility: s.Cell(l.at[facility]),
		Available: s.Cell(l.at[available]), OnHand: s.Cell(l.at[onHand]), Committed: s.Cell(l.at[committed]), UpdatedAt: s.Cell(l.at[updatedAt]),
	}
	return row.Level()
}

// misfit refuses a record of too many or too few cells. Its SKU is told where there is one in its place, so that a complete
// report is not taken to say that the SKU is gone.
func (l *layout) misfit(s *csvread.Scanner, cells, want int) *warehouse.RowError {
	e := &warehouse.RowError{Line: s.First, Reason: fmt.Sprintf("%d cells where %d belong: quote cells that hold the delimiter, and leave none out", cells, want)}
	if sku := strings.TrimSpace(s.Cell(l.at[sku])); len(sku) <= warehouse.MaxSKUBytes && utf8.ValidString(sku) {
		e.SKU = sku
	}
	if s.Last > s.First {
		e.Reason += fmt.Sprintf(" (the quotes of this record reach to line %d)", s.Last)
	}
	return e
}

// trial returns how much sense the scanner's delimiter makes and how many cells it gives: for a file with header sense is
// a usable header, else usable rows. What does not scan makes none.
func (c Columns) trial(s *csvread.Scanner) (sense, cells int) {
	l, err := open(s, c)
	cells = s.Len()
	if !c.headerless() {
		if err == nil {
			sense = 1
		}
		return sense, cells
	}
	for s.Next() == nil {
		if !l.counts(s) {
			continue
		}
		cells = max(cells, s.Len())
		if _, refused := l.level(s); refused == nil {
			sense++
		}
	}
	return sense, cells
}

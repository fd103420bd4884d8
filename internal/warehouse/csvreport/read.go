// Package csvreport reads warehouse reports that are CSV files (wire.md, "File exchange warehouse"): it finds out the
// encoding, the delimiter and the columns, and streams the rows.
package csvreport

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"unicode/utf8"

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
	text, err := decode(r)
	if err != nil {
		return err
	}
	delim, err := sniff(text, columns)
	if err != nil {
		return err
	}
	s := newScanner(text, delim)
	l, err := open(s, columns)
	if err != nil {
		return err
	}
	for rows := 0; ; {
		if s.line&0xff == 0 && ctx.Err() != nil {
			return ctx.Err()
		}
		err := s.next()
		switch {
		case err == io.EOF && rows == 0:
			return empty("the file has no rows: write one per SKU")
		case err == io.EOF:
			return nil
		case errors.Is(err, errMisquoted):
			rows++
			err = yield(warehouse.Level{}, &warehouse.RowError{Line: s.first, Reason: err.Error()})
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
func open(s *scanner, columns Columns) (*layout, error) {
	if columns.headerless() {
		return columns.positions(), nil
	}
	switch err := s.next(); {
	case err == io.EOF:
		return nil, empty("the file is empty: write a header and a row per SKU")
	case errors.Is(err, errMisquoted):
		return nil, fault.New(fault.BadReport, "no usable header on line %d: %v", s.first, err)
	case err != nil:
		return nil, err
	}
	return columns.header(s.first, s.cells())
}

// counts tells whether the record is a row: not blank, and of the right type.
func (l *layout) counts(s *scanner) bool {
	if l.recordType != "" {
		return strings.TrimSpace(s.cell(0)) == l.recordType
	}
	return len(bytes.TrimSpace(s.text)) > 0
}

// level judges the record.
func (l *layout) level(s *scanner) (warehouse.Level, *warehouse.RowError) {
	cells := len(s.ends)
	if l.width == 0 && cells >= l.reach {
		l.width = cells
	}
	want := max(l.width, l.reach)
	for cells > want && strings.TrimSpace(s.cell(cells-1)) == "" {
		cells--
	}
	if cells != want {
		return warehouse.Level{}, l.misfit(s, cells, want)
	}
	row := warehouse.Row{
		Line: s.first, SKU: s.cell(l.at[sku]), Facility: s.cell(l.at[facility]),
		Available: s.cell(l.at[available]), OnHand: s.cell(l.at[onHand]), Committed: s.cell(l.at[committed]), UpdatedAt: s.cell(l.at[updatedAt]),
	}
	return row.Level()
}

// misfit refuses a record of too many or too few cells. Its SKU is told where there is one in its place, so that a complete
// report is not taken to say that the SKU is gone.
func (l *layout) misfit(s *scanner, cells, want int) *warehouse.RowError {
	e := &warehouse.RowError{Line: s.first, Reason: fmt.Sprintf("%d cells where %d belong: quote cells that hold the delimiter, and leave none out", cells, want)}
	if sku := strings.TrimSpace(s.cell(l.at[sku])); len(sku) <= warehouse.MaxSKUBytes && utf8.ValidString(sku) {
		e.SKU = sku
	}
	if s.last > s.first {
		e.Reason += fmt.Sprintf(" (the quotes of this record reach to line %d)", s.last)
	}
	return e
}

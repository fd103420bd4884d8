package csvreport

import (
	"bufio"
	"errors"
	"io"

	"stockbridge/internal/fault"
)

// maxRecord is how many bytes one record may take. More is taken for a closing quote that is missing: without a bound it
// would make one cell of all the rest of a file.
const maxRecord = 1 << 20

// errMisquoted is a record on one line whose quotes do not fit; the next line stands by itself.
var errMisquoted = errors.New(`a closing quote is followed by more text: double the quotes inside a quoted cell ("")`)

// scanner splits CSV text into records and holds one at a time. Unlike encoding/csv it bounds a record, tells a file cut
// inside quotes from one misquoted row, ends lines at a lone CR too, and takes a quote inside an unquoted cell for
// what it is (5" pipe).
type scanner struct {
	r     *bufio.Reader
	delim byte
	line  int    // the physical line being read, from 1
	first int    // the line on which the record begins
	last  int    // the line on which it ends
	text  []byte // the cells of the record, end to end
	ends  []int  // where in text each cell ends
}

func newScanner(r *bufio.Reader, delim byte) *scanner { return &scanner{r: r, delim: delim, line: 1} }

// cell returns cell i of the record, "" when it has none.
func (s *scanner) cell(i int) string {
	switch {
	case i < 0 || i >= len(s.ends):
		return ""
	case i == 0:
		return string(s.text[:s.ends[0]])
	}
	return string(s.text[s.ends[i-1]:s.ends[i]])
}

func (s *scanner) cells() []string {
	cells := make([]string, len(s.ends))
	for i := range cells {
		cells[i] = s.cell(i)
	}
	return cells
}

// next reads the next record that is not a blank line. It answers io.EOF after the last, errMisquoted for a record
// to be passed over, a BAD_REPORT fault where reading on makes no sense, and otherwise the reader's error.
func (s *scanner) next() error {
	for {
		quoted, err := s.record()
		if err != nil {
			return err
		}
		if quoted || len(s.ends) > 1 || len(s.text) > 0 {
			return nil
		}
	}
}

// Where in a record the scanner is.
const (
	cellStart = iota // only blanks so far
	plain
	inQuotes
	quoteClosed // just after a quote that closes, or is the first of a doubled one
	afterQuotes // blanks after a quoted cell
	misquoted   // passing over the rest of the line
)

func (s *scanner) record() (quoted bool, err error) {
	s.text, s.ends, s.first = s.text[:0], s.ends[:0], s.line
	start, state := 0, cellStart // start is where in text the cell begins
	for size := 0; ; size++ {
		c, err := s.r.ReadByte()
		switch {
		case err == io.EOF && size == 0:
			return false, io.EOF
		case err == io.EOF && state == inQuotes:
			return false, fault.New(fault.BadReport, "the file ends inside the quotes that open in the record on line %d: it is cut short, or a closing quote is missing", s.first)
		case err == io.EOF && state == misquoted:
			return false, errMisquoted
		case err == io.EOF:
			s.ends, s.last = append(s.ends, len(s.text)), s.line
			return quoted, nil
		case err != nil:
			return false, err
		case c == 0:
			return false, fault.New(fault.BadReport, "the file is not text: there is a NUL byte on line %d; write it as UTF-8, or as UTF-16 with a byte order mark", s.line)
		case size >= maxRecord:
			return false, fault.New(fault.BadReport, "the record on line %d is longer than 1 MiB: a closing quote is probably missing", s.first)
		}
		if state == inQuotes {
			if c == '"' {
				state = quoteClosed
				continue
			}
			if c == '\n' || c == '\r' && !s.followedByLF() {
				s.line++
			}
			s.text = append(s.text, c)
			continue
		}
		if c == '\r' || c == '\n' {
			if c == '\r' && s.followedByLF() {
				continue // the LF ends the record
			}
			s.ends, s.last = append(s.ends, len(s.text)), s.line
			s.line++
			if state == misquoted {
				return false, errMisquoted
			}
			return quoted, nil
		}
		switch {
		case state == misquoted:
		case c == s.delim:
			s.ends = append(s.ends, len(s.text))
			start, state = len(s.text), cellStart
		case state == cellStart && c == '"':
			s.text, state, quoted = s.text[:start], inQuotes, true
		case state == cellStart && c == ' ':
			s.text = append(s.text, c)
		case state == cellStart || state == plain:
			s.text, state = append(s.text, c), plain
		case state == quoteClosed && c == '"':
			s.text, state = append(s.text, c), inQuotes
		case c == ' ':
			state = afterQuotes
		case s.line > s.first:
			return false, fault.New(fault.BadReport, "the quotes of the record on lines %d to %d do not match: its rows cannot be told apart; close every quoted cell and double the quotes inside", s.first, s.line)
		default:
			state = misquoted
		}
	}
}

// followedByLF tells a CRLF from a lone CR. What stops the look is met again by the next read.
func (s *scanner) followedByLF() bool {
	next, err := s.r.Peek(1)
	return err == nil && next[0] == '\n'
}

package csvread

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
)

// Error says why a text cannot be read on, and where.
type Error struct {
	Line    int // from 1; 0 where no one line is at fault
	Message string
}

func (e *Error) Error() string { return e.Message }

func broken(line int, format string, args ...any) error {
	return &Error{line, fmt.Sprintf(format, args...)}
}

// MaxRecord is how many bytes one record may take. More is taken for a closing quote that is missing: without a bound it
// would make one cell of all the rest of a file.
const MaxRecord = 1 << 20

// ErrMisquoted is a record on one line whose quotes do not fit; the next line stands by itself.
var ErrMisquoted = errors.New(`a closing quote is followed by more text: double the quotes inside a quoted cell ("")`)

// Scanner splits CSV text into records and holds one at a time. Unlike encoding/csv it bounds a record, tells a file cut
// inside quotes from one misquoted row, ends lines at a lone CR too, and takes a quote inside an unquoted cell for
// what it is (5" pipe).
type Scanner struct {
	r     *bufio.Reader
	delim byte
	line  int    // the physical line being read, from 1
	First int    // the line on which the record begins, from 1
	Last  int    // the line on which it ends
	text  []byte // the cells of the record, end to end
	ends  []int  // where in text each cell ends
}

// NewScanner splits the text at a delimiter.
func NewScanner(r *bufio.Reader, delim byte) *Scanner { return &Scanner{r: r, delim: delim, line: 1} }

// Len is how many cells the record has.
func (s *Scanner) Len() int { return len(s.ends) }

// Blank tells whether all cells of the record are.
func (s *Scanner) Blank() bool { return len(bytes.TrimSpace(s.text)) == 0 }

// Cell returns cell i of the record, "" when it has none.
func (s *Scanner) Cell(i int) string {
	switch {
	case i < 0 || i >= len(s.ends):
		return ""
	case i == 0:
		return string(s.text[:s.ends[0]])
	}
	return string(s.text[s.ends[i-1]:s.ends[i]])
}

// Cells returns all cells of the record.
func (s *Scanner) Cells() []string {
	cells := make([]string, len(s.ends))
	for i := range cells {
		cells[i] = s.Cell(i)
	}
	return cells
}

// Next reads the next record that is not a blank line. It answers io.EOF after the last, ErrMisquoted for a record
// to be passed over, an *Error where reading on makes no sense, and otherwise the reader's error.
func (s *Scanner) Next() error {
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

func (s *Scanner) record() (quoted bool, err error) {
	s.text, s.ends, s.First = s.text[:0], s.ends[:0], s.line
	start, state := 0, cellStart // start is where in text the cell begins
	for size := 0; ; size++ {
		c, err := s.r.ReadByte()
		switch {
		case err == io.EOF && size == 0:
			return false, io.EOF
		case err == io.EOF && state == inQuotes:
			return false, broken(s.First, "the file ends inside the quotes that open in the record on line %d: it is cut short, or a closing quote is missing", s.First)
		case err == io.EOF && state == misquoted:
			return false, ErrMisquoted
		case err == io.EOF:
			s.ends, s.Last = append(s.ends, len(s.text)), s.line
			return quoted, nil
		case err != nil:
			return false, err
		case c == 0:
			return false, broken(s.line, "the file is not text: there is a NUL byte on line %d; write it as UTF-8, or as UTF-16 with a byte order mark", s.line)
		case size >= MaxRecord:
			return false, broken(s.First, "the record on line %d is longer than 1 MiB: a closing quote is probably missing", s.First)
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
			s.ends, s.Last = append(s.ends, len(s.text)), s.line
			s.line++
			if state == misquoted {
				return false, ErrMisquoted
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
		case s.line > s.First:
			return false, broken(s.First, "the quotes of the record on lines %d to %d do not match: its rows cannot be told apart; close every quoted cell and double the quotes inside", s.First, s.line)
		default:
			state = misquoted
		}
	}
}

// followedByLF tells a CRLF from a lone CR. What stops the look is met again by the next read.
func (s *Scanner) followedByLF() bool {
	next, err := s.r.Peek(1)
	return err == nil && next[0] == '\n'
}

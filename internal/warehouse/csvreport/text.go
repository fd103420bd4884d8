package csvreport

import (
	"bufio"
	"bytes"
	"io"

	"golang.org/x/text/encoding/unicode"
	"golang.org/x/text/transform"

	"stockbridge/internal/fault"
)

// sample is how many bytes of a file are looked at to find its delimiter.
const sample = 64 << 10

// decode returns the text of r as UTF-8 without byte order mark, which says what r is.
func decode(r io.Reader) (*bufio.Reader, error) {
	raw := bufio.NewReaderSize(r, sample)
	mark, err := raw.Peek(3)
	if err != nil && err != io.EOF {
		return nil, err
	}
	switch {
	case bytes.HasPrefix(mark, []byte("\xef\xbb\xbf")):
		_, err = raw.Discard(3)
		return raw, err
	case bytes.HasPrefix(mark, []byte("\xff\xfe")), bytes.HasPrefix(mark, []byte("\xfe\xff")):
		utf16 := unicode.UTF16(unicode.LittleEndian, unicode.ExpectBOM).NewDecoder()
		return bufio.NewReaderSize(transform.NewReader(&pairs{r: raw}, utf16), sample), nil
	}
	return raw, nil
}

// pairs reads text of two-byte units, and tells when the last one is cut in half, which the decoder does not.
type pairs struct {
	r   io.Reader
	odd bool
}

func (p *pairs) Read(b []byte) (int, error) {
	n, err := p.r.Read(b)
	p.odd = p.odd != (n%2 == 1)
	if err == io.EOF && p.odd {
		err = fault.New(fault.BadReport, "the file is cut short: it ends in the middle of a UTF-16 character")
	}
	return n, err
}

// sniff finds the delimiter that makes most sense of the beginning of the text: for a file with header the one that gives a
// usable header, else the one that gives the most usable rows; where none does, the one that gives the most cells.
func sniff(text *bufio.Reader, columns Columns) (delim byte, err error) {
	head, err := text.Peek(sample)
	if err != nil && err != io.EOF {
		return 0, err
	}
	delim = ','
	bestSense, bestCells := -1, 0
	for _, d := range []byte(",;\t|") {
		sense, cells := trial(newScanner(bufio.NewReader(bytes.NewReader(head)), d), columns)
		if sense > bestSense || sense == bestSense && cells > bestCells {
			delim, bestSense, bestCells = d, sense, cells
		}
	}
	return delim, nil
}

// trial returns how much sense the scanner's delimiter makes and how many cells it gives. What does not scan makes none.
func trial(s *scanner, columns Columns) (sense, cells int) {
	l, err := open(s, columns)
	cells = len(s.ends)
	if !columns.headerless() {
		if err == nil {
			sense = 1
		}
		return sense, cells
	}
	for s.next() == nil {
		if !l.counts(s) {
			continue
		}
		cells = max(cells, len(s.ends))
		if _, refused := l.level(s); refused == nil {
			sense++
		}
	}
	return sense, cells
}

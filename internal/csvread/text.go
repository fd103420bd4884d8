// Package csvread reads CSV text that others wrote: it finds out the encoding and the delimiter and gives one bounded record
// at a time. Warehouse reports and catalog imports are read with it.
package csvread

import (
	"bufio"
	"bytes"
	"io"
	"strings"

	"golang.org/x/text/encoding/unicode"
	"golang.org/x/text/transform"
)

// sample is how many bytes of a file are looked at to find its delimiter.
const sample = 64 << 10

// Decode returns the text of r as UTF-8 without byte order mark, which says what r is: UTF-16 comes with one. Reading it
// fails with an *Error where UTF-16 is cut in half, and else with the errors of r.
func Decode(r io.Reader) (*bufio.Reader, error) {
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
		err = broken(0, "the file is cut short: it ends in the middle of a UTF-16 character")
	}
	return n, err
}

// Sniff finds the delimiter, among comma, semicolon, tab and bar, that makes most sense of the beginning of the text; where
// several make the same sense, the one that gives most cells. try scans with one of them.
func Sniff(text *bufio.Reader, try func(*Scanner) (sense, cells int)) (delim byte, err error) {
	head, err := text.Peek(sample)
	if err != nil && err != io.EOF {
		return 0, err
	}
	delim = ','
	bestSense, bestCells := -1, 0
	for _, d := range []byte(",;\t|") {
		sense, cells := try(NewScanner(bufio.NewReader(bytes.NewReader(head)), d))
		if sense > bestSense || sense == bestSense && cells > bestCells {
			delim, bestSense, bestCells = d, sense, cells
		}
	}
	return delim, nil
}

// Reduce makes header names comparable: without case, white space, "_" and "-".
func Reduce(name string) string {
	return strings.Map(func(r rune) rune {
		switch r {
		case ' ', '\t', '\r', '\n', '\u00a0', '\ufeff', '_', '-':
			return -1
		}
		return r
	}, strings.ToLower(name))
}

package pipeline

import (
	"bufio"
	"encoding/binary"
	"io"
	"iter"
	"strings"
	"time"

	"stockbridge/internal/database"
	"stockbridge/internal/sortfile"
	"stockbridge/internal/warehouse"
)

// spool sorts a report by SKU and facility without holding it. Only when all of a report is in, and so known to be whole,
// is any of it recorded.
type spool struct{ sorter sortfile.Sorter[spooled] }

type spooled struct {
	database.ReportedLevel
	line int64 // of the report: of two rows with one key the later counts
}

// spoolRows is about 8 MB of levels.
const spoolRows = 50_000

func newSpool() *spool {
	one := func(spooled) int { return 1 }
	return &spool{sortfile.Sorter[spooled]{Order: sortfile.Order[spooled]{Compare: spooled.compare, Size: one, Append: encode, Read: decode}, Max: spoolRows}}
}

// add takes a level of the report.
func (s *spool) add(l warehouse.Level) error {
	return s.sorter.Add(spooled{database.ReportedLevel{
		LevelKey: database.LevelKey{SKU: strings.Clone(l.SKU), Facility: strings.Clone(l.Facility)},
		Figures:  database.Figures{Available: known(l.Available), OnHand: known(l.OnHand), Committed: known(l.Committed)},
		At:       l.UpdatedAt,
	}, int64(l.Line)})
}

func known(q warehouse.Quantity) database.Int { return database.Int{Int64: q.Units, Valid: q.Known} }

// compare puts levels in order of key, and those of one key in the order of the report.
func (l spooled) compare(o spooled) int {
	if c := l.Compare(o.LevelKey); c != 0 {
		return c
	}
	return int(l.line - o.line)
}

// levels yields the report in order of key, each key once, the last row of the report winning; earlier is called with the
// rows that did not.
func (s *spool) levels(earlier func(key database.LevelKey, line int64)) iter.Seq2[database.ReportedLevel, error] {
	return func(yield func(database.ReportedLevel, error) bool) {
		var last *spooled
		for l, err := range s.sorter.Sorted() {
			if err != nil {
				yield(database.ReportedLevel{}, err)
				return
			}
			if last != nil {
				if last.LevelKey == l.LevelKey {
					if earlier != nil {
						earlier(last.LevelKey, last.line)
					}
				} else if !yield(last.ReportedLevel, nil) {
					return
				}
			}
			last = &l
		}
		if last != nil {
			yield(last.ReportedLevel, nil)
		}
	}
}

// close gives the temporary file back.
func (s *spool) close() error { return s.sorter.Close() }

func encode(b []byte, l spooled) []byte {
	b = sortfile.AppendText(b, l.SKU)
	b = sortfile.AppendText(b, l.Facility)
	for _, n := range [3]database.Int{l.Available, l.OnHand, l.Committed} {
		if n.Valid {
			b = binary.AppendVarint(append(b, 1), n.Int64)
		} else {
			b = append(b, 0)
		}
	}
	at := int64(0)
	if !l.At.IsZero() {
		at = l.At.UnixMicro()
	}
	return binary.AppendVarint(binary.AppendVarint(b, at), l.line)
}

// decode reads one level; io.EOF only where none begins.
func decode(from *bufio.Reader) (l spooled, err error) {
	if _, err := from.Peek(1); err == io.EOF {
		return l, err
	}
	r := sortfile.Reader{From: from}
	l.SKU, l.Facility = r.Text(), r.Text()
	for _, n := range [3]*database.Int{&l.Available, &l.OnHand, &l.Committed} {
		if r.Byte() == 1 {
			*n = database.IntOf(r.Int())
		}
	}
	if at := r.Int(); at != 0 {
		l.At = time.UnixMicro(at).UTC()
	}
	l.line = r.Int()
	return l, r.Err
}

package pipeline

import (
	"bufio"
	"container/heap"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"iter"
	"os"
	"slices"
	"strings"
	"time"

	"stockbridge/internal/database"
	"stockbridge/internal/warehouse"
)

// spool sorts a report by SKU and facility without holding it: sorted stretches go to one temporary file and are merged
// when read. Only when all of a report is in, and so known to be whole, is any of it recorded.
type spool struct {
	max       int // levels held in memory, at the most
	held      []spooled
	file      *os.File // nil until the first stretch is written
	stretches []stretch
	end       int64
	count     int64
}

type spooled struct {
	database.ReportedLevel
	line int64 // of the report: of two rows with one key the later counts
}

type stretch struct{ from, to int64 }

// spoolRows is about 8 MB of levels.
const spoolRows = 50_000

func newSpool() *spool { return &spool{max: spoolRows} }

// add takes a level of the report.
func (s *spool) add(l warehouse.Level) error {
	s.held = append(s.held, spooled{database.ReportedLevel{
		LevelKey: database.LevelKey{SKU: strings.Clone(l.SKU), Facility: strings.Clone(l.Facility)},
		Figures:  database.Figures{Available: known(l.Available), OnHand: known(l.OnHand), Committed: known(l.Committed)},
		At:       l.UpdatedAt,
	}, int64(l.Line)})
	s.count++
	if len(s.held) < s.max {
		return nil
	}
	return s.flush()
}

func known(q warehouse.Quantity) database.Int { return database.Int{Int64: q.Units, Valid: q.Known} }

// order puts levels by key, and those of one key in the order of the report.
func (l spooled) compare(o spooled) int {
	if c := l.Compare(o.LevelKey); c != 0 {
		return c
	}
	return int(l.line - o.line)
}

func (s *spool) flush() (err error) {
	if s.file == nil {
		if s.file, err = os.CreateTemp("", "stockbridge-report-*"); err != nil {
			return fmt.Errorf("spool the report: %w", err)
		}
		// The name goes at once, so that not even a crash leaves the file behind.
		if err := os.Remove(s.file.Name()); err != nil {
			return fmt.Errorf("spool the report: %w", err)
		}
	}
	slices.SortFunc(s.held, spooled.compare)
	w := &counter{w: s.file}
	out := bufio.NewWriterSize(w, 1<<16)
	var buf []byte
	for i := range s.held {
		buf = s.held[i].encode(buf[:0])
		if _, err := out.Write(buf); err != nil {
			return fmt.Errorf("spool the report: %w", err)
		}
	}
	if err := out.Flush(); err != nil {
		return fmt.Errorf("spool the report: %w", err)
	}
	s.stretches = append(s.stretches, stretch{s.end, s.end + w.n})
	s.end += w.n
	s.held = s.held[:0]
	return nil
}

// levels yields the report in order of key, each key once, the last row of the report winning; earlier is called with the
// rows that did not.
func (s *spool) levels(earlier func(key database.LevelKey, line int64)) iter.Seq2[database.ReportedLevel, error] {
	return func(yield func(database.ReportedLevel, error) bool) {
		var last *spooled
		for l, err := range s.sorted() {
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

// sorted merges the stretches and what is held.
func (s *spool) sorted() iter.Seq2[spooled, error] {
	return func(yield func(spooled, error) bool) {
		slices.SortFunc(s.held, spooled.compare)
		h := &sources{}
		held := s.held
		inputs := []func() (spooled, error){func() (spooled, error) {
			if len(held) == 0 {
				return spooled{}, io.EOF
			}
			l := held[0]
			held = held[1:]
			return l, nil
		}}
		for _, st := range s.stretches {
			in := bufio.NewReaderSize(io.NewSectionReader(s.file, st.from, st.to-st.from), 1<<15)
			inputs = append(inputs, func() (spooled, error) { return decode(in) })
		}
		for _, next := range inputs {
			l, err := next()
			if err == nil {
				*h = append(*h, source{l, next})
			} else if !errors.Is(err, io.EOF) {
				yield(spooled{}, err)
				return
			}
		}
		heap.Init(h)
		for h.Len() > 0 {
			top := &(*h)[0]
			if !yield(top.level, nil) {
				return
			}
			l, err := top.next()
			switch {
			case err == nil:
				top.level = l
				heap.Fix(h, 0)
			case errors.Is(err, io.EOF):
				heap.Pop(h)
			default:
				yield(spooled{}, err)
				return
			}
		}
	}
}

// close gives the temporary file back.
func (s *spool) close() error {
	if s.file == nil {
		return nil
	}
	return s.file.Close()
}

type source struct {
	level spooled
	next  func() (spooled, error)
}

type sources []source

func (h sources) Len() int           { return len(h) }
func (h sources) Less(i, j int) bool { return h[i].level.compare(h[j].level) < 0 }
func (h sources) Swap(i, j int)      { h[i], h[j] = h[j], h[i] }
func (h *sources) Push(x any)        { *h = append(*h, x.(source)) }
func (h *sources) Pop() any {
	last := (*h)[len(*h)-1]
	*h = (*h)[:len(*h)-1]
	return last
}

type counter struct {
	w io.Writer
	n int64
}

func (c *counter) Write(p []byte) (int, error) {
	n, err := c.w.Write(p)
	c.n += int64(n)
	return n, err
}

func (l *spooled) encode(b []byte) []byte {
	b = appendText(b, l.SKU)
	b = appendText(b, l.Facility)
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

func appendText(b []byte, s string) []byte {
	return append(binary.AppendUvarint(b, uint64(len(s))), s...)
}

// decode reads one level; io.EOF only at the end of a stretch.
func decode(r *bufio.Reader) (l spooled, err error) {
	if _, err := r.Peek(1); err != nil {
		return l, err
	}
	read := func(v int64, e error) int64 { err = errors.Join(err, e); return v }
	readText := func() string {
		n, e := binary.ReadUvarint(r)
		if e != nil || n > 1<<20 {
			err = errors.Join(err, e, fmt.Errorf("a text of %d bytes", n))
			return ""
		}
		b := make([]byte, n)
		_, e = io.ReadFull(r, b)
		err = errors.Join(err, e)
		return string(b)
	}
	l.SKU, l.Facility = readText(), readText()
	for _, n := range [3]*database.Int{&l.Available, &l.OnHand, &l.Committed} {
		known, e := r.ReadByte()
		err = errors.Join(err, e)
		if known == 1 {
			*n = database.IntOf(read(binary.ReadVarint(r)))
		}
	}
	if at := read(binary.ReadVarint(r)); at != 0 {
		l.At = time.UnixMicro(at).UTC()
	}
	l.line = read(binary.ReadVarint(r))
	if err != nil {
		return l, fmt.Errorf("read the spooled report back: %w", errors.Join(io.ErrUnexpectedEOF, err))
	}
	return l, nil
}

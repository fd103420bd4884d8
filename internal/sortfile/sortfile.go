// Package sortfile sorts more items than memory should hold: sorted stretches go to one temporary file and are merged when
// read.
package sortfile

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
)

// Sorter sorts items of one type. The zero value with Order set holds nothing yet. Close it at the end.
type Sorter[T any] struct {
	Order[T]
	// Max is how much is held in memory at the most, in the unit of Size.
	Max int

	held      []T
	size      int
	file      *os.File // nil until the first stretch is written
	stretches []stretch
	end       int64
}

// Order is what a sorter has to know of its items.
type Order[T any] struct {
	// Compare orders items. It should leave no two equal.
	Compare func(a, b T) int
	// Size is what an item counts against Max.
	Size func(T) int
	// Append writes an item, and Read reads it back. Read answers io.EOF only where no item begins.
	Append func([]byte, T) []byte
	Read   func(*bufio.Reader) (T, error)
}

type stretch struct{ from, to int64 }

// Add takes an item.
func (s *Sorter[T]) Add(item T) error {
	s.held = append(s.held, item)
	if s.size += s.Size(item); s.size < s.Max {
		return nil
	}
	if err := s.flush(); err != nil {
		return fmt.Errorf("sort on disk: %w", err)
	}
	return nil
}

func (s *Sorter[T]) flush() (err error) {
	if s.file == nil {
		if s.file, err = os.CreateTemp("", "stockbridge-*"); err != nil {
			return err
		}
		// The name goes at once, so that not even a crash leaves the file behind.
		if err := os.Remove(s.file.Name()); err != nil {
			return err
		}
	}
	slices.SortFunc(s.held, s.Compare)
	out := bufio.NewWriterSize(s.file, 1<<16)
	from := s.end
	var buf []byte
	for _, item := range s.held {
		buf = s.Append(buf[:0], item)
		s.end += int64(len(buf))
		if _, err := out.Write(buf); err != nil {
			return err
		}
	}
	if err := out.Flush(); err != nil {
		return err
	}
	s.stretches = append(s.stretches, stretch{from, s.end})
	clear(s.held)
	s.held, s.size = s.held[:0], 0
	return nil
}

// Sorted yields all items in order. It can be gone through several times, also at once; nothing is added from the first
// time on.
func (s *Sorter[T]) Sorted() iter.Seq2[T, error] {
	slices.SortFunc(s.held, s.Compare)
	return func(yield func(T, error) bool) {
		held := s.held
		inputs := []func() (T, error){func() (item T, err error) {
			if len(held) == 0 {
				return item, io.EOF
			}
			item, held = held[0], held[1:]
			return item, nil
		}}
		for _, st := range s.stretches {
			in := bufio.NewReaderSize(io.NewSectionReader(s.file, st.from, st.to-st.from), 1<<15)
			inputs = append(inputs, func() (T, error) { return s.Read(in) })
		}
		h := &sources[T]{compare: s.Compare}
		var none T
		for _, next := range inputs {
			item, err := next()
			if err == nil {
				h.all = append(h.all, source[T]{item, next})
			} else if !errors.Is(err, io.EOF) {
				yield(none, err)
				return
			}
		}
		heap.Init(h)
		for h.Len() > 0 {
			top := &h.all[0]
			if !yield(top.item, nil) {
				return
			}
			item, err := top.next()
			switch {
			case err == nil:
				top.item = item
				heap.Fix(h, 0)
			case errors.Is(err, io.EOF):
				heap.Pop(h)
			default:
				yield(none, err)
				return
			}
		}
	}
}

// Close gives the temporary file back.
func (s *Sorter[T]) Close() error {
	if s.file == nil {
		return nil
	}
	return s.file.Close()
}

type source[T any] struct {
	item T
	next func() (T, error)
}

type sources[T any] struct {
	all     []source[T]
	compare func(a, b T) int
}

func (h *sources[T]) Len() int           { return len(h.all) }
func (h *sources[T]) Less(i, j int) bool { return h.compare(h.all[i].item, h.all[j].item) < 0 }
func (h *sources[T]) Swap(i, j int)      { h.all[i], h.all[j] = h.all[j], h.all[i] }
func (h *sources[T]) Push(x any)         { h.all = append(h.all, x.(source[T])) }
func (h *sources[T]) Pop() any {
	last := h.all[len(h.all)-1]
	h.all = h.all[:len(h.all)-1]
	return last
}

// AppendText writes a text.
func AppendText(b []byte, s string) []byte {
	return append(binary.AppendUvarint(b, uint64(len(s))), s...)
}

// Reader reads the parts of one item, and notes the first error.
type Reader struct {
	From *bufio.Reader
	Err  error
}

// maxText bounds a text, so that a broken file asks for no memory.
const maxText = 16 << 20

// Int reads what binary.AppendVarint wrote.
func (r *Reader) Int() int64 {
	n, err := binary.ReadVarint(r.From)
	r.fail(err)
	return n
}

// Byte reads one byte.
func (r *Reader) Byte() byte {
	b, err := r.From.ReadByte()
	r.fail(err)
	return b
}

// Text reads what AppendText wrote.
func (r *Reader) Text() string {
	n, err := binary.ReadUvarint(r.From)
	if err == nil && n > maxText {
		err = fmt.Errorf("a text of %d bytes", n)
	}
	if r.fail(err); r.Err != nil {
		return ""
	}
	b := make([]byte, n)
	_, err = io.ReadFull(r.From, b)
	r.fail(err)
	return string(b)
}

func (r *Reader) fail(err error) {
	if r.Err == nil && err != nil {
		r.Err = fmt.Errorf("read back what was sorted: %w", errors.Join(io.ErrUnexpectedEOF, err))
	}
}

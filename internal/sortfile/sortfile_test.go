package sortfile

import (
	"bufio"
	"cmp"
	"encoding/binary"
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"pgregory.net/rapid"
)

type item struct {
	key  string
	line int64
}

func order() Order[item] {
	return Order[item]{
		Compare: func(a, b item) int { return cmp.Or(cmp.Compare(a.key, b.key), cmp.Compare(a.line, b.line)) },
		Size:    func(i item) int { return len(i.key) },
		Append:  func(b []byte, i item) []byte { return binary.AppendVarint(AppendText(b, i.key), i.line) },
		Read: func(from *bufio.Reader) (i item, err error) {
			if _, err := from.Peek(1); err == io.EOF {
				return i, err
			}
			r := Reader{From: from}
			return item{r.Text(), r.Int()}, r.Err
		},
	}
}

// Items come out in order, each once and as often as they are gone through, however many stretches they make.
func TestSorted(t *testing.T) { // not in parallel: it sets where temporary files go
	dir := t.TempDir()
	t.Setenv("TMPDIR", dir)
	rapid.Check(t, func(t *rapid.T) {
		s := Sorter[item]{Order: order(), Max: rapid.IntRange(1, 40).Draw(t, "max")}
		keys := rapid.SliceOf(rapid.StringN(1, 5, 12)).Draw(t, "keys")
		var want []item
		for n, k := range keys {
			want = append(want, item{k, int64(n)})
			if err := s.Add(want[n]); err != nil {
				t.Fatal(err)
			}
		}
		slices.SortFunc(want, s.Compare)
		sorted := s.Sorted()
		for range 2 {
			var got []item
			for i, err := range sorted {
				if err != nil {
					t.Fatal(err)
				}
				got = append(got, i)
			}
			if !slices.Equal(got, want) {
				t.Fatalf("%v, want %v", got, want)
			}
		}
		for range sorted { // and may be left
			break
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	})
	if left, err := filepath.Glob(filepath.Join(dir, "*")); err != nil || len(left) > 0 {
		t.Errorf("left behind: %v %v", left, err)
	}
}

// A file that ends in the middle of an item is an error, not an end.
func TestCutFile(t *testing.T) {
	t.Parallel()
	s := Sorter[item]{Order: order(), Max: 1}
	if err := s.Add(item{"a long enough key", 7}); err != nil {
		t.Fatal(err)
	}
	if err := s.file.Truncate(5); err != nil {
		t.Fatal(err)
	}
	for _, err := range s.Sorted() {
		if !errors.Is(err, io.ErrUnexpectedEOF) {
			t.Error(err)
		}
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
	if err := s.Add(item{"k", 1}); !errors.Is(err, os.ErrClosed) {
		t.Error(err)
	}
}

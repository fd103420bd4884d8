package fileexchange

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"stockbridge/internal/fault"
	"stockbridge/internal/warehouse"
)

// wire.md: "After a file is recorded it moves to out/processed/".
func TestRecordedFileIsArchivedAndNothingOverwritten(t *testing.T) {
	onEach(t, func(t *testing.T, p *partner) {
		for day := range 4 {
			p.put("out/inv_1.csv", fmt.Sprintf("sku,available\nA,%d\n", day), day)
			r := p.next(p.source())
			if r == nil {
				t.Fatal("nothing was offered")
			}
			if got, err := rows(t, r); err != nil || got != fmt.Sprintf("A=%d", day) || r.Complete() {
				t.Errorf("read %q, %v", got, err)
			}
			// After a lost answer it is done again.
			if err := errors.Join(r.Accept(t.Context()), r.Accept(t.Context())); err != nil {
				t.Fatal(err)
			}
		}
		if got := p.files(); got != "out/processed/inv_1.20261123T090000Z-2.csv out/processed/inv_1.20261123T090000Z-3.csv out/processed/inv_1.20261123T090000Z.csv out/processed/inv_1.csv" {
			t.Errorf("there are %s", got)
		}
		if got := p.text("out/processed/inv_1.csv"); got != "sku,available\nA,0\n" {
			t.Errorf("the first archived file holds %q", got)
		}
	})
}

func TestRecordedFileIsDeletedIfSoSet(t *testing.T) {
	onEach(t, func(t *testing.T, p *partner) {
		p.cfg.AfterImport, p.cfg.Complete, p.cfg.Files = Delete, true, "stock-*.txt"
		p.put("stock-1.txt", file, 0)
		r := p.next(p.source())
		if r == nil || !r.Complete() {
			t.Fatal("nothing complete was offered")
		}
		if err := errors.Join(r.Accept(t.Context()), r.Accept(t.Context())); err != nil {
			t.Fatal(err)
		}
		if got := p.files(); got != "" {
			t.Errorf("there are %s", got)
		}
	})
}

// spec 6: a report that cannot be used stays, and the partner can see why.
func TestFailedFileStaysWithANoteUntilMended(t *testing.T) {
	onEach(t, func(t *testing.T, p *partner) {
		p.put("out/inv_1.csv", "article;stock\nA;1\n", 0)
		for range 2 {
			r := p.next(p.source())
			got, err := rows(t, r)
			if fault.CodeOf(err) != fault.BadReport || got != "" || !strings.HasPrefix(fault.Message(err), "inv_1.csv: no usable header") {
				t.Errorf("read %q, %v", got, err)
			}
			if err := r.Fail(t.Context(), err); err != nil {
				t.Fatal(err)
			}
			if got := p.files(); got != "out/inv_1.csv out/rejected/inv_1.csv.error.txt" {
				t.Errorf("there are %s", got)
			}
			if note := p.text("out/rejected/inv_1.csv.error.txt"); !strings.Contains(note, `no SKU column (sku, item, itemsku)`) || !strings.Contains(note, "Put a mended inv_1.csv in its place") {
				t.Errorf("the note says %q", note)
			}
		}
		p.put("out/inv_1.csv", file, 1)
		r := p.next(p.source())
		if got, err := rows(t, r); err != nil || got != "A=1" {
			t.Errorf("read %q, %v", got, err)
		}
		if err := r.Accept(t.Context()); err != nil {
			t.Fatal(err)
		}
		if got := p.files(); got != "out/processed/inv_1.csv" {
			t.Errorf("there are %s", got)
		}
	})
}

// wire.md: "a rejected one to out/rejected/ with a .error.txt".
func TestRejectedFileMovesAsideWithTheReason(t *testing.T) {
	onEach(t, func(t *testing.T, p *partner) {
		for range 2 {
			p.put("out/inv_1.csv", file, 0)
			r := p.next(p.source())
			if err := r.Reject(t.Context(), errors.New("half the stock is missing")); err != nil {
				t.Fatal(err)
			}
		}
		const first, second = "out/rejected/inv_1.csv", "out/rejected/inv_1.20261123T090000Z.csv"
		if got := p.files(); got != second+" "+second+".error.txt "+first+" "+first+".error.txt" {
			t.Errorf("there are %s", got)
		}
		if note := p.text(second + ".error.txt"); !strings.Contains(note, "half the stock is missing") {
			t.Errorf("the note says %q", note)
		}
		p.put("out/inv_1.csv", file, 0)
		if err := p.next(p.source()).Accept(t.Context()); err != nil {
			t.Fatal(err)
		}
		if got := p.text(first + ".error.txt"); got == "" {
			t.Error("the note on a rejected file went with another file")
		}
	})
}

// A file that was replaced since it was read has not been read: whatever is said of the old one, the new one stays.
func TestReplacedFileIsNotPutAway(t *testing.T) {
	onEach(t, func(t *testing.T, p *partner) {
		for what, end := range map[string]func(warehouse.Report) error{
			"accept": func(r warehouse.Report) error { return r.Accept(t.Context()) },
			"reject": func(r warehouse.Report) error { return r.Reject(t.Context(), errors.New("no")) },
		} {
			p.put("out/inv_1.csv", file, 0)
			s := p.source()
			r := p.next(s)
			if _, err := rows(t, r); err != nil {
				t.Fatal(err)
			}
			p.put("out/inv_1.csv", file+"B,2\n", 1)
			if err := end(r); err != nil {
				t.Fatal(err)
			}
			if got := p.text("out/inv_1.csv"); got != file+"B,2\n" {
				t.Errorf("%s: now it holds %q", what, got)
			}
			if got := p.names(s); got != "" {
				t.Errorf("%s: the same source offered %q", what, got)
			}
		}
	})
}

// spec 6: half-written (changed while read) means that nothing counts.
func TestFileThatChangesWhileReadIsRefused(t *testing.T) {
	onEach(t, func(t *testing.T, p *partner) {
		for what, change := range map[string]func(){
			"grew":       func() { p.put("out/inv_1.csv", file+"B,2\n", 0) },
			"was redone": func() { p.put("out/inv_1.csv", file, 1) },
			"has gone":   func() { os.Remove(filepath.Join(p.dir, "out/inv_1.csv")) },
			"was broken": func() { p.put("out/inv_1.csv", "sku", 1) },
		} {
			p.put("out/inv_1.csv", file, 0)
			r := p.next(p.source())
			err := r.Read(t.Context(), func(warehouse.Level, *warehouse.RowError) error { change(); return nil })
			if fault.CodeOf(err) != fault.BadReport || !strings.Contains(fault.Message(err), "inv_1.csv changed while it was read") {
				t.Errorf("%s: %v", what, err)
			}
		}
		p.put("out/inv_1.csv", file, 0)
		r := p.next(p.source())
		os.Remove(filepath.Join(p.dir, "out/inv_1.csv"))
		if _, err := rows(t, r); fault.CodeOf(err) != fault.BadReport || !strings.Contains(fault.Message(err), "taken away") {
			t.Errorf("gone before: %v", err)
		}
	})
}

func TestEmptyFileIsToldApart(t *testing.T) { // spec 3.10
	t.Parallel()
	p := setup(t, "file")
	p.put("out/inv_1.csv", "", 0)
	p.put("out/inv_2.csv", "sku,available\n", 1)
	s := p.source()
	for range 2 {
		if _, err := rows(t, p.next(s)); !errors.Is(err, warehouse.ErrEmpty) || fault.CodeOf(err) != fault.BadReport {
			t.Errorf("got %v", err)
		}
	}
}

func TestCallerEndsReading(t *testing.T) {
	onEach(t, func(t *testing.T, p *partner) {
		p.put("out/inv_1.csv", file, 0)
		p.put("out/inv_2.csv", "sku,available\n"+strings.Repeat("A,1\n", 1<<20), 1)
		s := p.source()
		full := errors.New("disk full")
		if err := p.next(s).Read(t.Context(), func(warehouse.Level, *warehouse.RowError) error { return full }); err != full {
			t.Errorf("got %v", err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		r := p.next(s)
		if err := r.Read(ctx, func(warehouse.Level, *warehouse.RowError) error { cancel(); return nil }); !errors.Is(err, context.Canceled) {
			t.Errorf("canceled: %v", err)
		}
		if err := r.Fail(t.Context(), errors.New("canceled")); err != nil {
			t.Errorf("after that: %v", err)
		}
	})
}

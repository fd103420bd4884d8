package fileexchange

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"stockbridge/internal/exchange/proftpd"
	"stockbridge/internal/fault"
	"stockbridge/internal/outbound"
	"stockbridge/internal/warehouse"
)

// remote are the protocols whose files come over a wire.
var remote = []string{"sftp", "ftp", "ftps"}

// wired is a partner behind a wire that can be cut.
func wired(t *testing.T, scheme string) (*partner, *proftpd.Wire) {
	t.Helper()
	dir := t.TempDir()
	server, wire := proftpd.StartBehindWire(t, dir)
	p := &partner{t: t, dir: dir, cfg: Config{URL: server.URL(scheme, dir), Password: proftpd.Password}}
	switch scheme {
	case "sftp":
		p.cfg.HostKey = server.HostKey
	case "ftps":
		p.cfg.HostKey = server.Certificate
	}
	p.opts.Network = outbound.Policy{AllowPrivate: true}
	p.opts.Clock.Sleep = func(ctx context.Context, _ time.Duration) error { return ctx.Err() }
	p.opts.Clock.Now = func() time.Time { return time.Date(2026, 11, 23, 9, 0, 0, 0, time.UTC) }
	return p, wire
}

func onEachWire(t *testing.T, test func(t *testing.T, p *partner, wire *proftpd.Wire)) {
	t.Parallel()
	for _, scheme := range remote {
		t.Run(scheme, func(t *testing.T) {
			t.Parallel()
			p, wire := wired(t, scheme)
			test(t, p, wire)
		})
	}
}

// big is a report of n rows, no two alike: SKU-0000000,0 and so on, 20 bytes and more each.
func big(n int) string {
	var b bytes.Buffer
	b.WriteString("sku,available\n")
	for i := range n {
		fmt.Fprintf(&b, "SKU-%010d,%d\n", i, i%1000)
	}
	return b.String()
}

// inOrder reads a big report and fails when a row is missing, doubled or not the next one; each is called with every row.
func inOrder(t *testing.T, r warehouse.Report, each func(row int)) (int, error) {
	t.Helper()
	n := 0
	err := r.Read(t.Context(), func(l warehouse.Level, e *warehouse.RowError) error {
		if want := fmt.Sprintf("SKU-%010d", n); e != nil || l.SKU != want || l.Available.Units != int64(n%1000) {
			t.Fatalf("row %d is %+v, %v", n, l, e)
		}
		each(n)
		n++
		return nil
	})
	return n, err
}

const rowsOfBig = 120_000 // about 2.3 MB

// spec 6: resets are retried. Every connection is cut after half a megabyte, and the report is read to its end all the same, every row once.
func TestFileIsReadOnWhereItWasCutOff(t *testing.T) {
	onEachWire(t, func(t *testing.T, p *partner, wire *proftpd.Wire) {
		p.put("out/inv_1.csv", big(rowsOfBig), 0)
		wire.Cut(proftpd.Download, 500_000)
		r := p.next(p.source())
		if n, err := inOrder(t, r, func(int) {}); err != nil || n != rowsOfBig {
			t.Fatalf("read %d rows, %v", n, err)
		}
		if err := r.Accept(t.Context()); err != nil {
			t.Fatal(err)
		}
		if got := p.files(); got != "out/processed/inv_1.csv" {
			t.Errorf("there are %s", got)
		}
	})
}

// A reset in the middle, and no connection holds until the third attempt.
func TestFileIsReadOnOnceTheWireIsMended(t *testing.T) {
	onEachWire(t, func(t *testing.T, p *partner, wire *proftpd.Wire) {
		p.put("out/inv_1.csv", big(rowsOfBig), 0)
		cut, waits := false, 0
		p.opts.Clock.Sleep = func(ctx context.Context, _ time.Duration) error {
			if cut {
				if waits++; waits == 2 {
					wire.Heal()
				}
			}
			return ctx.Err()
		}
		r := p.next(p.source())
		n, err := inOrder(t, r, func(row int) {
			if row == 100 {
				cut = true
				wire.Reset(proftpd.Download)
			}
		})
		// On a busy machine the whole file can be on its way before the wire is cut: then there is nothing to wait for.
		if err != nil || n != rowsOfBig || waits != 2 && waits != 0 {
			t.Errorf("read %d rows after %d waits, %v", n, waits, err)
		}
	})
}

// spec 6: what is not read to its end fails as a whole, and the file stays for the next pull.
func TestWireThatStaysCutFailsTheReport(t *testing.T) {
	onEachWire(t, func(t *testing.T, p *partner, wire *proftpd.Wire) {
		p.put("out/inv_1.csv", big(rowsOfBig), 0)
		r := p.next(p.source())
		n, err := inOrder(t, r, func(row int) {
			if row == 100 {
				wire.Reset(proftpd.Download)
			}
		})
		if fault.CodeOf(err) != fault.Unreachable || n >= rowsOfBig {
			t.Errorf("after %d rows: %v", n, err)
		}
		wire.Heal()
		if err := r.Fail(t.Context(), err); err != nil {
			t.Errorf("note it: %v", err)
		}
		if got := p.files(); got != "out/inv_1.csv out/rejected/inv_1.csv.error.txt" {
			t.Errorf("there are %s", got)
		}
		r = p.next(p.source())
		if n, err := inOrder(t, r, func(int) {}); err != nil || n != rowsOfBig {
			t.Errorf("the next pull reads %d rows, %v", n, err)
		}
		if err := r.Accept(t.Context()); err != nil {
			t.Error(err)
		}
		if got := p.files(); got != "out/processed/inv_1.csv" {
			t.Errorf("there are %s", got)
		}
	})
}

// spec 6: a file that another has taken the place of is not read on, for its rows are not those that were begun.
func TestReplacedFileIsNotReadOn(t *testing.T) {
	onEachWire(t, func(t *testing.T, p *partner, wire *proftpd.Wire) {
		for what, change := range map[string]func(){
			"redone": func() { p.put("out/inv_2.csv", big(rowsOfBig), 1); p.rename("out/inv_2.csv", "out/inv_1.csv") },
			"grown":  func() { p.put("out/inv_2.csv", big(rowsOfBig+1), 0); p.rename("out/inv_2.csv", "out/inv_1.csv") },
			"gone":   func() { p.rename("out/inv_1.csv", "elsewhere.csv") },
		} {
			p.put("out/inv_1.csv", big(rowsOfBig), 0)
			wire.Cut(proftpd.Download, 1_000_000)
			r := p.next(p.source())
			n, err := inOrder(t, r, func(row int) {
				if row == 100 {
					change()
				}
			})
			if fault.CodeOf(err) != fault.BadReport || !strings.Contains(fault.Message(err), "inv_1.csv changed while it was read") || n >= rowsOfBig {
				t.Errorf("%s: after %d rows: %v", what, n, err)
			}
			wire.Heal()
		}
	})
}

func (p *partner) rename(from, to string) {
	p.t.Helper()
	if err := os.Rename(filepath.Join(p.dir, from), filepath.Join(p.dir, to)); err != nil {
		p.t.Fatal(err)
	}
}

// Rows are handed on as they come: in the middle of a file of 24 MB not a tenth of it is held. Not parallel, since it weighs the whole process.
func TestMemoryStaysFlat(t *testing.T) {
	for _, scheme := range remote {
		t.Run(scheme, func(t *testing.T) {
			const rows = 1_200_000
			p, wire := wired(t, scheme)
			p.put("out/inv_1.csv", big(rows), 0)
			wire.Cut(proftpd.Download, 10_000_000)
			r := p.next(p.source())
			var held []int64
			n, err := inOrder(t, r, func(row int) {
				if row%200_000 == 1000 {
					var m runtime.MemStats
					runtime.GC()
					runtime.ReadMemStats(&m)
					held = append(held, int64(m.HeapAlloc))
				}
			})
			if err != nil || n != rows {
				t.Fatalf("read %d rows, %v", n, err)
			}
			if grown := slices.Max(held) - held[0]; grown > 2<<20 {
				t.Errorf("%d bytes more were held than at the beginning: %v", grown, held)
			}
		})
	}
}

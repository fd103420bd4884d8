package fileexchange

import (
	"context"
	"encoding/csv"
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"stockbridge/internal/channel"
	"stockbridge/internal/exchange"
	"stockbridge/internal/exchange/proftpd"
	"stockbridge/internal/exchange/sftptest"
	"stockbridge/internal/fault"
	"stockbridge/internal/outbound"
)

var inside = outbound.Policy{AllowPrivate: true}

// clock stands still, and sleeps are over at once.
var clock = outbound.Clock{
	Now:   func() time.Time { return time.Date(2026, 11, 1, 13, 30, 5, 0, time.FixedZone("CET", 3600)) },
	Sleep: func(context.Context, time.Duration) error { return nil },
}

func connect(t *testing.T, cfg exchange.Config) *Store {
	t.Helper()
	s, err := New(cfg, outbound.Retry{Clock: clock})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

func local(t *testing.T) (*Store, string) {
	t.Helper()
	root := t.TempDir()
	return connect(t, exchange.Config{URL: "file://" + root, FileRoots: []string{root}}), root
}

func push(t *testing.T, s *Store, run string, levels ...channel.Level) {
	t.Helper()
	outcomes, err := s.Push(t.Context(), channel.Batch{Run: run, Levels: levels})
	if err != nil || len(outcomes) != len(levels) {
		t.Fatalf("%v, %v", outcomes, err)
	}
	for _, o := range outcomes {
		if o != (channel.Outcome{Verdict: channel.Acknowledged}) {
			t.Errorf("%+v", o)
		}
	}
}

func holds(t *testing.T, path, want string) {
	t.Helper()
	got, err := os.ReadFile(path)
	if err != nil || string(got) != want {
		t.Errorf("%s holds %q (%v), want %q", filepath.Base(path), got, err, want)
	}
}

// wire.md: in/inv_<run>_<UTC time>.csv with sku,location,quantity, over every kind of URL.
func TestPushWritesAFileAsTheContractHasIt(t *testing.T) {
	t.Parallel()
	for name, open := range map[string]func(dir string) exchange.Config{
		"file": func(dir string) exchange.Config {
			return exchange.Config{URL: "file://" + dir, FileRoots: []string{filepath.Dir(dir)}}
		},
		"sftp": func(dir string) exchange.Config {
			s := sftptest.Start(t)
			return exchange.Config{URL: s.URL(dir), Password: sftptest.Password, HostKey: s.HostKeys()[0], Network: inside}
		},
		"ftp": func(dir string) exchange.Config {
			return exchange.Config{URL: proftpd.Start(t, dir).URL("ftp", dir), Password: proftpd.Password, Network: inside}
		},
		"ftps": func(dir string) exchange.Config {
			s := proftpd.Start(t, dir, "TLSRequired on")
			return exchange.Config{URL: s.URL("ftps", dir), Password: proftpd.Password, HostKey: s.Certificate, Network: inside}
		},
		"ProFTPD": func(dir string) exchange.Config {
			s := proftpd.Start(t, dir)
			return exchange.Config{URL: s.URL("sftp", dir), PrivateKey: s.PrivateKey, HostKey: s.HostKey, Network: inside}
		},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			s := connect(t, open(dir))
			if words, err := s.Test(t.Context()); err != nil || !strings.Contains(words, "in/ is not there yet") {
				t.Errorf("Test: %q, %v", words, err)
			}
			push(t, s, "UnVuOjE", channel.Level{SKU: "BIKE-SET", Quantity: 12}, channel.Level{SKU: "A,B", Location: "EAST", Quantity: 0})
			push(t, s, "UnVuOjE", channel.Level{SKU: "C", Quantity: 1<<31 - 1})
			holds(t, filepath.Join(dir, "in/inv_UnVuOjE_20261101T123005.000Z.csv"), "sku,location,quantity\nBIKE-SET,,12\n\"A,B\",EAST,0\n")
			holds(t, filepath.Join(dir, "in/inv_UnVuOjE_20261101T123005.001Z.csv"), "sku,location,quantity\nC,,2147483647\n")
			if words, err := s.Test(t.Context()); err != nil || !strings.Contains(words, "in/ holds 2 files") {
				t.Errorf("Test: %q, %v", words, err)
			}
		})
	}
}

// spec 1: "pushed exactly as reported".
func TestSKUsAreWrittenExactly(t *testing.T) {
	t.Parallel()
	s, dir := local(t)
	skus := []string{"=1+1", "+A", "-A", "@A", `"quoted"`, "semi;colon", "tab\tbed", "two\nlines", "two\r\nlines", "é漢", " inner  space", "007", "'A", `\.`, "#x"}
	var levels []channel.Level
	for _, sku := range skus {
		levels = append(levels, channel.Level{SKU: sku, Quantity: 1})
	}
	push(t, s, "r", levels...)
	raw, err := os.ReadFile(filepath.Join(dir, "in/inv_r_20261101T123005.000Z.csv"))
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(raw), "\"two\r\nlines\",,1\n") || !strings.Contains(string(raw), "\n=1+1,,1\n") {
		t.Errorf("the file is %q", raw)
	}
	rows, err := csv.NewReader(strings.NewReader(string(raw))).ReadAll()
	if err != nil || len(rows) != len(skus)+1 {
		t.Fatal(rows, err)
	}
	for i, sku := range skus {
		if got := rows[i+1][0]; got != strings.ReplaceAll(sku, "\r\n", "\n") { // the reader's doing
			t.Errorf("%q reads back as %q", sku, got)
		}
	}
}

func TestNoFileIsOverwritten(t *testing.T) {
	t.Parallel()
	first, dir := local(t)
	push(t, first, "r", channel.Level{SKU: "A"})
	second := connect(t, exchange.Config{URL: "file://" + dir, FileRoots: []string{dir}}) // after a restart, at the same time
	push(t, second, "r", channel.Level{SKU: "B"})
	holds(t, filepath.Join(dir, "in/inv_r_20261101T123005.000Z.csv"), "sku,location,quantity\nA,,0\n")
	holds(t, filepath.Join(dir, "in/inv_r_20261101T123005.001Z.csv"), "sku,location,quantity\nB,,0\n")
}

func TestRunNeverLeadsElsewhere(t *testing.T) {
	t.Parallel()
	s, dir := local(t)
	push(t, s, "../a/b c", channel.Level{SKU: "A"})
	holds(t, filepath.Join(dir, "in/inv_---a-b-c_20261101T123005.000Z.csv"), "sku,location,quantity\nA,,0\n")
}

func TestFailures(t *testing.T) {
	t.Parallel()
	up := sftptest.Start(t)
	good := exchange.Config{URL: up.URL(t.TempDir()), Password: sftptest.Password, HostKey: up.HostKeys()[0], Network: inside}
	wrong, other, outside, gone, taken := good, good, good, good, good
	wrong.Password = "guess"
	other.HostKey = "SHA256:other"
	outside.Network = outbound.Policy{}
	gone.URL = "sftp://wms@127.0.0.1:1/x"
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	taken.URL = up.URL(file)
	for name, c := range map[string]struct {
		cfg     exchange.Config
		code    fault.Code
		verdict channel.Verdict
	}{
		"credentials":       {wrong, fault.CredentialsRefused, channel.Unsent},
		"host key":          {other, fault.HostKeyMismatch, channel.Unsent},
		"address":           {outside, fault.AddressRefused, channel.Unsent},
		"nobody there":      {gone, fault.Unreachable, channel.Unsent},
		"file in the place": {taken, fault.PathRefused, channel.Refused},
	} {
		s := connect(t, c.cfg)
		outcomes, err := s.Push(t.Context(), channel.Batch{Run: "r", Levels: make([]channel.Level, 2)})
		if fault.CodeOf(err) != c.code || len(outcomes) != 2 || outcomes[1].Verdict != c.verdict || outcomes[1].Code != string(c.code) || outcomes[1].Message == "" {
			t.Errorf("%s: %+v, %v", name, outcomes, err)
		}
		if _, err := s.Test(t.Context()); fault.CodeOf(err) != c.code {
			t.Errorf("%s: Test: %v", name, err)
		}
	}

	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	outcomes, err := connect(t, good).Push(ctx, channel.Batch{Run: "r", Levels: make([]channel.Level, 1)})
	if !errors.Is(err, context.Canceled) || outcomes[0].Verdict != channel.Unsent {
		t.Errorf("canceled: %+v, %v", outcomes, err)
	}
}

// lossy is a tree whose connection breaks so many times: after a file was written, or before.
type lossy struct {
	exchange.FS
	before, after int
	names         []string
}

func (l *lossy) WriteFile(ctx context.Context, name string, r io.Reader) error {
	l.names = append(l.names, name)
	lost := fault.New(fault.Unreachable, "the connection was lost")
	if l.before--; l.before >= 0 {
		return lost
	}
	if err := l.FS.WriteFile(ctx, name, r); err != nil {
		return err
	}
	if l.after--; l.after >= 0 {
		return lost
	}
	return nil
}

// spec 6: "resets: retried", and a file that is there although the answer was lost is not written twice.
func TestLostConnectionIsRetriedUnderTheSameName(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		before, after int
		verdict       channel.Verdict
		files, tries  int
	}{
		"before":   {2, 0, channel.Acknowledged, 1, 3},
		"after":    {0, 1, channel.Acknowledged, 1, 2},
		"for ever": {9, 0, channel.Unknown, 0, 4},
	} {
		s, dir := local(t)
		l := &lossy{FS: s.fsys, before: c.before, after: c.after}
		s.fsys = l
		outcomes, err := s.Push(t.Context(), channel.Batch{Run: "r", Levels: []channel.Level{{SKU: "A"}}})
		if outcomes[0].Verdict != c.verdict || (err == nil) != (c.verdict == channel.Acknowledged) || err != nil && fault.CodeOf(err) != fault.Unreachable {
			t.Errorf("%s: %+v, %v", name, outcomes, err)
		}
		files, err := os.ReadDir(filepath.Join(dir, "in"))
		if err != nil || len(files) != c.files || len(l.names) != c.tries || len(slices.Compact(l.names)) != 1 {
			t.Errorf("%s: %d files, attempts %v, %v", name, len(files), l.names, err)
		}
	}
}

func BenchmarkPush(b *testing.B) {
	levels := make([]channel.Level, maxBatch)
	for i := range levels {
		levels[i] = channel.Level{SKU: "SKU-0000000", Location: "EAST", Quantity: int64(i)}
	}
	server := sftptest.Start(b)
	root := b.TempDir()
	for name, cfg := range map[string]exchange.Config{
		"file": {URL: "file://" + root, FileRoots: []string{root}},
		"sftp": {URL: server.URL(root), Password: sftptest.Password, HostKey: server.HostKeys()[0], Network: inside},
	} {
		b.Run(name, func(b *testing.B) {
			s, err := New(cfg, outbound.Retry{})
			if err != nil {
				b.Fatal(err)
			}
			defer s.Close()
			for b.Loop() {
				if _, err := s.Push(b.Context(), channel.Batch{Run: "r", Levels: levels}); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(b.N)*maxBatch/b.Elapsed().Seconds(), "levels/s")
		})
	}
}

package fileexchange

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"stockbridge/internal/exchange/proftpd"
	"stockbridge/internal/exchange/sftptest"
	"stockbridge/internal/fault"
	"stockbridge/internal/outbound"
	"stockbridge/internal/warehouse"
	"stockbridge/internal/warehouse/csvreport"
)

// yesterday is when files were written, unless a test says otherwise.
var yesterday = time.Date(2026, 11, 22, 9, 0, 0, 0, time.UTC)

// partner is the directory of a warehouse, and how to reach it.
type partner struct {
	t    *testing.T
	dir  string
	cfg  Config
	opts Options
	sftp *sftptest.Server // nil for other kinds
}

// kinds are the ways to reach a directory.
var kinds = map[string]func(t *testing.T) *partner{
	"file": func(t *testing.T) *partner {
		dir := t.TempDir()
		return &partner{t: t, dir: dir, cfg: Config{URL: "file://" + dir}, opts: Options{FileRoots: []string{dir}}}
	},
	"sftp": func(t *testing.T) *partner {
		dir, server := t.TempDir(), sftptest.Start(t)
		return &partner{t: t, dir: dir, sftp: server, cfg: Config{URL: server.URL(dir), Password: sftptest.Password, HostKey: server.HostKeys()[0]}}
	},
	"sftp on ProFTPD": func(t *testing.T) *partner {
		dir := t.TempDir()
		server := proftpd.Start(t, dir)
		return &partner{t: t, dir: dir, cfg: Config{URL: server.URL("sftp", dir), PrivateKey: server.PrivateKey, HostKey: server.HostKey}}
	},
	"ftp": func(t *testing.T) *partner {
		dir := t.TempDir()
		return &partner{t: t, dir: dir, cfg: Config{URL: proftpd.Start(t, dir).URL("ftp", dir), Password: proftpd.Password}}
	},
	"ftp without MLSD": func(t *testing.T) *partner {
		dir := t.TempDir()
		return &partner{t: t, dir: dir, cfg: Config{URL: proftpd.Start(t, dir, "FactsAdvertise off").URL("ftp", dir), Password: proftpd.Password}}
	},
	"ftps": func(t *testing.T) *partner {
		dir := t.TempDir()
		server := proftpd.Start(t, dir, "TLSRequired on")
		return &partner{t: t, dir: dir, cfg: Config{URL: server.URL("ftps", dir), Password: proftpd.Password, HostKey: server.Certificate}}
	},
}

func setup(t *testing.T, kind string) *partner {
	t.Helper()
	p := kinds[kind](t)
	p.opts.Network = outbound.Policy{AllowPrivate: true}
	p.opts.Clock.Sleep = func(ctx context.Context, _ time.Duration) error { return ctx.Err() }
	p.opts.Clock.Now = func() time.Time { return time.Date(2026, 11, 23, 9, 0, 0, 0, time.UTC) }
	return p
}

// onEach runs a test on every kind of directory.
func onEach(t *testing.T, test func(t *testing.T, p *partner)) {
	t.Parallel()
	for kind := range kinds {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			test(t, setup(t, kind))
		})
	}
}

func (p *partner) source() *Source {
	p.t.Helper()
	s, err := New(p.cfg, p.opts)
	if err != nil {
		p.t.Fatal(err)
	}
	p.t.Cleanup(func() { s.Close() })
	return s
}

// put writes a file as of yesterday, so many hours later.
func (p *partner) put(name, text string, hours int) {
	p.t.Helper()
	path, at := filepath.Join(p.dir, name), yesterday.Add(time.Duration(hours)*time.Hour)
	if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o755), os.WriteFile(path, []byte(text), 0o644), os.Chtimes(path, at, at)); err != nil {
		p.t.Fatal(err)
	}
}

func (p *partner) text(name string) string {
	p.t.Helper()
	text, err := os.ReadFile(filepath.Join(p.dir, name))
	if err != nil {
		p.t.Fatal(err)
	}
	return string(text)
}

// files lists all files, as paths.
func (p *partner) files() string {
	p.t.Helper()
	var all []string
	err := filepath.WalkDir(p.dir, func(path string, d os.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			path, err = filepath.Rel(p.dir, path)
			all = append(all, filepath.ToSlash(path))
		}
		return err
	})
	if err != nil {
		p.t.Fatal(err)
	}
	slices.Sort(all)
	return strings.Join(all, " ")
}

// next answers the next report, nil when there is none.
func (p *partner) next(s *Source) warehouse.Report {
	p.t.Helper()
	r, err := s.Next(p.t.Context())
	if err == io.EOF {
		return nil
	}
	if err != nil {
		p.t.Fatal(err)
	}
	return r
}

// names reads all reports a source offers, and says which.
func (p *partner) names(s *Source) string {
	p.t.Helper()
	var names []string
	for r := p.next(s); r != nil; r = p.next(s) {
		names = append(names, r.Name())
	}
	return strings.Join(names, " ")
}

// rows reads a report as "SKU=available".
func rows(t *testing.T, r warehouse.Report) (string, error) {
	t.Helper()
	var all []string
	err := r.Read(t.Context(), func(l warehouse.Level, e *warehouse.RowError) error {
		if e != nil {
			all = append(all, e.Error())
		} else {
			all = append(all, fmt.Sprintf("%s=%d", l.SKU, l.Available.Units))
		}
		return nil
	})
	return strings.Join(all, " "), err
}

const file = "sku,available\nA,1\n"

// wire.md: "Picks up out/inv_*.csv, each name once, oldest first by modification time then name".
func TestReportsAreOfferedOldestFirstEachOnce(t *testing.T) {
	onEach(t, func(t *testing.T, p *partner) {
		p.put("out/inv_9.csv", file, 0)
		p.put("out/inv_b.csv", file, 1)
		p.put("out/inv_a.csv", file, 1)
		p.put("out/inv_0 ä.csv", file, 2)
		for _, other := range []string{"out/inv.csv", "out/inv_1.csv.bak", "out/INV_1.csv", "inv_1.csv", "in/inv_1.csv", "out/deep/inv_1.csv", "out/inv_d.csv/x"} {
			p.put(other, file, 0)
		}
		if err := os.Symlink("inv.csv", filepath.Join(p.dir, "out/inv_link.csv")); err != nil {
			t.Fatal(err)
		}
		s := p.source()
		if got := p.names(s); got != "inv_9.csv inv_a.csv inv_b.csv inv_0 ä.csv" {
			t.Errorf("offered %q", got)
		}
		p.put("out/inv_c.csv", file, 0)
		if got := p.names(s); got != "inv_c.csv" {
			t.Errorf("the same source then offered %q", got)
		}
		if got := p.names(p.source()); got != "inv_9.csv inv_c.csv inv_a.csv inv_b.csv inv_0 ä.csv" {
			t.Errorf("a new source offered %q", got)
		}
	})
}

func TestNothingWaits(t *testing.T) { // spec 3.8
	onEach(t, func(t *testing.T, p *partner) {
		p.opts.Clock.Sleep = func(context.Context, time.Duration) error { t.Error("waited for nothing"); return nil }
		s := p.source()
		words, err := s.Test(t.Context())
		if got := p.names(s); got != "" || err != nil || !strings.Contains(words, "out/inv_*.csv: 0") {
			t.Errorf("without out/: %q; Test says %q, %v", got, words, err)
		}
		if err := os.Remove(p.dir); err != nil {
			t.Fatal(err)
		}
		_, nextErr := s.Next(t.Context())
		_, testErr := s.Test(t.Context())
		if fault.CodeOf(nextErr) != fault.PathRefused || fault.CodeOf(testErr) != fault.PathRefused {
			t.Errorf("without the directory: %v; %v", nextErr, testErr)
		}
	})
}

func TestFileThatRestsNeedsOneLook(t *testing.T) { // wire.md
	t.Parallel()
	p := setup(t, "file")
	p.put("out/inv_1.csv", file, 0)
	p.opts.Clock.Sleep = func(context.Context, time.Duration) error { return errors.New("a second look") }
	if got := p.names(p.source()); got != "inv_1.csv" {
		t.Errorf("offered %q", got)
	}
	p.opts.Clock.Now = func() time.Time { return yesterday.Add(10*settle - 1) }
	if _, err := p.source().Next(t.Context()); err == nil || !strings.Contains(err.Error(), "a second look") {
		t.Errorf("a young file: %v", err)
	}
}

func TestFileStillBeingWrittenWaits(t *testing.T) { // wire.md
	onEach(t, func(t *testing.T, p *partner) {
		for _, name := range []string{"inv_1.csv", "inv_2.csv", "inv_2.csv.part", "inv_3.csv", "inv_3.csv.tmp", "inv_4.csv", "inv_4.part", "inv_5.csv", "inv_6.csv", "inv_7.csv", "inv_9.csv"} {
			p.put("out/"+name, file, 0)
		}
		p.opts.Clock.Now = func() time.Time { return yesterday.Add(time.Second) }
		sleep := p.opts.Clock.Sleep
		p.opts.Clock.Sleep = func(ctx context.Context, d time.Duration) error {
			if d < time.Second || d > 5*time.Second {
				t.Errorf("between looks it waits %v", d)
			}
			p.put("out/inv_5.csv", file+"B,2\n", 0) // grew
			p.put("out/inv_6.csv", file, 1)         // was written again
			p.put("out/inv_8.csv", file, 0)         // appeared
			return errors.Join(os.Remove(filepath.Join(p.dir, "out/inv_9.csv")), sleep(ctx, d))
		}
		s := p.source()
		r := p.next(s)
		if r == nil || r.Name() != "inv_1.csv" {
			t.Fatalf("offered first: %v", r)
		}
		p.put("out/inv_7.csv", file+"C,3\n", 0) // changed since the looks
		if got := p.names(s); got != "" {
			t.Errorf("offered %q too", got)
		}
		waiting := strings.Join(s.Waiting(), "\n")
		for _, want := range []string{"inv_2.csv waits for the next pull: inv_2.csv.part stands", "inv_3.csv.tmp stands", "inv_4.part stands",
			"inv_5.csv waits for the next pull: it is still being written", "inv_6.csv waits", "inv_7.csv waits", "inv_8.csv waits"} {
			if !strings.Contains(waiting, want) {
				t.Errorf("waiting are\n%s\nwithout %q", waiting, want)
			}
		}
		p.opts.Clock.Sleep = sleep
		if got := p.names(p.source()); got != "inv_1.csv inv_5.csv inv_7.csv inv_8.csv inv_6.csv" {
			t.Errorf("the next pull offers %q", got)
		}
		words, err := p.source().Test(t.Context())
		if err != nil || !strings.HasSuffix(words, "out/inv_*.csv: 8, oldest inv_1.csv; still being written: 3") {
			t.Errorf("Test says %q, %v", words, err)
		}
	})
}

func TestUnfinishedFileIsNoReportWhateverThePattern(t *testing.T) {
	t.Parallel()
	p := setup(t, "file")
	p.cfg.Files = "stock*"
	for _, name := range []string{"stock1", "stock2.part", "stock3.tmp", "stock4.csv", "stock4.csv.tmp"} {
		p.put(name, file, 0)
	}
	if got := p.names(p.source()); got != "stock1" {
		t.Errorf("offered %q", got)
	}
}

func TestLooksAreApartByTheRealClockToo(t *testing.T) {
	t.Parallel()
	p := setup(t, "file")
	p.put("out/inv_1.csv", file, 0)
	p.opts.Clock = outbound.Clock{}
	synctest.Test(t, func(t *testing.T) {
		s, start := p.source(), time.Now()
		if r, err := s.Next(t.Context()); err != nil || r.Name() != "inv_1.csv" || time.Since(start) != settle {
			t.Errorf("offered %v, %v after %v", r, err, time.Since(start))
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if _, err := p.source().Next(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("without the time to wait: %v", err)
		}
	})
}

func TestSettingIsCheckedBeforeAnyDial(t *testing.T) {
	t.Parallel()
	root := t.TempDir()
	sftp := func(c Config) Config {
		c.URL, c.HostKey = "sftp://wms@127.0.0.1/dir", "SHA256:AAAA"
		return c
	}
	for name, tt := range map[string]struct {
		cfg    Config
		faults string
	}{
		"local":         {Config{URL: "file://" + root + "/a"}, ""},
		"remote":        {sftp(Config{Password: "x", AfterImport: Delete, Files: "export/stock-[0-9]*.txt", Columns: csvreport.Columns{SKU: "1", OnHand: "2"}}), ""},
		"top directory": {sftp(Config{Password: "x", Files: "*.csv"}), ""},
		"no root":       {Config{URL: "file:///etc"}, "url PATH_REFUSED"},
		"no sign-in":    {sftp(Config{}), "password BLANK"},
		"after import":  {sftp(Config{Password: "x", AfterImport: "KEEP"}), "afterImport INVALID"},
		"files":         {sftp(Config{Password: "x", Files: "../*.csv"}), "files INVALID"},
		"files's dir":   {sftp(Config{Password: "x", Files: "*/inv.csv"}), "files INVALID"},
		"pattern":       {sftp(Config{Password: "x", Files: "out/[.csv"}), "files INVALID"},
		"several":       {Config{URL: "gopher://x", AfterImport: "?", Columns: csvreport.Columns{SKU: "-"}}, "afterImport INVALID, columns.sku INVALID, url INVALID"},
	} {
		_, err := New(tt.cfg, Options{FileRoots: []string{root}})
		var got []string
		var list fault.List
		if errors.As(err, &list) {
			for _, f := range list {
				got = append(got, strings.Join(f.Field, ".")+" "+string(f.Code))
			}
		}
		if strings.Join(got, ", ") != tt.faults || (err == nil) != (tt.faults == "") {
			t.Errorf("%s: %v; want %q", name, err, tt.faults)
		}
	}
}

// wire.md: "the host key must be given or pinned on first use".
func TestHostKeyIsPinnedAndThenDemanded(t *testing.T) {
	t.Parallel()
	p := setup(t, "sftp")
	p.put("out/inv_1.csv", file, 0)
	shown := p.cfg.HostKey
	p.cfg.HostKey = ""
	var pinned []string
	p.opts.Pin = func(_ context.Context, key string) error { pinned = append(pinned, key); return nil }
	s := p.source()
	if got := p.names(s); got != "inv_1.csv" || len(pinned) != 1 || pinned[0] != shown {
		t.Errorf("offered %q, pinned %q; shown was %q", got, pinned, shown)
	}
	p.cfg.HostKey = pinned[0]
	p.sftp.SetHostKeys(t, "ssh-ed25519")
	_, err := p.source().Next(t.Context())
	if fault.CodeOf(err) != fault.HostKeyMismatch || strings.Count(fault.Message(err), "SHA256:") != 2 {
		t.Errorf("another key: %v", err)
	}
}

// spec 6: time-outs and resets are retried; credentials and addresses that are refused are not.
func TestUnreachableServerIsTriedAgain(t *testing.T) {
	t.Parallel()
	p := setup(t, "sftp")
	var waits []time.Duration
	p.opts.Clock.Sleep = func(_ context.Context, d time.Duration) error { waits = append(waits, d); return nil }
	p.cfg.URL = "sftp://wms@127.0.0.1:1/"
	if _, err := p.source().Next(t.Context()); fault.CodeOf(err) != fault.Unreachable || len(waits) != 3 || waits[2] < waits[0] {
		t.Errorf("nobody there: %v after waits %v", err, waits)
	}
	waits = nil
	p.opts.Network = outbound.Policy{}
	if _, err := p.source().Next(t.Context()); fault.CodeOf(err) != fault.AddressRefused || len(waits) != 0 {
		t.Errorf("private address: %v after waits %v", err, waits)
	}
	p = setup(t, "sftp")
	p.cfg.Password = "wrong"
	if _, err := p.source().Test(t.Context()); fault.CodeOf(err) != fault.CredentialsRefused || !strings.Contains(err.Error(), "credentials refused") {
		t.Errorf("wrong password: %v", err)
	}
}

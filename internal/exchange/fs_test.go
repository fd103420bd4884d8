package exchange_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"stockbridge/internal/exchange"
	"stockbridge/internal/exchange/proftpd"
	"stockbridge/internal/exchange/sftptest"
	"stockbridge/internal/fault"
	"stockbridge/internal/outbound"
)

// tree is an FS and the local directory behind it.
type tree struct {
	exchange.FS
	dir string
}

// trees opens an empty directory by every kind of URL.
var trees = map[string]func(t *testing.T) tree{
	"file": func(t *testing.T) tree {
		root := t.TempDir()
		dir := filepath.Join(root, "shop one")
		mkdir(t, dir)
		return tree{open(t, exchange.Config{URL: "file://" + strings.ReplaceAll(dir, " ", "%20"), FileRoots: []string{root}}), dir}
	},
	"sftp": func(t *testing.T) tree {
		dir := t.TempDir()
		s := sftptest.Start(t)
		return tree{open(t, exchange.Config{
			URL: s.URL(dir), Password: sftptest.Password, HostKey: s.HostKeys()[0],
			Network: outbound.Policy{AllowPrivate: true},
		}), dir}
	},
	"sftp on ProFTPD": func(t *testing.T) tree {
		dir := t.TempDir()
		return onProFTPD(t, proftpd.Start(t, dir), "sftp", dir)
	},
	"ftp": func(t *testing.T) tree {
		dir := t.TempDir()
		return onProFTPD(t, proftpd.Start(t, dir), "ftp", dir)
	},
	"ftp below home": func(t *testing.T) tree {
		home := t.TempDir()
		dir := filepath.Join(home, "shop one")
		mkdir(t, dir)
		tr := onProFTPD(t, proftpd.Start(t, home), "ftp", "/~/shop one")
		tr.dir = dir
		return tr
	},
	"ftp without MLSD": func(t *testing.T) tree {
		dir := t.TempDir()
		return onProFTPD(t, proftpd.Start(t, dir, "FactsAdvertise off"), "ftp", dir)
	},
	"ftps": func(t *testing.T) tree {
		dir := t.TempDir()
		return onProFTPD(t, proftpd.Start(t, dir, "TLSRequired on"), "ftps", dir)
	},
	"ftps, TLS 1.2": func(t *testing.T) tree {
		dir := t.TempDir()
		return onProFTPD(t, proftpd.Start(t, dir, "TLSRequired on", "TLSProtocol TLSv1.2", "TLSSessionTickets on"), "ftps", dir)
	},
}

// onProFTPD opens dir, as the server knows it, by one of its protocols.
func onProFTPD(t *testing.T, s *proftpd.Server, scheme, dir string) tree {
	cfg := exchange.Config{URL: s.URL(scheme, dir), Network: inside}
	switch scheme {
	case "sftp":
		cfg.PrivateKey, cfg.HostKey = s.PrivateKey, s.HostKey
	case "ftps":
		cfg.HostKey = s.Certificate
		fallthrough
	case "ftp":
		cfg.Password = proftpd.Password
	}
	return tree{open(t, cfg), dir}
}

func open(t *testing.T, cfg exchange.Config) exchange.FS {
	t.Helper()
	fsys, err := exchange.Open(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := fsys.Close(); err != nil {
			t.Error(err)
		}
	})
	return fsys
}

func eachTree(t *testing.T, f func(t *testing.T, fsys tree)) {
	t.Parallel()
	for name, open := range trees {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f(t, open(t))
		})
	}
}

func mkdir(t *testing.T, dir string) {
	t.Helper()
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
}

func put(t *testing.T, path, text string) {
	t.Helper()
	mkdir(t, filepath.Dir(path))
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

func chtimes(t *testing.T, path string, at time.Time) {
	t.Helper()
	if err := os.Chtimes(path, at, at); err != nil {
		t.Fatal(err)
	}
}

func names(t *testing.T, fsys exchange.FS, dir string) string {
	t.Helper()
	list, err := fsys.List(t.Context(), dir)
	if err != nil {
		t.Fatal(err)
	}
	var all []string
	for _, info := range list {
		all = append(all, info.Name())
	}
	return strings.Join(all, " ")
}

// wire.md: "to a temporary name first, then renamed".
func TestFileAppearsWholeAndUnderItsNameOnly(t *testing.T) {
	eachTree(t, func(t *testing.T, fsys tree) {
		if err := fsys.MkdirAll(t.Context(), "in/deep"); err != nil {
			t.Fatal(err)
		}
		if err := fsys.MkdirAll(t.Context(), "in/deep"); err != nil {
			t.Fatalf("a directory that is there already: %v", err)
		}
		put(t, filepath.Join(fsys.dir, "in/a.csv.tmp"), "left by a crash, and longer than what follows")
		for name, size := range map[string]int{"in/a.csv": 12, "in/b.csv": 3_000_000, "in/c.csv": 0} {
			want := bytes.Repeat([]byte("sku,1\n"), size/6)
			if err := fsys.WriteFile(t.Context(), name, bytes.NewReader(want)); err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			got, err := os.ReadFile(filepath.Join(fsys.dir, name))
			if err != nil || !bytes.Equal(got, want) {
				t.Errorf("%s holds %d bytes (%v), want %d", name, len(got), err, len(want))
			}
			r, err := fsys.Open(t.Context(), name)
			if err != nil {
				t.Fatal(err)
			}
			got, err = io.ReadAll(r)
			if err = errors.Join(err, r.Close()); err != nil || !bytes.Equal(got, want) {
				t.Errorf("%s reads %d bytes (%v), want %d", name, len(got), err, len(want))
			}
			if info, err := fsys.Stat(t.Context(), name); err != nil || info.Size() != int64(len(want)) || info.IsDir() {
				t.Errorf("%s: Stat = %v, %v", name, info, err)
			}
		}
		if got := names(t, fsys, "in"); got != "a.csv b.csv c.csv deep" {
			t.Errorf("in holds %q", got)
		}
	})
}

func TestNothingIsOverwritten(t *testing.T) {
	eachTree(t, func(t *testing.T, fsys tree) {
		put(t, filepath.Join(fsys.dir, "a.csv"), "first")
		put(t, filepath.Join(fsys.dir, "b.csv"), "second")
		for what, err := range map[string]error{
			"write":  fsys.WriteFile(t.Context(), "a.csv", strings.NewReader("third")),
			"rename": fsys.Rename(t.Context(), "b.csv", "a.csv"),
		} {
			if !errors.Is(err, fs.ErrExist) || fault.CodeOf(err) != fault.PathRefused || !strings.Contains(err.Error(), "taken") {
				t.Errorf("%s over a file: %v", what, err)
			}
		}
		if got, err := os.ReadFile(filepath.Join(fsys.dir, "a.csv")); string(got) != "first" {
			t.Errorf("a.csv now holds %q, %v", got, err)
		}
		if got := names(t, fsys, "."); got != "a.csv b.csv" {
			t.Errorf("the directory holds %q", got)
		}
	})
}

func TestFilesMoveAndGo(t *testing.T) {
	eachTree(t, func(t *testing.T, fsys tree) {
		put(t, filepath.Join(fsys.dir, "out/a.csv"), "x")
		put(t, filepath.Join(fsys.dir, "out/b.csv"), "y")
		if err := errors.Join(
			fsys.MkdirAll(t.Context(), "out/processed"),
			fsys.Rename(t.Context(), "out/a.csv", "out/processed/a.csv"),
			fsys.Remove(t.Context(), "out/b.csv"),
		); err != nil {
			t.Fatal(err)
		}
		if got := names(t, fsys, "out") + "/" + names(t, fsys, "out/processed"); got != "processed/a.csv" {
			t.Errorf("out holds %q", got)
		}
	})
}

func TestBrokenSourceLeavesNothing(t *testing.T) {
	eachTree(t, func(t *testing.T, fsys tree) {
		broken := errors.New("database gone")
		err := fsys.WriteFile(t.Context(), "a.csv", io.MultiReader(strings.NewReader("sku"), iotest.ErrReader(broken)))
		if !errors.Is(err, broken) || fault.CodeOf(err) != "" {
			t.Errorf("err = %v", err)
		}
		if got := names(t, fsys, "."); got != "" {
			t.Errorf("the directory holds %q", got)
		}
	})
}

func TestNoNameLeadsOut(t *testing.T) {
	eachTree(t, func(t *testing.T, fsys tree) {
		secret := filepath.Join(filepath.Dir(fsys.dir), "secret")
		put(t, secret, "x")
		for _, name := range []string{"../secret", "/etc/passwd", "in/../../secret", "", "in//a", "./a", "a\xff"} {
			_, err := fsys.Open(t.Context(), name)
			err2 := fsys.Rename(t.Context(), "a", name)
			if fault.CodeOf(err) != fault.PathRefused || fault.CodeOf(err2) != fault.PathRefused {
				t.Errorf("%q: %v; %v", name, err, err2)
			}
		}
	})
}

func TestWhatIsNotThereOrNoFile(t *testing.T) {
	eachTree(t, func(t *testing.T, fsys tree) {
		mkdir(t, filepath.Join(fsys.dir, "d"))
		ctx := t.Context()
		_, list := fsys.List(ctx, "none")
		_, stat := fsys.Stat(ctx, "none")
		_, open := fsys.Open(ctx, "none")
		for op, err := range map[string]error{
			"list": list, "stat": stat, "open": open, "remove": fsys.Remove(ctx, "none"), "rename": fsys.Rename(ctx, "none", "more"),
			"write": fsys.WriteFile(ctx, "none/a", strings.NewReader("x")),
		} {
			if !errors.Is(err, fs.ErrNotExist) || fault.CodeOf(err) != fault.PathRefused || !strings.Contains(fault.Message(err), "none") {
				t.Errorf("%s: %v", op, err)
			}
		}
		if _, err := fsys.Open(ctx, "d"); fault.CodeOf(err) != fault.PathRefused {
			t.Errorf("open a directory: %v", err)
		}
	})
}

func TestCanceledContextEndsEverything(t *testing.T) {
	eachTree(t, func(t *testing.T, fsys tree) {
		put(t, filepath.Join(fsys.dir, "a"), strings.Repeat("x", 1<<20))
		ctx, cancel := context.WithCancel(t.Context())
		r, err := fsys.Open(ctx, "a")
		if err != nil {
			t.Fatal(err)
		}
		cancel()
		_, readErr := io.Copy(io.Discard, r)
		_, listErr := fsys.List(ctx, ".")
		for op, err := range map[string]error{
			"read": readErr, "list": listErr, "write": fsys.WriteFile(ctx, "b", strings.NewReader("x")),
		} {
			if !errors.Is(err, context.Canceled) {
				t.Errorf("%s: %v", op, err)
			}
		}
		_ = r.Close() // its connection may be gone
		if got := names(t, fsys, "."); got != "a" {
			t.Errorf("after all that, the directory holds %q", got)
		}
	})
}

package access

import (
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
)

// spec 5.5: without --secret-key the server keeps a key of its own.
func TestKeyFileIsMadeOnce(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "stockbridge.key")
	first, err := LoadOrCreateKeyFile(path)
	if err != nil {
		t.Fatal(err)
	}
	again, err := LoadOrCreateKeyFile(path)
	if err != nil || again != first {
		t.Errorf("got %q, %v; want %q", again, err, first)
	}
	if _, err := NewSealer(first); err != nil || len(first) != 64 {
		t.Errorf("%q: %v", first, err)
	}
	if info, err := os.Stat(path); err != nil || runtime.GOOS != "windows" && info.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v", info.Mode(), err)
	}
}

// Whoever starts at the same time gets the same key, and no attempt is left lying about.
func TestKeyFileRace(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	keys := make([]string, 32)
	start := make(chan struct{})
	var wg sync.WaitGroup
	for i := range keys {
		wg.Go(func() {
			<-start
			key, err := LoadOrCreateKeyFile(filepath.Join(dir, "stockbridge.key"))
			if err != nil {
				t.Error(err)
			}
			keys[i] = key
		})
	}
	close(start)
	wg.Wait()
	for _, key := range keys {
		if key != keys[0] {
			t.Fatalf("%q and %q", keys[0], key)
		}
	}
	if left, err := os.ReadDir(dir); err != nil || len(left) != 1 {
		t.Errorf("%v, %v", left, err)
	}
}

func TestKeyFileRefused(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name string
		make func(path string) error
		says string
	}{
		{"others may read it", func(p string) error { return write(p, testKey, 0o640) }, "chmod 600"},
		{"others may write it", func(p string) error { return write(p, testKey, 0o602) }, "chmod 600"},
		{"empty", func(p string) error { return write(p, "", 0o600) }, "no key"},
		{"cut short", func(p string) error { return write(p, testKey[:40], 0o600) }, "no key"},
		{"too long", func(p string) error { return write(p, strings.Repeat(testKey, 100), 0o600) }, "no key"},
		{"a directory", func(p string) error { return os.Mkdir(p, 0o700) }, "not a file"},
		{"nowhere to make it", func(p string) error { return os.Remove(filepath.Dir(p)) }, "--secret-key"},
		{"a link to nothing", func(p string) error { return os.Symlink(p+".gone", p) }, "no such file"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			if runtime.GOOS == "windows" {
				t.Skip("file modes and symbolic links are others on Windows")
			}
			path := filepath.Join(t.TempDir(), "sub", "stockbridge.key")
			if err := os.Mkdir(filepath.Dir(path), 0o700); err != nil {
				t.Fatal(err)
			}
			if err := tt.make(path); err != nil {
				t.Fatal(err)
			}
			if key, err := LoadOrCreateKeyFile(path); key != "" || err == nil || !strings.Contains(err.Error(), tt.says) || strings.Contains(err.Error(), testKey[:40]) {
				t.Errorf("got %q, %v", key, err)
			}
		})
	}
}

// write makes a file with a mode that no umask changes.
func write(path, text string, mode os.FileMode) error {
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		return err
	}
	return os.Chmod(path, mode)
}

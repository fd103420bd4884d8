package access

import (
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
)

// LoadOrCreateKeyFile returns the secret key in a file, for where none is given (--secret-key). When there is no
// such file it makes one, with a new key, that its owner alone can read. Of several processes that do so at once
// one makes it, and all return the same key. A file that others can read, or that holds no whole key, is refused.
func LoadOrCreateKeyFile(path string) (string, error) {
	key, err := readKeyFile(path)
	if !errors.Is(err, fs.ErrNotExist) {
		return key, err
	}
	if err := createKeyFile(path); err != nil && !errors.Is(err, fs.ErrExist) {
		return "", fmt.Errorf("create key file %s: %w; make it writable there, or give the key with --secret-key", path, err)
	}
	return readKeyFile(path)
}

func readKeyFile(path string) (string, error) {
	f, err := os.Open(path)
	if err != nil {
		return "", fmt.Errorf("open key file: %w", err)
	}
	defer f.Close() // read only
	info, err := f.Stat()
	if err != nil {
		return "", fmt.Errorf("read key file: %w", err)
	}
	if !info.Mode().IsRegular() {
		return "", fmt.Errorf("key file %s is not a file", path)
	}
	// Windows has no such bits.
	if runtime.GOOS != "windows" && info.Mode().Perm()&0o077 != 0 {
		return "", fmt.Errorf("key file %s can be read or written by others (mode %04o), who may then know the credentials; change that with: chmod 600 %s",
			path, info.Mode().Perm(), path)
	}
	text, err := io.ReadAll(io.LimitReader(f, 1024))
	if err != nil {
		return "", fmt.Errorf("read key file: %w", err)
	}
	key := strings.TrimSpace(string(text))
	// No passphrases here: what is left of a damaged file would pass for one.
	if _, ok := decodeKey(key); !ok {
		return "", fmt.Errorf("key file %s holds no key of 32 bytes; restore it, or, if no credentials are stored yet, remove it and one is made anew", path)
	}
	return key, nil
}

// createKeyFile writes a new key to a file that nobody else looks at, and then gives it the name, which must be
// free: so nobody ever reads half a key, and nobody's key is written over.
func createKeyFile(path string) (err error) {
	dir := filepath.Dir(path)
	f, err := os.CreateTemp(dir, "."+filepath.Base(path)+".*") // mode 0600
	if err != nil {
		return err
	}
	defer func() {
		err = errors.Join(err, os.Remove(f.Name()))
	}()
	var key [keyBytes]byte
	rand.Read(key[:]) // never fails
	_, err = f.WriteString(hex.EncodeToString(key[:]) + "\n")
	if err := errors.Join(err, f.Sync(), f.Close()); err != nil {
		return err
	}
	if err := os.Link(f.Name(), path); err != nil {
		return err
	}
	return syncDir(dir)
}

// syncDir makes sure that a new name in a directory outlives a crash: what is sealed with a lost key is lost too.
func syncDir(dir string) error {
	if runtime.GOOS == "windows" { // cannot, and need not
		return nil
	}
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

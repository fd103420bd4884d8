package database

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/gofrs/flock"
)

// lockFile makes this process the one that works on an SQLite database, as long as it does not call the function returned. The
// lock is the operating system's, on a file beside the database, and goes with a process however it ends. It is not on the
// database file: closing that would take SQLite's own locks away. Another process is refused at once.
func (db *DB) lockFile() (unlock func() error, err error) {
	path := db.path
	if real, err := filepath.EvalSymlinks(path); err == nil {
		path = real
	} else if dir, err := filepath.EvalSymlinks(filepath.Dir(path)); err == nil { // it is made only now
		path = filepath.Join(dir, filepath.Base(path))
	}
	path += ".lock"
	lock := flock.New(path)
	switch ok, err := lock.TryLock(); {
	case err != nil:
		return nil, fmt.Errorf("lock the database: %w", err)
	case !ok:
		who := ""
		if text, err := os.ReadFile(path); err == nil {
			if pid, err := strconv.Atoi(strings.TrimSpace(string(text))); err == nil {
				who = fmt.Sprintf(" (pid %d)", pid)
			}
		}
		return nil, fmt.Errorf("another stockbridge process%s works on %s: ask it through its API, or stop it first; several processes at a time need PostgreSQL", who, db.path)
	}
	// For people alone; some systems let nobody write a locked file.
	_ = os.WriteFile(path, []byte(strconv.Itoa(os.Getpid())+"\n"), 0o600)
	return lock.Close, nil
}

// Package trytonreal runs a real Tryton on loopback for tests: trytond with the module stock on a SQLite file of its own, a
// company, and a warehouse whose stock is confirmed in Tryton itself, by inventories and moves.
package trytonreal

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"time"
)

// Packages are what Debian calls the parts that Start needs.
const Packages = "tryton-server tryton-modules-stock"

// What lets a client in.
const (
	Database = "wms"
	Username = "admin"
	Password = "Bicycle-42xz!"
)

// Server is a running Tryton. Its methods fail the test that started it.
type Server struct {
	URL string // http://127.0.0.1:port

	tb       testing.TB
	dir      string
	session  string // signs calls
	company  int
	unit     int // of measure
	storage  int // location
	customer int // location
}

// Start runs a server until the test ends. Where Tryton is not installed the test is skipped, or fails when CI=true.
//
// The database takes half a minute to set up, so that it is made once and copied: it is kept in the user's cache directory for later
// runs, by the version of Tryton and of this package's own setup.
func Start(tb testing.TB) *Server {
	tb.Helper()
	for _, program := range []string{"trytond", "trytond-admin"} {
		if _, err := exec.LookPath(program); err != nil {
			missing(tb, "%s is not installed (apt-get install %s)", program, Packages)
		}
	}
	template, err := template()
	if errors.Is(err, errNoStock) {
		missing(tb, "%v (apt-get install %s)", err, Packages)
	}
	s := &Server{tb: tb, dir: tb.TempDir()}
	s.check(err)
	s.check(duplicate(template, filepath.Join(s.dir, Database+".sqlite")))
	s.run()
	s.signIn()
	s.setUp()
	return s
}

func missing(tb testing.TB, format string, args ...any) {
	tb.Helper()
	if os.Getenv("CI") == "true" {
		tb.Fatalf(format, args...)
	}
	tb.Skipf(format, args...)
}

func (s *Server) check(err error) {
	s.tb.Helper()
	if err != nil {
		s.tb.Fatal(err)
	}
}

var errNoStock = errors.New("the module stock of Tryton is not installed")

// template is the file of a database with the modules set up and nothing else.
func template() (string, error) {
	version, err := exec.Command("trytond", "--version").Output()
	if err != nil {
		return "", fmt.Errorf("trytond --version: %w", err)
	}
	cache, err := os.UserCacheDir()
	if err != nil {
		cache = os.TempDir()
	}
	cache = filepath.Join(cache, "stockbridge-tryton")
	if err := os.MkdirAll(cache, 0o700); err != nil {
		return "", err
	}
	made := filepath.Join(cache, fmt.Sprintf("%x", sha256.Sum256(append(version, "1 "+Password...)))[:16]+".sqlite")
	// Two processes may come here at once: the second waits for the first.
	lock, err := os.OpenFile(filepath.Join(cache, "lock"), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return "", err
	}
	defer lock.Close() //nolint:errcheck // nothing was written
	if err := syscall.Flock(int(lock.Fd()), syscall.LOCK_EX); err != nil {
		return "", err
	}
	if _, err := os.Stat(made); err == nil {
		return made, nil
	}
	dir, err := os.MkdirTemp(cache, "new")
	if err != nil {
		return "", err
	}
	defer os.RemoveAll(dir) //nolint:errcheck // only what was moved away matters
	conf, err := configure(dir, "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	file := filepath.Join(dir, Database+".sqlite")
	if err := errors.Join(os.WriteFile(file, nil, 0o600), os.WriteFile(filepath.Join(dir, "password"), []byte(Password), 0o600)); err != nil {
		return "", err
	}
	cmd := exec.Command("trytond-admin", "-c", conf, "-d", Database, "--all", "-u", "stock", "company", "--activate-dependencies", "--email", "admin@example.com") //nolint:gosec // our own arguments
	cmd.Env = append(os.Environ(), "TRYTONPASSFILE="+filepath.Join(dir, "password"))
	if out, err := cmd.CombinedOutput(); err != nil {
		if bytes.Contains(out, []byte("File not found")) { // of a module
			return "", errNoStock
		}
		return "", fmt.Errorf("trytond-admin: %w: %s", err, out)
	}
	return made, os.Rename(file, made)
}

// configure writes the server's configuration into a directory.
func configure(dir, listen string) (string, error) {
	file := filepath.Join(dir, "trytond.conf")
	return file, os.WriteFile(file, fmt.Appendf(nil, "[database]\nuri = sqlite://\npath = %s\n[web]\nlisten = %s\n", dir, listen), 0o600)
}

func duplicate(from, to string) error {
	in, err := os.Open(from) //nolint:gosec // our own file
	if err != nil {
		return err
	}
	defer in.Close()                                                      //nolint:errcheck // read only
	out, err := os.OpenFile(to, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600) //nolint:gosec // our own file
	if err != nil {
		return err
	}
	_, err = io.Copy(out, in)
	return errors.Join(err, out.Close())
}

// run starts trytond on a port that is free now: it takes no listener handed over.
func (s *Server) run() {
	s.tb.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	s.check(err)
	addr := l.Addr().String()
	s.check(l.Close())
	s.URL = "http://" + addr
	conf, err := configure(s.dir, addr)
	s.check(err)

	var out bytes.Buffer
	cmd := exec.Command("trytond", "-c", conf, "-d", Database) //nolint:gosec // our own arguments
	cmd.Stdout, cmd.Stderr = &out, &out
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	s.check(cmd.Start())
	exited := make(chan struct{})
	var exit error
	go func() {
		exit = cmd.Wait()
		close(exited)
	}()
	s.tb.Cleanup(func() {
		_ = cmd.Process.Kill() // it may have died by itself
		<-exited
		if s.tb.Failed() {
			s.tb.Logf("Tryton said:\n%s", out.Bytes())
		}
	})
	for {
		c, err := net.DialTimeout("tcp", addr, time.Second)
		if err == nil {
			s.check(c.Close())
			return
		}
		select {
		case <-exited:
			s.tb.Fatalf("Tryton ended (%v): %s", exit, &out)
		case <-time.After(20 * time.Millisecond): // it does not tell when it is ready
		}
	}
}

// Package exchange is the directory that a file exchange reads from or writes to
// (wire.md, "File exchange"): a local one below the server's file roots, or one behind SFTP, FTP or FTPS.
package exchange

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/url"
	"time"

	"stockbridge/internal/fault"
	"stockbridge/internal/outbound"
)

// FS is the directory a URL names. Names are slash-separated and relative to it,
// as fs.ValidPath has them; "." is the directory itself. An FS is used by one goroutine
// at a time.
//
// What the other side says no to is a fault with code PATH_REFUSED, in whose chain
// fs.ErrNotExist, fs.ErrExist and fs.ErrPermission are found. Remote trees also answer
// UNREACHABLE, CREDENTIALS_REFUSED, HOST_KEY_MISMATCH (certificates included), ADDRESS_REFUSED, and REFUSED where FTPS is asked
// for and not offered. A canceled context ends any operation at once with the context's error.
type FS interface {
	// List returns what dir holds, in order of name. Links are told as links.
	List(ctx context.Context, dir string) ([]fs.FileInfo, error)
	// Stat tells of a file or directory; links are followed.
	Stat(ctx context.Context, name string) (fs.FileInfo, error)
	// Open reads a regular file. The context holds until the reader is closed. Where a connection is lost on the way, a remote
	// file is read on from there over a new one, if it is still the same (size and time); else the error is ErrChanged.
	Open(ctx context.Context, name string) (io.ReadCloser, error)
	// WriteFile makes a new file whose name appears only once all of r is stored: it writes name + ".tmp" (over one that
	// a crash left behind), then renames it. A name that is taken is fs.ErrExist and left as it is. An error of r is
	// returned as it is, and nothing appears.
	WriteFile(ctx context.Context, name string, r io.Reader) error
	// Rename moves a file within the tree. A new name that is taken is fs.ErrExist.
	Rename(ctx context.Context, from, to string) error
	// Remove deletes a file.
	Remove(ctx context.Context, name string) error
	// MkdirAll makes a directory and its parents, the URL's own included. One that is there already is fine.
	MkdirAll(ctx context.Context, dir string) error
	// Close lets go of connections without waiting for the other side.
	Close() error
}

// Config says where a file exchange is and how to sign in there.
type Config struct {
	// URL is file:///dir, a directory at or below one of FileRoots, or sftp://, ftps:// or ftp://user@host:port/dir. The port
	// is 22 for SFTP and 21 for the others if not given; /dir counts from the root that the server shows, /~/dir from the
	// user's home. ftps:// is explicit TLS (RFC 4217), for the files too; ftp:// encrypts nothing.
	URL        string
	Username   string // goes before the one in the URL
	Password   string // for password and keyboard-interactive sign-in
	PrivateKey string // PEM (OpenSSH, PKCS#1, PKCS#8), for SFTP only; tried before the password
	Passphrase string // of the private key, if it has one
	// HostKey is what the SFTP server must show: one or more lines of known_hosts or of authorized-key form
	// ("ssh-ed25519 AAAA…"), or a fingerprint ("SHA256:…"). Empty: pinned on first use, by Pin.
	// For FTPS it is the server's certificate: its SHA-256 fingerprint ("SHA256:" in base64 or hex, or as openssl x509
	// -fingerprint prints it), or PEM of it or of the authorities to trust. Empty: the authorities this machine trusts.
	HostKey string
	// Pin keeps the host key of an SFTP server met for the first time, in authorized-key form. Its error refuses the server.
	// Without Pin and HostKey no server is trusted.
	Pin func(ctx context.Context, hostKey string) error

	FileRoots []string        // local directories that file:// may use (--file-root); empty: none
	Network   outbound.Policy // which addresses may be dialled
	Timeout   time.Duration   // how long the other side may make no progress; 0: 30 s
	Retry     outbound.Retry  // how patiently a cut off file is taken up again
}

// kinds is how a URL may be written.
const kinds = "file:///dir, or sftp://, ftps:// or ftp://user@host:port/dir"

// ErrChanged is a file that was cut off and is not the same any more, so that it cannot be read on.
var ErrChanged = errors.New("the file has changed since its beginning was read")

// Open makes the FS of a URL. It checks the configuration, with faults at fields "url", "username", "password",
// "privateKey", "passphrase" and "hostKey", and dials nothing: the first operation does, and
// the first after a connection was lost.
func Open(cfg Config) (FS, error) {
	u, err := url.Parse(cfg.URL)
	if err != nil {
		// The parser's error repeats the URL, which may hold a password.
		return nil, fault.At("url", fault.Invalid, "the url cannot be read; write it as %s", kinds)
	}
	if _, set := u.User.Password(); set {
		return nil, fault.At("url", fault.Invalid, "the url holds a password, and urls are shown; take it out and set password")
	}
	if u.RawQuery != "" || u.Fragment != "" || u.Opaque != "" {
		return nil, fault.At("url", fault.Invalid, "url %s has parts that a directory has no use for; write it as %s, with ? and # as %%3F and %%23", u, kinds)
	}
	if cfg.Timeout <= 0 {
		cfg.Timeout = 30 * time.Second
	}
	switch u.Scheme {
	case "file":
		return openLocal(u, cfg.FileRoots)
	case "sftp":
		return openSFTP(u, cfg)
	case "ftp", "ftps":
		return openFTP(u, cfg)
	}
	return nil, fault.At("url", fault.Invalid, "url %s is of no kind known here; write it as %s", u, kinds)
}

// refusal is a no of our own.
type refusal string

func (r refusal) Error() string { return string(r) }

const errNotFile = refusal("it is not a file")

// refused tells a client of an operation that the tree at where said no to.
func refused(op, where string, err error) error {
	words := err.Error()
	var pathErr *fs.PathError
	switch {
	case errors.Is(err, fs.ErrNotExist):
		words = "there is no such file or directory"
	case errors.Is(err, fs.ErrPermission):
		words = "permission denied; let the user that signs in there do this"
	case errors.Is(err, fs.ErrExist):
		words = "the name is taken, and nothing is overwritten"
	case errors.As(err, &pathErr):
		words = pathErr.Err.Error()
	}
	return fault.Wrap(err, fault.PathRefused, "%s %s: %s", op, where, words)
}

// checkNames refuses names that lead out of the tree, or that mean different things to different servers.
func checkNames(op string, names ...string) error {
	for _, name := range names {
		if !fs.ValidPath(name) {
			return fault.New(fault.PathRefused, "%s %.200q: not a name below the directory of the url", op, name)
		}
	}
	return nil
}

// source reads on while the context holds, and remembers the reader's own error so
// that it is not taken for the other side's.
type source struct {
	ctx   context.Context
	r     io.Reader
	moved func() // called on every read
	n     int64
	err   error
}

func (s *source) Read(p []byte) (int, error) {
	if err := s.ctx.Err(); err != nil {
		return 0, err
	}
	s.moved()
	n, err := s.r.Read(p)
	s.n += int64(n)
	if err != nil && err != io.EOF {
		s.err = fmt.Errorf("read what is to be written: %w", err)
	}
	return n, err
}

// undo takes back what a failed operation left behind, if it failed, and says so when that is not possible either.
func undo(err error, remove func() error) error {
	if err == nil {
		return nil
	}
	if stays := remove(); stays != nil {
		return fmt.Errorf("%w (the .tmp file stays behind: %v)", err, stays)
	}
	return err
}

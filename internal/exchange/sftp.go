package exchange

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/url"
	"os"
	"path"
	"slices"
	"strings"

	"github.com/pkg/sftp"
	"golang.org/x/crypto/ssh"

	"stockbridge/internal/fault"
)

// remote is a directory behind SFTP. It holds at most one connection.
type remote struct {
	url  string // as shown: without a password
	addr string // host:port
	dir  string // as the server knows it
	cfg  Config
	user string
	auth []ssh.AuthMethod
	keys hostKeys // what the server must show; set by the first use when pinned
	conn *conn    // nil before the first use and after a loss
}

func openSFTP(u *url.URL, cfg Config) (FS, error) {
	r := &remote{url: strings.TrimSuffix(u.String(), "/"), cfg: cfg, user: cmp.Or(cfg.Username, u.User.Username())}
	if u.Hostname() == "" {
		return nil, fault.At("url", fault.Invalid, "url %s names no server; write it as sftp://user@host:port/dir", u)
	}
	r.addr = net.JoinHostPort(u.Hostname(), cmp.Or(u.Port(), "22"))
	r.dir = path.Clean("/" + u.Path)
	if home, ok := strings.CutPrefix(r.dir+"/", "/~/"); ok {
		r.dir = path.Clean(home) // relative names count from the home directory
	}
	if r.user == "" {
		return nil, fault.At("username", fault.Blank, "%s needs a username; set username, or write sftp://user@host/dir", u)
	}
	if cfg.PrivateKey != "" {
		signer, err := ssh.ParsePrivateKey([]byte(cfg.PrivateKey))
		var locked *ssh.PassphraseMissingError
		if errors.As(err, &locked) {
			if cfg.Passphrase == "" {
				return nil, fault.At("passphrase", fault.Blank, "the private key is locked; set its passphrase")
			}
			if signer, err = ssh.ParsePrivateKeyWithPassphrase([]byte(cfg.PrivateKey), []byte(cfg.Passphrase)); err != nil {
				return nil, fault.At("passphrase", fault.Invalid, "the passphrase does not open the private key")
			}
		}
		if err != nil {
			return nil, fault.At("privateKey", fault.Invalid, "the private key cannot be read (%v); give it as PEM, -----BEGIN and -----END lines included", err)
		}
		r.auth = append(r.auth, ssh.PublicKeys(signer))
	}
	if cfg.Password != "" {
		r.auth = append(r.auth, ssh.Password(cfg.Password), ssh.KeyboardInteractive(
			func(_, _ string, questions []string, echo []bool) ([]string, error) {
				answers := make([]string, len(questions))
				for i := range answers {
					if !echo[i] {
						answers[i] = cfg.Password
					}
				}
				return answers, nil
			}))
	}
	if len(r.auth) == 0 {
		return nil, fault.At("password", fault.Blank, "%s needs a password or a private key; set one of them", u)
	}
	var err error
	if r.keys, err = parseHostKeys(cfg.HostKey); err != nil {
		return nil, err
	}
	if r.keys.empty() && cfg.Pin == nil {
		return nil, fault.At("hostKey", fault.Blank, "the host key of %s is not known; set hostKey to the line ssh-keyscan prints for it", r.addr)
	}
	return r, nil
}

func (r *remote) List(ctx context.Context, dir string) (list []fs.FileInfo, err error) {
	err = r.do(ctx, "list", dir, func(c *sftp.Client, dir string, _ *watch) error {
		list, err = c.ReadDirContext(ctx, dir)
		slices.SortFunc(list, byName)
		return err
	})
	return list, err
}

func (r *remote) Stat(ctx context.Context, name string) (info fs.FileInfo, err error) {
	err = r.do(ctx, "look at", name, func(c *sftp.Client, name string, _ *watch) error {
		info, err = c.Stat(name)
		return err
	})
	return info, err
}

func (r *remote) Open(ctx context.Context, name string) (io.ReadCloser, error) {
	return openResuming(ctx, name, r.cfg.Retry, r.openAt)
}

func (r *remote) openAt(ctx context.Context, name string, at int64) (rc io.ReadCloser, info fs.FileInfo, err error) {
	err = r.do(ctx, "read", name, func(c *sftp.Client, full string, _ *watch) error {
		f, err := c.Open(full)
		if err != nil {
			return err
		}
		info, err = f.Stat()
		if err == nil && !info.Mode().IsRegular() {
			err = errNotFile
		}
		if err == nil {
			_, err = f.Seek(at, io.SeekStart)
		}
		if err != nil {
			return errors.Join(err, f.Close())
		}
		// The client splits a large read into packets that are under way together.
		rc = &remoteFile{ctx: ctx, r: r, c: r.conn, name: name, f: f}
		return nil
	})
	return rc, info, err
}

func (r *remote) WriteFile(ctx context.Context, name string, from io.Reader) error {
	src := &source{ctx: ctx, r: from}
	err := r.do(ctx, "write", name, func(c *sftp.Client, name string, w *watch) error {
		if err := free(c, name); err != nil {
			return err
		}
		tmp := name + ".tmp"
		f, err := c.OpenFile(tmp, os.O_WRONLY|os.O_CREATE|os.O_TRUNC)
		if err != nil {
			return err
		}
		src.moved = w.moved
		_, err = f.ReadFromWithConcurrency(src, 0)
		if _, can := c.HasExtension("fsync@openssh.com"); err == nil && can {
			err = f.Sync()
		}
		if err = errors.Join(err, f.Close()); err == nil {
			// A server out of space may say so neither on write nor on close.
			var info fs.FileInfo
			if info, err = c.Stat(tmp); err == nil && info.Size() != src.n {
				err = refusal(fmt.Sprintf("%d bytes were sent, but %d are there", src.n, info.Size()))
			}
		}
		if err == nil {
			err = c.Rename(tmp, name)
		}
		return undo(err, func() error { return c.Remove(tmp) })
	})
	return cmp.Or(src.err, err)
}

// free answers fs.ErrExist for a name that is taken: some servers rename over it.
func free(c *sftp.Client, name string) error {
	if _, err := c.Lstat(name); !errors.Is(err, fs.ErrNotExist) {
		return cmp.Or(err, fs.ErrExist)
	}
	return nil
}

func (r *remote) Rename(ctx context.Context, from, to string) error {
	if err := checkNames("rename to", to); err != nil {
		return err
	}
	return r.do(ctx, "rename", from, func(c *sftp.Client, from string, _ *watch) error {
		to := path.Join(r.dir, to)
		if err := free(c, to); err != nil {
			return err
		}
		return c.Rename(from, to)
	})
}

func (r *remote) Remove(ctx context.Context, name string) error {
	return r.do(ctx, "remove", name, func(c *sftp.Client, name string, _ *watch) error { return c.Remove(name) })
}

func (r *remote) MkdirAll(ctx context.Context, dir string) error {
	return r.do(ctx, "make directory", dir, func(c *sftp.Client, dir string, _ *watch) error { return c.MkdirAll(dir) })
}

func (r *remote) Close() error {
	if r.conn == nil {
		return nil
	}
	r.conn.end()
	r.conn = nil
	return nil
}

// do runs one operation on a live connection, dialling if there is none, and tells its error.
func (r *remote) do(ctx context.Context, op, name string, f func(c *sftp.Client, full string, w *watch) error) error {
	if err := cmp.Or(ctx.Err(), checkNames(op, name)); err != nil {
		return err
	}
	if r.conn == nil || !r.conn.alive() {
		c, err := r.connect(ctx)
		if err != nil {
			return err
		}
		r.conn = c
	}
	return r.watched(ctx, r.conn, op, name, func(w *watch) error { return f(r.conn.sftp, path.Join(r.dir, name), w) })
}

// watched runs f while it makes progress, and sorts its error into the caller's own end, a no of the server's, and a
// lost connection.
func (r *remote) watched(ctx context.Context, c *conn, op, name string, f func(w *watch) error) error {
	w := startWatch(ctx, r.cfg.Timeout, c.close)
	err := f(w)
	late := w.end()
	var status *sftp.StatusError
	var own refusal
	var pathErr *fs.PathError
	switch {
	case err == nil, err == io.EOF:
		return err
	case ctx.Err() != nil:
		c.end()
		return ctx.Err()
	case late:
		c.end()
		return fault.Wrap(err, fault.Unreachable, "%s %s/%s: the server made no progress for %s", op, r.url, name, r.cfg.Timeout)
	case errors.Is(err, fs.ErrNotExist), errors.Is(err, fs.ErrPermission), errors.Is(err, fs.ErrExist),
		errors.As(err, &status), errors.As(err, &own), errors.As(err, &pathErr):
		return refused(op, r.url+"/"+name, err)
	}
	c.end() // if it is still there, it cannot be trusted
	return fault.Wrap(err, fault.Unreachable, "%s %s/%s: the connection was lost (%v)", op, r.url, name, err)
}

// remoteFile is an open file; it reads on over the connection it was opened on.
type remoteFile struct {
	ctx  context.Context
	r    *remote
	c    *conn
	name string
	f    *sftp.File
}

func (f *remoteFile) Read(p []byte) (n int, err error) {
	err = f.r.watched(f.ctx, f.c, "read", f.name, func(*watch) error {
		n, err = f.f.Read(p)
		return err
	})
	return n, err
}

func (f *remoteFile) Close() error {
	// The file was read or given up: closing it must not depend on the context it was read under.
	return f.r.watched(context.WithoutCancel(f.ctx), f.c, "close", f.name, func(*watch) error { return f.f.Close() })
}

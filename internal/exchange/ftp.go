package exchange

import (
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/textproto"
	"net/url"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/jlaffaye/ftp"

	"stockbridge/internal/fault"
)

// ftpTree is a directory behind FTP or FTPS. It keeps one connection; a file that is open has one of its own, since a
// control connection is busy while a file comes.
type ftpTree struct {
	url    string // as shown
	addr   string // host:port
	dir    string // as the URL has it; below the home directory if it does not begin with a slash
	cfg    Config
	user   string
	tls    *tls.Config // nil for FTP
	agreed bool        // whether a TLS handshake ever went through
	conn   *ftpConn    // nil before the first use, after a loss, and while a file is open
}

func openFTP(u *url.URL, cfg Config) (FS, error) {
	r := &ftpTree{url: strings.TrimSuffix(u.String(), "/"), cfg: cfg, user: cmp.Or(cfg.Username, u.User.Username())}
	switch {
	case u.Hostname() == "":
		return nil, fault.At("url", fault.Invalid, "url %s names no server; write it as %s://user@host:port/dir", u, u.Scheme)
	case u.Port() == "990":
		return nil, fault.At("url", fault.Invalid, "port 990 is for TLS from the first byte, which is not offered; give the port for explicit TLS, mostly 21")
	case r.user == "":
		return nil, fault.At("username", fault.Blank, "%s needs a username; set username, or write %s://user@host/dir", u, u.Scheme)
	case cfg.PrivateKey != "":
		return nil, fault.At("privateKey", fault.Invalid, "%s:// knows passwords only; take privateKey out, or use sftp://", u.Scheme)
	case cfg.Password == "":
		return nil, fault.At("password", fault.Blank, "%s needs a password; set it", u)
	case strings.ContainsAny(r.user, "\r\n\x00"):
		return nil, fault.At("username", fault.Invalid, "username holds a line break or NUL, which FTP cannot carry")
	case strings.ContainsAny(cfg.Password, "\r\n\x00"):
		return nil, fault.At("password", fault.Invalid, "password holds a line break or NUL, which FTP cannot carry")
	}
	r.addr = net.JoinHostPort(u.Hostname(), cmp.Or(u.Port(), "21"))
	r.dir = path.Clean("/" + u.Path)
	if home, ok := strings.CutPrefix(r.dir+"/", "/~/"); ok {
		r.dir = path.Clean(home)
	}
	if u.Scheme == "ftp" {
		if cfg.HostKey != "" {
			return nil, fault.At("hostKey", fault.Invalid, "ftp:// shows no key and encrypts nothing; take hostKey out, or use ftps://")
		}
		return r, nil
	}
	trusted, err := parseCertificates(cfg.HostKey)
	if err != nil {
		return nil, err
	}
	r.tls = &tls.Config{
		ServerName:         u.Hostname(), // also the key that a connection finds the session to resume by
		MinVersion:         tls.VersionTLS12,
		InsecureSkipVerify: true, // trusted does it, for a pinned certificate too
		VerifyConnection: func(shown tls.ConnectionState) error {
			r.agreed = true
			return trusted.check(r.addr, u.Hostname(), shown)
		},
	}
	return r, nil
}

func (r *ftpTree) List(ctx context.Context, dir string) (list []fs.FileInfo, err error) {
	err = r.do(ctx, "list", dir, func(c *ftpConn, full string) error {
		entries, err := c.entries(full)
		if err != nil {
			return c.explain(full, err)
		}
		for _, e := range entries {
			if e, err = c.dated(full, e); err != nil {
				return err
			}
			list = append(list, ftpInfo{path.Base(e.Name), e})
		}
		slices.SortFunc(list, byName)
		return nil
	})
	return list, err
}

func (r *ftpTree) Stat(ctx context.Context, name string) (info fs.FileInfo, err error) {
	err = r.do(ctx, "look at", name, func(c *ftpConn, full string) (err error) {
		info, err = c.lookUp(full)
		return err
	})
	return info, err
}

func (r *ftpTree) Open(ctx context.Context, name string) (io.ReadCloser, error) {
	return openResuming(ctx, name, r.cfg.Retry, r.openAt)
}

func (r *ftpTree) openAt(ctx context.Context, name string, at int64) (rc io.ReadCloser, info fs.FileInfo, err error) {
	err = r.do(ctx, "read", name, func(c *ftpConn, full string) (err error) {
		if info, err = c.lookUp(full); err != nil {
			return err
		}
		if !info.Mode().IsRegular() {
			return errNotFile
		}
		data, err := c.server.RetrFrom(full, uint64(at))
		if err != nil {
			return c.explain(full, err)
		}
		rc = &ftpFile{ctx: ctx, r: r, c: c, name: name, data: data, left: info.Size() - at}
		r.conn = nil
		return nil
	})
	return rc, info, err
}

func (r *ftpTree) WriteFile(ctx context.Context, name string, from io.Reader) error {
	src := &source{ctx: ctx, r: from}
	err := r.do(ctx, "write", name, func(c *ftpConn, full string) error {
		if err := c.free(full); err != nil {
			return err
		}
		tmp := full + ".tmp"
		// Many servers allow no overwriting (ProFTPD by default).
		switch _, err := c.lookUp(tmp); {
		case err == nil:
			if err := c.server.Delete(tmp); err != nil {
				return fmt.Errorf("remove the %s.tmp that an earlier attempt left: %w", path.Base(full), told(err))
			}
		case !errors.Is(err, fs.ErrNotExist):
			return err
		}
		src.moved = c.watch.moved
		err := c.server.Stor(tmp, src)
		if src.err == nil && err != nil {
			err = c.explain(path.Dir(full), err)
		}
		if err == nil {
			var info fs.FileInfo
			if info, err = c.lookUp(tmp); err == nil && info.Size() != src.n {
				// To a server, a connection that was cut looks like the end of the file.
				err = fault.New(fault.Unreachable, "%d bytes were sent, but %d came through", src.n, info.Size())
				return undo(err, func() error { return c.server.Delete(tmp) })
			}
		}
		if err == nil {
			err = told(c.server.Rename(tmp, full))
		}
		if err == nil || r.broken(err) && src.err == nil {
			return err // the next attempt clears away what is there
		}
		return undo(err, func() error {
			if err := c.explain(tmp, c.server.Delete(tmp)); !errors.Is(err, fs.ErrNotExist) {
				return err
			}
			return nil // it had not even been begun
		})
	})
	return cmp.Or(src.err, err)
}

func (r *ftpTree) Rename(ctx context.Context, from, to string) error {
	if err := checkNames("rename to", to); err != nil {
		return err
	}
	return r.do(ctx, "rename", from, func(c *ftpConn, from string) error {
		to := c.full(to)
		if err := c.free(to); err != nil {
			return err
		}
		if err := c.server.Rename(from, to); err != nil {
			return c.explain(from, err)
		}
		return nil
	})
}

func (r *ftpTree) Remove(ctx context.Context, name string) error {
	return r.do(ctx, "remove", name, func(c *ftpConn, full string) error {
		if err := c.server.Delete(full); err != nil {
			return c.explain(full, err)
		}
		return nil
	})
}

func (r *ftpTree) MkdirAll(ctx context.Context, dir string) error {
	return r.do(ctx, "make directory", dir, func(c *ftpConn, full string) error { return c.mkdirAll(full) })
}

func (r *ftpTree) Close() error {
	if r.conn != nil {
		r.conn.hangUp()
		r.conn = nil
	}
	return nil
}

// idle is after how long a connection is asked whether it still stands: servers end idle ones without a sign that a client
// would see before its next command.
const idle = 15 * time.Second

// do runs one operation on a live connection, dialling if there is none, and tells its error.
func (r *ftpTree) do(ctx context.Context, op, name string, f func(c *ftpConn, full string) error) error {
	if err := cmp.Or(ctx.Err(), checkNames(op, name)); err != nil {
		return err
	}
	if c := r.conn; c != nil && time.Since(c.used) > idle {
		if err := r.watched(ctx, c, op, name, c.server.NoOp); err != nil && ctx.Err() != nil {
			return err
		} else if err != nil {
			r.drop(c)
		}
	}
	if r.conn == nil {
		c, err := r.connect(ctx)
		if err != nil {
			return err
		}
		r.conn = c
	}
	c := r.conn
	return r.watched(ctx, c, op, name, func() error { return f(c, c.full(name)) })
}

// watched runs f while it makes progress, and sorts its error into the caller's own end, a no of the server's, and a lost connection.
func (r *ftpTree) watched(ctx context.Context, c *ftpConn, op, name string, f func() error) error {
	c.ctx, c.watch = ctx, startWatch(ctx, r.cfg.Timeout, c.close)
	err := f()
	late := c.watch.end()
	c.used = time.Now()
	if c.gone() { // by the watch, if only after f was done
		r.drop(c)
	}
	switch {
	case err == nil, err == io.EOF:
		return err
	case ctx.Err() != nil:
		r.drop(c)
		return ctx.Err()
	case late:
		r.drop(c)
		return fault.Wrap(err, fault.Unreachable, "%s %s/%s: the server made no progress for %s", op, r.url, name, r.cfg.Timeout)
	case !r.broken(err):
		return refused(op, r.url+"/"+name, err)
	}
	r.drop(c)
	if code := fault.CodeOf(err); code != "" { // the data connection's address or certificate
		return fmt.Errorf("%s %s/%s: %w", op, r.url, name, err)
	}
	hint := ""
	if c.tls != nil && strings.HasPrefix(words(err), "425") {
		hint = "; if this goes on: a server that demands TLS session reuse must offer TLS 1.3, or session tickets with TLS 1.2"
	}
	return fault.Wrap(err, fault.Unreachable, "%s %s/%s: the connection was lost (%s)%s", op, r.url, name, words(err), hint)
}

// broken tells whether an error leaves a connection that cannot be used on, from a no after which it can.
func (r *ftpTree) broken(err error) bool {
	var said *textproto.Error
	var own refusal
	switch {
	case errors.As(err, &said):
		return !refuses(said)
	case fault.CodeOf(err) != "":
		return true
	}
	return !errors.Is(err, fs.ErrNotExist) && !errors.Is(err, fs.ErrPermission) && !errors.Is(err, fs.ErrExist) && !errors.As(err, &own) && !errors.Is(err, ftp.ErrInvalidCommand)
}

func (r *ftpTree) drop(c *ftpConn) {
	c.close()
	if r.conn == c {
		r.conn = nil
	}
}

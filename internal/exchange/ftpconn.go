package exchange

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/textproto"
	"strings"
	"sync"
	"time"

	"github.com/jlaffaye/ftp"

	"stockbridge/internal/fault"
	"stockbridge/internal/outbound"
)

// ftpConn is one signed-in FTP connection: the control connection, and the data connection of the transfer under way.
type ftpConn struct {
	tree   *ftpTree
	tls    *tls.Config // of the control connection and of data connections, which resume its session; nil for FTP
	server *ftp.ServerConn
	heard  heard
	home   string    // where the user stands after signing in
	used   time.Time // when the last operation ended

	// Of the operation under way, for the goroutine that runs it.
	ctx   context.Context
	watch *watch

	mu     sync.Mutex // guards what follows, which a watch closes
	socks  map[*sock]struct{}
	closed bool
}

// sock is a connection that tells when something moves on it.
type sock struct {
	net.Conn
	c *ftpConn
}

func (s *sock) Read(p []byte) (int, error) {
	n, err := s.Conn.Read(p)
	s.c.watch.moved()
	return n, err
}

func (s *sock) Write(p []byte) (int, error) {
	n, err := s.Conn.Write(p)
	s.c.watch.moved()
	return n, err
}

func (s *sock) Close() error {
	s.c.mu.Lock()
	delete(s.c.socks, s)
	s.c.mu.Unlock()
	return s.Conn.Close()
}

// dial makes the control connection, and data connections after it. The address of those is the control connection's: the
// client library does not trust the one a PASV reply names, which could lead anywhere.
func (c *ftpConn) dial(network, addr string) (net.Conn, error) {
	nc, err := c.tree.cfg.Network.Dialer().DialContext(c.ctx, network, addr)
	if err != nil {
		return nil, err
	}
	s := &sock{Conn: nc, c: c}
	c.mu.Lock()
	first, closed := len(c.socks) == 0, c.closed
	c.socks[s] = struct{}{}
	c.mu.Unlock()
	if closed {
		return nil, errors.Join(net.ErrClosed, s.Close())
	}
	if !first && c.tls != nil {
		return &tlsData{Conn: tls.Client(s, c.tls), sock: s}, nil
	}
	return s, nil // the library starts TLS on the control connection after AUTH TLS
}

// tlsData is a data connection over TLS.
type tlsData struct {
	*tls.Conn
	sock *sock
}

// Close says good-bye and hears the other side out. With TLS 1.3 it sends session tickets that an upload never reads, and a
// socket that is closed with something unread is reset, which takes from the server what it has not read yet (vsftpd: 426).
func (d *tlsData) Close() error {
	if d.CloseWrite() == nil { // the handshake was made, and the line stands
		if tcp, ok := d.sock.Conn.(*net.TCPConn); ok && tcp.CloseWrite() == nil {
			_, _ = io.Copy(io.Discard, d.Conn) // how it ends is told on the control connection
		}
	}
	return d.Conn.Close()
}

// close ends all connections at once; operations under way are told.
func (c *ftpConn) close() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.closed = true
	for s := range c.socks {
		_ = s.Conn.Close() // it is given up
	}
	clear(c.socks)
}

// gone tells that the connections were closed.
func (c *ftpConn) gone() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.closed
}

// connect dials and signs in.
func (r *ftpTree) connect(ctx context.Context) (*ftpConn, error) {
	c := &ftpConn{tree: r, ctx: ctx, socks: map[*sock]struct{}{}}
	if r.tls != nil {
		// Servers take a data connection for ours only if it resumes the session of this very control connection. Sessions of an
		// earlier one must not get in between (ProFTPD 1.3.8 with TLS 1.2 refuses them).
		c.tls = r.tls.Clone()
		c.tls.ClientSessionCache = tls.NewLRUClientSessionCache(1)
	}
	c.watch = startWatch(ctx, r.cfg.Timeout, c.close)
	err := c.signIn()
	late := c.watch.end()
	if err == nil {
		return c, nil
	}
	c.close()
	var said *textproto.Error
	switch {
	case ctx.Err() != nil:
		return nil, ctx.Err()
	case late:
		return nil, fault.Wrap(err, fault.Unreachable, "%s did not answer in time; check that it is up and lets this server in", r.addr)
	case fault.CodeOf(err) != "" && fault.CodeOf(err) != fault.AddressRefused:
		return nil, err
	case errors.As(err, &said) && !refuses(said):
		return nil, fault.Wrap(err, fault.Unreachable, "%s does not serve now (%s)", r.addr, words(err))
	}
	return nil, unreachable(ctx, r.addr, err)
}

func (c *ftpConn) signIn() error {
	r := c.tree
	options := []ftp.DialOption{ftp.DialWithDialFunc(c.dial), ftp.DialWithDebugOutput(&c.heard)}
	if c.tls != nil {
		options = append(options, ftp.DialWithExplicitTLS(c.tls))
	}
	var err error
	var said *textproto.Error
	if c.server, err = ftp.Dial(r.addr, options...); err != nil {
		if c.tls != nil && errors.As(err, &said) && said.Code != ftp.StatusNotAvailable {
			return fault.Wrap(err, fault.Refused, "%s offers no TLS (%s); have FTPS with explicit TLS set up there, or use ftp:// if nothing needs to be encrypted", r.addr, words(err))
		}
		return err
	}
	if err := c.server.Login(r.user, r.cfg.Password); err != nil {
		switch {
		case fault.CodeOf(err) != "":
			return err
		case lost(err):
			if c.tls != nil && !r.agreed {
				return fmt.Errorf("TLS was not agreed: %w", err)
			}
			return err
		case errors.As(err, &said) && !refuses(said):
			return err
		}
		return fault.Wrap(err, fault.CredentialsRefused, "credentials refused: %s does not let user %s in (%s); set the right username and password", r.addr, r.user, words(err))
	}
	if c.home, err = c.server.CurrentDir(); err != nil {
		return fmt.Errorf("ask for the home directory: %w", err)
	}
	return nil
}

// hangUp says good-bye without waiting for the other side.
func (c *ftpConn) hangUp() {
	c.mu.Lock()
	for s := range c.socks {
		_ = s.SetDeadline(time.Now().Add(time.Second)) // a full buffer must not hold us
	}
	c.mu.Unlock()
	c.watch = startWatch(context.Background(), time.Second, c.close)
	_ = c.server.Quit() // whether it hears that or not, it is over
	c.watch.end()
	c.close()
}

// refuses tells a no to what was asked from a connection that is of no use any more: 4xx (RFC 959), but for those of a file
// that is busy (450) and of a full disk (452).
func refuses(said *textproto.Error) bool {
	return said.Code >= 500 || said.Code == 450 || said.Code == 452
}

// lost tells a broken connection from what a server said: the library passes some of its words on as plain errors.
func lost(err error) bool {
	var said *textproto.Error
	var broken net.Error
	return !errors.As(err, &said) && (errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, net.ErrClosed) ||
		errors.As(err, &broken) || strings.Contains(err.Error(), "tls: "))
}

// words are a server's own, as one line.
func words(err error) string {
	var said *textproto.Error
	if errors.As(err, &said) {
		err = said
	}
	return outbound.Excerpt([]byte(err.Error()))
}

// told gives a refusal the kind that its words tell. FTP has one code for all of them (550), and no common words.
func told(err error) error {
	var said *textproto.Error
	if !errors.As(err, &said) || !refuses(said) {
		return err
	}
	text := strings.ToLower(said.Msg)
	for _, k := range []struct {
		kind  error
		words []string
	}{
		{fs.ErrNotExist, []string{"no such file", "no such directory", "not found", "cannot find", "can't find", "not exist", "doesn't exist"}},
		{fs.ErrPermission, []string{"permission", "denied", "not permitted", "not allowed", "not authorized"}},
	} {
		for _, w := range k.words {
			if strings.Contains(text, w) {
				return fmt.Errorf("%w: %w", k.kind, said)
			}
		}
	}
	return said
}

package exchange

import (
	"cmp"
	"context"
	"fmt"
	"net"
	"slices"
	"strings"
	"time"

	"github.com/pkg/sftp"
	"golang.org/x/crypto/ssh"

	"stockbridge/internal/fault"
)

// conn is one SSH connection with one SFTP session.
type conn struct {
	net  net.Conn
	sftp *sftp.Client
	gone chan struct{} // closed when the session has ended, whoever ended it
}

func (c *conn) close() { c.net.Close() }

// end closes the connection and waits until it is noticed.
func (c *conn) end() {
	c.close()
	<-c.gone
}

func (c *conn) alive() bool {
	select {
	case <-c.gone:
		return false
	default:
		return true
	}
}

// connect dials and signs in. Where a fingerprint is expected, the type of its key is unknown, so a server that shows
// another key is asked for each type it may have.
func (r *remote) connect(ctx context.Context) (*conn, error) {
	algos := r.keys.algorithms()
	var first error
	for len(algos) > 0 {
		c, shown, err := r.dial(ctx, algos)
		if err == nil {
			return c, nil
		}
		first = cmp.Or(first, err)
		if fault.CodeOf(err) != fault.HostKeyMismatch || len(r.keys.prints) == 0 {
			break
		}
		algos = slices.DeleteFunc(algos, func(a string) bool { return slices.Contains(algorithmsOf(shown.Type()), a) })
	}
	return nil, first
}

// dial makes one connection. shown is the server's host key, as far as it came to that.
func (r *remote) dial(ctx context.Context, algos []string) (c *conn, shown ssh.PublicKey, err error) {
	nc, err := r.cfg.Network.Dialer().DialContext(ctx, "tcp", r.addr)
	if err != nil {
		return nil, nil, unreachable(ctx, r.addr, err)
	}
	unhook := context.AfterFunc(ctx, func() { nc.Close() })
	defer unhook()
	defer func() {
		if err != nil {
			nc.Close()
		}
	}()
	if err := nc.SetDeadline(time.Now().Add(r.cfg.Timeout)); err != nil {
		return nil, nil, unreachable(ctx, r.addr, err)
	}
	var refused error // what we ourselves said no with
	sc, chans, reqs, err := ssh.NewClientConn(nc, r.addr, &ssh.ClientConfig{
		User: r.user, Auth: r.auth, ClientVersion: "SSH-2.0-Stockbridge", HostKeyAlgorithms: algos,
		HostKeyCallback: func(_ string, _ net.Addr, key ssh.PublicKey) error {
			shown = key
			refused = r.check(ctx, key)
			return refused
		},
	})
	switch {
	case refused != nil:
		return nil, shown, refused
	case err != nil && ctx.Err() == nil && strings.Contains(err.Error(), "authenticat"):
		return nil, shown, fault.Wrap(err, fault.CredentialsRefused, "credentials refused: %s does not let user %s in (%v); set the right password or private key", r.addr, r.user, err)
	case err != nil:
		return nil, shown, unreachable(ctx, r.addr, err)
	}
	session, err := sftp.NewClient(ssh.NewClient(sc, chans, reqs))
	if err != nil {
		return nil, shown, unreachable(ctx, r.addr, fmt.Errorf("signed in, but no SFTP session was opened: %w", err))
	}
	if err := nc.SetDeadline(time.Time{}); err != nil {
		return nil, shown, unreachable(ctx, r.addr, err)
	}
	c = &conn{net: nc, sftp: session, gone: make(chan struct{})}
	go func() {
		_ = session.Wait() // ends with the connection; operations under way are told why
		c.close()
		close(c.gone)
	}()
	return c, shown, nil
}

// check accepts the known host key, and pins that of a server met for the first time.
func (r *remote) check(ctx context.Context, key ssh.PublicKey) error {
	if r.keys.empty() {
		if err := r.cfg.Pin(ctx, strings.TrimSpace(string(ssh.MarshalAuthorizedKey(key)))); err != nil {
			return fmt.Errorf("pin the host key of %s: %w", r.addr, err)
		}
		r.keys.keys = []ssh.PublicKey{key}
		return nil
	}
	if r.keys.accept(key) {
		return nil
	}
	return fault.New(fault.HostKeyMismatch, "%s shows the host key %s %s, but %s was given or pinned; if its owner confirms that the key was changed, set hostKey to the new one",
		r.addr, key.Type(), ssh.FingerprintSHA256(key), r.keys)
}

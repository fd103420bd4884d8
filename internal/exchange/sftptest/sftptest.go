// Package sftptest runs a real SFTP server on loopback for tests.
package sftptest

import (
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/rsa"
	"encoding/pem"
	"errors"
	"net"
	"net/url"
	"strings"
	"sync"
	"testing"

	"github.com/pkg/sftp"
	"golang.org/x/crypto/ssh"
)

// Username and Password let a client in, as does the key PrivateKey returns.
const (
	Username = "wms"
	Password = "correct horse"
)

// Server is a running server. It serves the machine's own files, so URLs name directories by their absolute path.
type Server struct {
	Addr        string // host:port
	Interactive bool   // ask for the password by keyboard-interactive only; set before the first dial

	mu         sync.Mutex
	hostKeys   []ssh.Signer
	clientKey  ssh.PublicKey
	privateKey string
	conns      map[net.Conn]struct{}
	frozen     chan struct{} // closed when what clients send is to be left unread
	served     sync.WaitGroup
}

// Start runs a server until the test ends. Its host key is an ed25519 one.
func Start(tb testing.TB) *Server {
	tb.Helper()
	s := &Server{conns: map[net.Conn]struct{}{}, frozen: make(chan struct{})}
	s.SetHostKeys(tb, ssh.KeyAlgoED25519)
	pub, private, err := ed25519.GenerateKey(rand.Reader)
	if err == nil {
		s.clientKey, err = ssh.NewPublicKey(pub)
	}
	if err != nil {
		tb.Fatal(err)
	}
	block, err := ssh.MarshalPrivateKey(private, "")
	if err != nil {
		tb.Fatal(err)
	}
	s.privateKey = string(pem.EncodeToMemory(block))
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		tb.Fatal(err)
	}
	s.Addr = l.Addr().String()
	s.served.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return // closed by Cleanup
			}
			s.mu.Lock()
			s.conns[c] = struct{}{}
			s.mu.Unlock()
			s.served.Go(func() { s.serve(c) })
		}
	})
	tb.Cleanup(func() {
		l.Close()
		s.Cut()
		s.served.Wait()
	})
	return s
}

// URL is the address of a directory on the server, for user Username.
func (s *Server) URL(dir string) string {
	return (&url.URL{Scheme: "sftp", User: url.User(Username), Host: s.Addr, Path: dir}).String()
}

// PrivateKey is the PEM of a key that lets Username in.
func (s *Server) PrivateKey() string { return s.privateKey }

// HostKeys are the host keys shown, in authorized-key form.
func (s *Server) HostKeys() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	var lines []string
	for _, k := range s.hostKeys {
		lines = append(lines, strings.TrimSpace(string(ssh.MarshalAuthorizedKey(k.PublicKey()))))
	}
	return lines
}

// SetHostKeys gives the server new host keys, one per type (ssh.KeyAlgoED25519 or ssh.KeyAlgoRSA).
func (s *Server) SetHostKeys(tb testing.TB, types ...string) {
	tb.Helper()
	var keys []ssh.Signer
	for _, typ := range types {
		var key any
		var err error
		if typ == ssh.KeyAlgoRSA {
			key, err = rsa.GenerateKey(rand.Reader, 2048)
		} else {
			_, key, err = ed25519.GenerateKey(rand.Reader)
		}
		if err != nil {
			tb.Fatal(err)
		}
		signer, err := ssh.NewSignerFromKey(key)
		if err != nil {
			tb.Fatal(err)
		}
		keys = append(keys, signer)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.hostKeys = keys
}

// Cut ends all connections without a word.
func (s *Server) Cut() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for c := range s.conns {
		c.Close()
	}
}

// Freeze makes the server deaf: it keeps connections but answers nothing more. It is called once at most.
func (s *Server) Freeze() { close(s.frozen) }

func (s *Server) serve(c net.Conn) {
	defer func() {
		c.Close()
		s.mu.Lock()
		delete(s.conns, c)
		s.mu.Unlock()
	}()
	cfg := &ssh.ServerConfig{
		PasswordCallback: func(meta ssh.ConnMetadata, password []byte) (*ssh.Permissions, error) {
			if meta.User() == Username && string(password) == Password && !s.Interactive {
				return nil, nil
			}
			return nil, errors.New("wrong password")
		},
		KeyboardInteractiveCallback: func(_ ssh.ConnMetadata, ask ssh.KeyboardInteractiveChallenge) (*ssh.Permissions, error) {
			answers, err := ask("", "", []string{"Account: ", "Password: "}, []bool{true, false})
			if err == nil && (len(answers) != 2 || answers[1] != Password || !s.Interactive) {
				err = errors.New("wrong answers")
			}
			return nil, err
		},
		PublicKeyCallback: func(meta ssh.ConnMetadata, key ssh.PublicKey) (*ssh.Permissions, error) {
			if meta.User() == Username && string(key.Marshal()) == string(s.clientKey.Marshal()) {
				return nil, nil
			}
			return nil, errors.New("unknown key")
		},
	}
	s.mu.Lock()
	for _, k := range s.hostKeys {
		cfg.AddHostKey(k)
	}
	s.mu.Unlock()
	_, chans, reqs, err := ssh.NewServerConn(c, cfg)
	if err != nil {
		return // the client went away or was not let in
	}
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	s.served.Go(func() { ssh.DiscardRequests(reqs) })
	for nc := range chans {
		if nc.ChannelType() != "session" {
			nc.Reject(ssh.UnknownChannelType, "sessions only")
			continue
		}
		ch, reqs, err := nc.Accept()
		if err != nil {
			return
		}
		s.served.Go(func() { s.session(ctx, ch, reqs) })
	}
}

func (s *Server) session(ctx context.Context, ch ssh.Channel, reqs <-chan *ssh.Request) {
	defer ch.Close()
	for req := range reqs {
		isSFTP := req.Type == "subsystem" && string(req.Payload[4:]) == "sftp"
		req.Reply(isSFTP, nil)
		if isSFTP {
			server, err := sftp.NewServer(&thawed{Channel: ch, ctx: ctx, frozen: s.frozen})
			if err == nil {
				server.Serve() // until the client goes
			}
			return
		}
	}
}

// thawed is a channel that stops reading once the server is frozen, until the connection ends.
type thawed struct {
	ssh.Channel
	ctx    context.Context
	frozen chan struct{}
}

func (t *thawed) Read(p []byte) (int, error) {
	n, err := t.Channel.Read(p)
	select {
	case <-t.frozen:
		<-t.ctx.Done()
		return 0, t.ctx.Err()
	default:
		return n, err
	}
}

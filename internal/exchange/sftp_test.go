package exchange_test

import (
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"encoding/pem"
	"errors"
	"io"
	"net"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/crypto/ssh"

	"stockbridge/internal/exchange"
	"stockbridge/internal/exchange/proftpd"
	"stockbridge/internal/exchange/sftptest"
	"stockbridge/internal/fault"
	"stockbridge/internal/outbound"
)

var inside = outbound.Policy{AllowPrivate: true}

func fingerprint(t *testing.T, line string) string {
	t.Helper()
	key, _, _, _, err := ssh.ParseAuthorizedKey([]byte(line))
	if err != nil {
		t.Fatal(err)
	}
	return ssh.FingerprintSHA256(key)
}

// wire.md: "the host key must be given".
func TestHostKeyIsTakenInEveryForm(t *testing.T) {
	t.Parallel()
	s := sftptest.Start(t)
	s.SetHostKeys(t, ssh.KeyAlgoED25519, ssh.KeyAlgoRSA)
	ed, rsa := s.HostKeys()[0], s.HostKeys()[1]
	for name, hostKey := range map[string]string{
		"authorized key":              ed,
		"another type than preferred": rsa,
		"known_hosts":                 "[sftp.example.com]:2222,10.0.0.1 " + rsa,
		"hashed known_hosts":          "|1|F1E1KeoE/eEWhi10WpGv4OdiO6Y=|3988QV0VE8wmZL7suNrYQLITLCg= " + ed,
		"ssh-keyscan":                 "# host:22 SSH-2.0-Go\nhost " + rsa + "\r\n\n# host:22 SSH-2.0-Go\nhost " + ed + "\n",
		"fingerprint":                 fingerprint(t, ed),
		"ssh-keygen -l":               "256 " + fingerprint(t, ed) + " root@host (ED25519)",
		"fingerprint, second type":    fingerprint(t, rsa) + "=",
	} {
		dir := t.TempDir()
		fsys := open(t, exchange.Config{URL: s.URL(dir), Password: sftptest.Password, HostKey: hostKey, Network: inside})
		if _, err := fsys.List(t.Context(), "."); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// wire.md: "the host key must be given or pinned on first use".
func TestHostKeyIsPinnedOnFirstUse(t *testing.T) {
	t.Parallel()
	s := sftptest.Start(t)
	var pinned []string
	cfg := exchange.Config{
		URL: s.URL(t.TempDir()), Password: sftptest.Password, Network: inside,
		Pin: func(_ context.Context, key string) error { pinned = append(pinned, key); return nil },
	}
	fsys := open(t, cfg)
	if _, err := fsys.List(t.Context(), "."); err != nil {
		t.Fatal(err)
	}
	first := s.HostKeys()[0]
	if len(pinned) != 1 || pinned[0] != first {
		t.Fatalf("pinned %q, want %q", pinned, first)
	}

	s.SetHostKeys(t, ssh.KeyAlgoRSA)
	s.Cut()
	second := s.HostKeys()[0]
	cfg.HostKey = first
	for name, fsys := range map[string]exchange.FS{"same FS": fsys, "given": open(t, cfg)} {
		_, err := fsys.List(t.Context(), ".")
		if fault.CodeOf(err) == fault.Unreachable { // the loss came to light under way
			_, err = fsys.List(t.Context(), ".")
		}
		if fault.CodeOf(err) != fault.HostKeyMismatch ||
			!strings.Contains(fault.Message(err), fingerprint(t, first)) || !strings.Contains(fault.Message(err), fingerprint(t, second)) {
			t.Errorf("%s: %v", name, err)
		}
	}
	cfg.HostKey = fingerprint(t, first)
	if _, err := open(t, cfg).List(t.Context(), "."); fault.CodeOf(err) != fault.HostKeyMismatch || !strings.Contains(err.Error(), fingerprint(t, second)) {
		t.Errorf("fingerprint: %v", err)
	}
	if len(pinned) != 1 {
		t.Errorf("pinned again: %q", pinned)
	}

	cfg.HostKey = ""
	cfg.Pin = func(context.Context, string) error { return errors.New("disk full") }
	if _, err := open(t, cfg).List(t.Context(), "."); err == nil || !strings.Contains(err.Error(), "disk full") {
		t.Errorf("a key that could not be pinned: %v", err)
	}
}

// spec 6: "a warehouse or store that answers 401/403: credentials refused", said for SFTP.
func TestSigningIn(t *testing.T) {
	t.Parallel()
	s := sftptest.Start(t)
	asking := sftptest.Start(t)
	asking.Interactive = true
	p := proftpd.Start(t, t.TempDir())
	_, strange, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	block, err := ssh.MarshalPrivateKey(strange, "")
	if err != nil {
		t.Fatal(err)
	}
	strangeKey := string(pem.EncodeToMemory(block))
	const refused = fault.CredentialsRefused
	for name, c := range map[string]struct {
		cfg  exchange.Config
		want fault.Code
	}{
		"password":             {exchange.Config{URL: s.URL("/"), Password: sftptest.Password, HostKey: s.HostKeys()[0]}, ""},
		"wrong password":       {exchange.Config{URL: s.URL("/"), Password: "guess", HostKey: s.HostKeys()[0]}, refused},
		"username set apart":   {exchange.Config{URL: "sftp://" + s.Addr, Username: "wms", Password: sftptest.Password, HostKey: s.HostKeys()[0]}, ""},
		"wrong username":       {exchange.Config{URL: s.URL("/"), Username: "root", Password: sftptest.Password, HostKey: s.HostKeys()[0]}, refused},
		"key":                  {exchange.Config{URL: s.URL("/"), PrivateKey: s.PrivateKey(), HostKey: s.HostKeys()[0]}, ""},
		"wrong key, then word": {exchange.Config{URL: s.URL("/"), PrivateKey: strangeKey, Password: sftptest.Password, HostKey: s.HostKeys()[0]}, ""},
		"wrong key":            {exchange.Config{URL: s.URL("/"), PrivateKey: strangeKey, HostKey: s.HostKeys()[0]}, refused},
		"asked":                {exchange.Config{URL: asking.URL("/"), Password: sftptest.Password, HostKey: asking.HostKeys()[0]}, ""},
		"asked, wrong":         {exchange.Config{URL: asking.URL("/"), Password: "guess", HostKey: asking.HostKeys()[0]}, refused},
		"ProFTPD":              {exchange.Config{URL: p.URL("sftp", "/"), Password: proftpd.Password, HostKey: p.HostKey}, ""},
		"ProFTPD, home":        {exchange.Config{URL: p.URL("sftp", "/~/"), Password: proftpd.Password, HostKey: p.HostKey}, ""},
		"ProFTPD, wrong":       {exchange.Config{URL: p.URL("sftp", "/"), Password: "guess", HostKey: p.HostKey}, refused},
		"ProFTPD, wrong key":   {exchange.Config{URL: p.URL("sftp", "/"), PrivateKey: strangeKey, HostKey: p.HostKey}, refused},
	} {
		c.cfg.Network = inside
		_, err := open(t, c.cfg).List(t.Context(), ".")
		if fault.CodeOf(err) != c.want || (err == nil) != (c.want == "") {
			t.Errorf("%s: %v", name, err)
		}
		if c.want == refused && !strings.HasPrefix(fault.Message(err), "credentials refused") || err != nil && strings.Contains(err.Error(), "guess") {
			t.Errorf("%s: words %q", name, fault.Message(err))
		}
	}
}

func TestServerThatIsNotThere(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	addr := l.Addr().String()
	l.Close()
	cfg := exchange.Config{URL: "sftp://wms@" + addr, Password: "x", HostKey: "SHA256:x", Network: inside}
	if _, err := open(t, cfg).List(t.Context(), "."); fault.CodeOf(err) != fault.Unreachable || !strings.Contains(fault.Message(err), addr) {
		t.Errorf("nobody listens: %v", err)
	}
	cfg.Network = outbound.Policy{}
	if _, err := open(t, cfg).List(t.Context(), "."); fault.CodeOf(err) != fault.AddressRefused {
		t.Errorf("a private address: %v", err)
	}

	mute, err := net.Listen("tcp", "127.0.0.1:0") // takes connections, says nothing
	if err != nil {
		t.Fatal(err)
	}
	defer mute.Close()
	cfg = exchange.Config{URL: "sftp://wms@" + mute.Addr().String(), Password: "x", HostKey: "SHA256:x", Network: inside, Timeout: 50 * time.Millisecond}
	if _, err := open(t, cfg).List(t.Context(), "."); fault.CodeOf(err) != fault.Unreachable {
		t.Errorf("a server that says nothing: %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cfg.Timeout = time.Hour
	go func() {
		c, err := mute.Accept()
		cancel()
		if err == nil {
			c.Close()
		}
	}()
	if _, err := open(t, cfg).List(ctx, "."); !errors.Is(err, context.Canceled) {
		t.Errorf("canceled while dialling: %v", err)
	}
}

func TestConnectionIsMadeAnewAfterALoss(t *testing.T) {
	t.Parallel()
	s := sftptest.Start(t)
	dir := t.TempDir()
	fsys := open(t, exchange.Config{URL: s.URL(dir), Password: sftptest.Password, HostKey: s.HostKeys()[0], Network: inside})
	put(t, filepath.Join(dir, "a"), "x")
	r, err := fsys.Open(t.Context(), "a")
	if err != nil {
		t.Fatal(err)
	}
	s.Cut()
	if got, err := io.ReadAll(r); err != nil || string(got) != "x" {
		t.Errorf("read over a lost connection: %q, %v", got, err)
	}
	if got := names(t, fsys, "."); got != "a" {
		t.Errorf("the directory holds %q", got)
	}
}

func TestServerThatStopsAnswering(t *testing.T) {
	t.Parallel()
	for name, timeout := range map[string]time.Duration{"time-out": 2 * time.Second, "canceled": time.Hour} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := sftptest.Start(t)
			fsys := open(t, exchange.Config{
				URL: s.URL(t.TempDir()), Password: sftptest.Password, HostKey: s.HostKeys()[0], Network: inside, Timeout: timeout,
			})
			if _, err := fsys.List(t.Context(), "."); err != nil {
				t.Fatal(err)
			}
			s.Freeze()
			ctx, cancel := context.WithCancel(t.Context())
			if name == "canceled" {
				time.AfterFunc(10*time.Millisecond, cancel)
			}
			defer cancel()
			err := fsys.WriteFile(ctx, "a", strings.NewReader("x"))
			if name == "canceled" && !errors.Is(err, context.Canceled) || name == "time-out" && fault.CodeOf(err) != fault.Unreachable {
				t.Errorf("err = %v", err)
			}
		})
	}
}

// Package proftpd runs ProFTPD on loopback for tests: one real server that speaks FTP, FTPS and SFTP.
package proftpd

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"net/url"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/crypto/ssh"
)

// Username and Password let a client in over all protocols.
const (
	Username = "wms"
	Password = "correct horse"
)

// Server is a running ProFTPD. It does not confine clients: paths in URLs are the machine's own.
type Server struct {
	FTP         string // host:port of FTP, with TLS for those who ask (AUTH TLS)
	SFTP        string // host:port of SFTP
	Certificate string // PEM of the TLS certificate, which is for 127.0.0.1 and signed by itself
	HostKey     string // of SFTP (RSA), in authorized-key form
	PrivateKey  string // PEM of an ed25519 key that lets Username in over SFTP

	tb    testing.TB
	host  string // where it listens
	dir   string // configuration and logs
	extra string // directives for all protocols
}

// Start runs a server until the test ends; after signing in, clients stand in home. Directives are added to its
// configuration. Data connections over TLS must resume the session of the control connection, as is ProFTPD's default.
// Where ProFTPD is not installed the test is skipped, or fails when CI=true.
func Start(tb testing.TB, home string, directives ...string) *Server {
	tb.Helper()
	return start(tb, "127.0.0.1", home, directives)
}

func start(tb testing.TB, host, home string, directives []string) *Server {
	tb.Helper()
	for _, name := range []string{"proftpd", "ftpasswd"} {
		if _, err := exec.LookPath(name); err != nil {
			if os.Getenv("CI") == "true" {
				tb.Fatalf("%s is not installed (apt-get install proftpd-core proftpd-mod-crypto)", name)
			}
			tb.Skipf("%s is not installed (apt-get install proftpd-core proftpd-mod-crypto)", name)
		}
	}
	s := &Server{tb: tb, host: host, dir: tb.TempDir(), extra: strings.Join(directives, "\n")}
	s.accounts(home)
	s.certificate()
	s.hostKey()
	s.listen()
	s.write("proftpd.conf", s.config())

	var out bytes.Buffer
	cmd := exec.Command("proftpd", "-n", "-q", "-c", s.path("proftpd.conf"))
	cmd.Stdout, cmd.Stderr = &out, &out
	s.check(cmd.Start())
	exited := make(chan struct{})
	var exit error
	go func() {
		exit = cmd.Wait()
		close(exited)
	}()
	tb.Cleanup(func() {
		_ = cmd.Process.Kill() // it may have died by itself
		<-exited
		if tb.Failed() {
			log, err := os.ReadFile(s.path("system.log"))
			tb.Logf("ProFTPD said (%v):\n%s", err, log)
		}
	})
	for _, addr := range []string{s.FTP, s.SFTP} {
		for {
			c, err := net.DialTimeout("tcp", addr, time.Second)
			if err == nil {
				s.check(c.Close())
				break
			}
			select {
			case <-exited:
				tb.Fatalf("ProFTPD ended (%v): %s", exit, &out)
			case <-time.After(10 * time.Millisecond): // it does not tell when it is ready
			}
		}
	}
	return s
}

// URL is the address of a directory for a scheme: ftp, ftps or sftp.
func (s *Server) URL(scheme, dir string) string {
	addr := map[string]string{"ftp": s.FTP, "ftps": s.FTP, "sftp": s.SFTP}[scheme]
	return (&url.URL{Scheme: scheme, User: url.User(Username), Host: addr, Path: dir}).String()
}

func (s *Server) path(name string) string { return filepath.Join(s.dir, name) }

func (s *Server) check(err error) {
	s.tb.Helper()
	if err != nil {
		s.tb.Fatal(err)
	}
}

// write makes a file that ProFTPD accepts as secret.
func (s *Server) write(name, text string) {
	s.tb.Helper()
	s.check(os.WriteFile(s.path(name), []byte(text), 0o600))
}

func (s *Server) accounts(home string) {
	s.tb.Helper()
	cmd := exec.Command("ftpasswd", "--passwd", "--file="+s.path("passwd"), "--name="+Username, "--home="+home,
		fmt.Sprintf("--uid=%d", os.Getuid()), fmt.Sprintf("--gid=%d", os.Getgid()), "--shell=/bin/false", "--stdin")
	cmd.Stdin = strings.NewReader(Password + "\n")
	if out, err := cmd.CombinedOutput(); err != nil {
		s.tb.Fatalf("ftpasswd: %v: %s", err, out)
	}
	s.check(os.Chmod(s.path("passwd"), 0o600))

	_, private, err := ed25519.GenerateKey(rand.Reader)
	s.check(err)
	block, err := ssh.MarshalPrivateKey(private, "")
	s.check(err)
	s.PrivateKey = string(pem.EncodeToMemory(block))
	signer, err := ssh.NewSignerFromKey(private)
	s.check(err)
	s.write("authorized", "---- BEGIN SSH2 PUBLIC KEY ----\n"+ // RFC 4716
		base64.StdEncoding.EncodeToString(signer.PublicKey().Marshal())+"\n---- END SSH2 PUBLIC KEY ----\n")
}

func (s *Server) certificate() {
	s.tb.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	s.check(err)
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, IsCA: true, BasicConstraintsValid: true,
		KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	s.check(err)
	secret, err := x509.MarshalPKCS8PrivateKey(key)
	s.check(err)
	s.Certificate = string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}))
	s.write("cert.pem", s.Certificate)
	s.write("key.pem", string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: secret})))
}

func (s *Server) hostKey() {
	s.tb.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	s.check(err)
	s.write("host.pem", string(pem.EncodeToMemory(&pem.Block{Type: "RSA PRIVATE KEY", Bytes: x509.MarshalPKCS1PrivateKey(key)})))
	pub, err := ssh.NewPublicKey(key.Public())
	s.check(err)
	s.HostKey = strings.TrimSpace(string(ssh.MarshalAuthorizedKey(pub)))
}

// listen chooses ports that are free now: ProFTPD takes no listener handed over.
func (s *Server) listen() {
	s.tb.Helper()
	for _, addr := range []*string{&s.FTP, &s.SFTP} {
		l, err := net.Listen("tcp", s.host+":0")
		s.check(err)
		defer l.Close()
		*addr = l.Addr().String()
	}
}

func (s *Server) config() string {
	s.tb.Helper()
	port := func(addr string) string { return addr[strings.LastIndexByte(addr, ':')+1:] }
	// Without privileges ProFTPD must be told to stay who it is.
	me, err := user.Current()
	s.check(err)
	group, err := user.LookupGroupId(me.Gid)
	s.check(err)
	engine := "on"
	if strings.Contains(s.extra, "TLSEngine off") {
		engine = "off" // the server's own setting goes before a global one
	}
	return strings.NewReplacer("$ENGINE", engine, "$USER", me.Username, "$GROUP", group.Name, "$DIR", s.dir, "$HOST", s.host, "$EXTRA", s.extra, "$FTP", port(s.FTP), "$SFTP", port(s.SFTP)).Replace(`
LoadModule mod_tls.c
LoadModule mod_sftp.c
ServerType standalone
ServerName test
DefaultAddress $HOST
SocketBindTight on
Port $FTP
User $USER
Group $GROUP
ControlsEngine off
PidFile $DIR/pid
ScoreboardFile $DIR/scoreboard
SystemLog $DIR/system.log
UseReverseDNS off
UseIPv6 off
WtmpLog off
<Global>
  AuthOrder mod_auth_file.c
  AuthUserFile $DIR/passwd
  RequireValidShell off
  RootLogin on
  DelayEngine off
  AllowOverwrite on
  Umask 022
  TransferLog none
  TimesGMT on
  $EXTRA
</Global>
TLSEngine $ENGINE
TLSECCertificateFile $DIR/cert.pem
TLSECCertificateKeyFile $DIR/key.pem
<VirtualHost $HOST>
  Port $SFTP
  SFTPEngine on
  SFTPLog $DIR/system.log
  SFTPHostKey $DIR/host.pem
  SFTPAuthMethods publickey password
  SFTPAuthorizedUserKeys file:$DIR/authorized
</VirtualHost>
`)
}

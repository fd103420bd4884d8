package exchange_test

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"stockbridge/internal/exchange"
	"stockbridge/internal/exchange/proftpd"
	"stockbridge/internal/fault"
	"stockbridge/internal/outbound"
)

// spec 6: "a warehouse or store that answers 401/403: credentials refused", said for FTP.
func TestSigningInByFTP(t *testing.T) {
	t.Parallel()
	s := proftpd.Start(t, t.TempDir())
	strict := proftpd.Start(t, t.TempDir(), "TLSRequired on")
	plain := proftpd.Start(t, t.TempDir(), "TLSEngine off")
	for name, c := range map[string]struct {
		cfg  exchange.Config
		want fault.Code
		says string
	}{
		"ftp":                {exchange.Config{URL: s.URL("ftp", "/"), Password: proftpd.Password}, "", ""},
		"username set apart": {exchange.Config{URL: "ftp://" + s.FTP, Username: proftpd.Username, Password: proftpd.Password}, "", ""},
		"wrong password":     {exchange.Config{URL: s.URL("ftp", "/"), Password: "guess"}, fault.CredentialsRefused, "credentials refused"},
		"wrong username":     {exchange.Config{URL: s.URL("ftp", "/"), Username: "nobody", Password: proftpd.Password}, fault.CredentialsRefused, "user nobody"},
		"ftps":               {exchange.Config{URL: s.URL("ftps", "/"), Password: proftpd.Password, HostKey: s.Certificate}, "", ""},
		"ftps, wrong":        {exchange.Config{URL: s.URL("ftps", "/"), Password: "guess", HostKey: s.Certificate}, fault.CredentialsRefused, "credentials refused"},
		"TLS demanded":       {exchange.Config{URL: strict.URL("ftp", "/"), Password: proftpd.Password}, fault.CredentialsRefused, "SSL/TLS"},
		"TLS not offered":    {exchange.Config{URL: plain.URL("ftps", "/"), Password: proftpd.Password}, fault.Refused, "offers no TLS"},
	} {
		c.cfg.Network = inside
		_, err := open(t, c.cfg).List(t.Context(), ".")
		if fault.CodeOf(err) != c.want || (err == nil) != (c.want == "") {
			t.Errorf("%s: %v", name, err)
		}
		if err != nil && (!strings.Contains(fault.Message(err), c.says) || strings.Contains(err.Error(), "guess")) {
			t.Errorf("%s: words %q", name, fault.Message(err))
		}
	}
}

func TestCertificateIsTakenInEveryForm(t *testing.T) {
	t.Parallel()
	s, other := proftpd.Start(t, t.TempDir()), proftpd.Start(t, t.TempDir())
	block, _ := pem.Decode([]byte(s.Certificate))
	sum := sha256.Sum256(block.Bytes)
	colons := strings.ReplaceAll(fmt.Sprintf("% X", sum), " ", ":")
	for name, c := range map[string]struct {
		hostKey string
		want    fault.Code
		says    string
	}{
		"PEM":               {s.Certificate, "", ""},
		"base64":            {"SHA256:" + base64.StdEncoding.EncodeToString(sum[:]), "", ""},
		"hex":               {fmt.Sprintf("SHA256:%x", sum), "", ""},
		"openssl":           {"sha256 Fingerprint=" + colons, "", ""},
		"one of two":        {"SHA256:" + strings.Repeat("00:", 31) + "00\n# the new one\nSHA256:" + colons + "\n", "", ""},
		"machine's roots":   {"", fault.HostKeyMismatch, "set hostKey to that fingerprint"},
		"another authority": {other.Certificate, fault.HostKeyMismatch, "SHA256:" + colons},
		"another":           {"SHA256:" + strings.Repeat("00:", 31) + "00", fault.HostKeyMismatch, "shows the certificate SHA256:" + colons},
	} {
		fsys := open(t, exchange.Config{URL: s.URL("ftps", "/"), Password: proftpd.Password, HostKey: c.hostKey, Network: inside})
		_, err := fsys.List(t.Context(), "tmp")
		if fault.CodeOf(err) != c.want || (err == nil) != (c.want == "") || err != nil && !strings.Contains(fault.Message(err), c.says) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// A PASV reply could name any address, and EPSV may be refused: data connections go where the control connection went.
func TestPassiveAddressIsNotTrusted(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	s, _ := proftpd.StartBehindWire(t, dir, "MasqueradeAddress 203.0.113.9", "<Limit EPSV>\nDenyAll\n</Limit>")
	put(t, filepath.Join(dir, "a"), "x")
	if got := names(t, onProFTPD(t, s, "ftp", dir), "."); got != "a" {
		t.Errorf("the directory holds %q", got)
	}
}

// The rule for files that still grow needs sizes and times that are the same however they are asked for, to the second.
func TestSizesAndTimesAreExact(t *testing.T) {
	t.Parallel()
	for name, directives := range map[string][]string{"MLSD": nil, "LIST": {"FactsAdvertise off"}} {
		dir := t.TempDir()
		fsys := onProFTPD(t, proftpd.Start(t, dir, directives...), "ftp", dir)
		put(t, filepath.Join(dir, "été [1].csv"), "sku")
		at := time.Date(2024, 2, 29, 23, 59, 58, 0, time.UTC)
		chtimes(t, filepath.Join(dir, "été [1].csv"), at)
		list, err := fsys.List(t.Context(), ".")
		if err != nil || len(list) != 1 {
			t.Fatal(list, err)
		}
		info, err := fsys.Stat(t.Context(), "été [1].csv")
		if err != nil {
			t.Fatal(err)
		}
		for _, i := range []fs.FileInfo{info, list[0]} {
			if i.Name() != "été [1].csv" || i.Size() != 3 || !i.ModTime().Equal(at) || !i.Mode().IsRegular() {
				t.Errorf("%s: %s, %d bytes of %s, %s", name, i.Name(), i.Size(), i.ModTime(), i.Mode())
			}
		}
	}
}

func TestFTPServerThatIsNotThere(t *testing.T) {
	t.Parallel()
	mute, err := net.Listen("tcp", "127.0.0.1:0") // takes connections, says nothing
	if err != nil {
		t.Fatal(err)
	}
	defer mute.Close()
	for _, scheme := range []string{"ftp", "ftps"} {
		cfg := exchange.Config{URL: scheme + "://wms@" + mute.Addr().String(), Password: "x", Network: inside, Timeout: 50 * time.Millisecond}
		if _, err := open(t, cfg).List(t.Context(), "."); fault.CodeOf(err) != fault.Unreachable || !strings.Contains(err.Error(), "in time") {
			t.Errorf("%s: a server that says nothing: %v", scheme, err)
		}
		cfg.Network = outbound.Policy{}
		if _, err := open(t, cfg).List(t.Context(), "."); fault.CodeOf(err) != fault.AddressRefused {
			t.Errorf("%s: a private address: %v", scheme, err)
		}
		cfg.Network, cfg.Timeout = inside, time.Hour
		ctx, cancel := context.WithCancel(t.Context())
		time.AfterFunc(10*time.Millisecond, cancel)
		if _, err := open(t, cfg).List(ctx, "."); !errors.Is(err, context.Canceled) {
			t.Errorf("%s: canceled: %v", scheme, err)
		}
	}
	gone, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	gone.Close()
	cfg := exchange.Config{URL: "ftp://wms@" + gone.Addr().String(), Password: "x", Network: inside}
	if _, err := open(t, cfg).List(t.Context(), "."); fault.CodeOf(err) != fault.Unreachable || !strings.Contains(fault.Message(err), gone.Addr().String()) {
		t.Errorf("nobody listens: %v", err)
	}
}

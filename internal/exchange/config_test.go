package exchange_test

import (
	"crypto/ed25519"
	"crypto/rand"
	"encoding/pem"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/crypto/ssh"

	"stockbridge/internal/exchange"
	"stockbridge/internal/fault"
)

// spec 6: "every refusal says what, where and how to mend it".
func TestConfigurationIsCheckedBeforeDialling(t *testing.T) {
	t.Parallel()
	_, key, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	block, err := ssh.MarshalPrivateKeyWithPassphrase(key, "", []byte("open sesame"))
	if err != nil {
		t.Fatal(err)
	}
	locked := string(pem.EncodeToMemory(block))
	const host = "sftp://wms@example.com/dir"
	const print = "SHA256:AAAA"
	for name, c := range map[string]struct {
		cfg   exchange.Config
		field string
		code  fault.Code
	}{
		"no url":               {exchange.Config{}, "url", fault.Invalid},
		"no such scheme":       {exchange.Config{URL: "gopher://x/y"}, "url", fault.Invalid},
		"unreadable":           {exchange.Config{URL: "sftp://wms:hunter2@host:port:x/"}, "url", fault.Invalid},
		"password in the url":  {exchange.Config{URL: "sftp://wms:hunter2@host/", HostKey: print}, "url", fault.Invalid},
		"query":                {exchange.Config{URL: "file:///srv?x=1"}, "url", fault.Invalid},
		"file, two slashes":    {exchange.Config{URL: "file://srv/x", FileRoots: []string{"/srv"}}, "url", fault.Invalid},
		"file, no slash":       {exchange.Config{URL: "file:srv/x", FileRoots: []string{"/srv"}}, "url", fault.Invalid},
		"file, no path":        {exchange.Config{URL: "file://", FileRoots: []string{"/srv"}}, "url", fault.Invalid},
		"no file root":         {exchange.Config{URL: "file:///srv/x"}, "url", fault.PathRefused},
		"outside":              {exchange.Config{URL: "file:///etc", FileRoots: []string{"/srv", "/mnt"}}, "url", fault.PathRefused},
		"outside by dots":      {exchange.Config{URL: "file:///srv/../etc", FileRoots: []string{"/srv"}}, "url", fault.PathRefused},
		"outside, encoded":     {exchange.Config{URL: "file:///srv/%2e%2e/etc", FileRoots: []string{"/srv"}}, "url", fault.PathRefused},
		"same beginning":       {exchange.Config{URL: "file:///srv2", FileRoots: []string{"/srv"}}, "url", fault.PathRefused},
		"no host":              {exchange.Config{URL: "sftp:///dir", Username: "wms", Password: "x", HostKey: print}, "url", fault.Invalid},
		"no user":              {exchange.Config{URL: "sftp://host/dir", Password: "x", HostKey: print}, "username", fault.Blank},
		"no secret":            {exchange.Config{URL: host, HostKey: print}, "password", fault.Blank},
		"no host key":          {exchange.Config{URL: host, Password: "x"}, "hostKey", fault.Blank},
		"bad host key":         {exchange.Config{URL: host, Password: "x", HostKey: "MD5:00:11"}, "hostKey", fault.Invalid},
		"authority":            {exchange.Config{URL: host, Password: "x", HostKey: "@cert-authority * ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIKHl2dYzpOBbSe3zLsG1OQ3ZEOyJSe8yxWrxYQ9hZLuB"}, "hostKey", fault.Invalid},
		"bad private key":      {exchange.Config{URL: host, PrivateKey: "hunter2", HostKey: print}, "privateKey", fault.Invalid},
		"locked":               {exchange.Config{URL: host, PrivateKey: locked, HostKey: print}, "passphrase", fault.Blank},
		"wrong passphrase":     {exchange.Config{URL: host, PrivateKey: locked, Passphrase: "hunter2", HostKey: print}, "passphrase", fault.Invalid},
		"right passphrase":     {exchange.Config{URL: host, PrivateKey: locked, Passphrase: "open sesame", HostKey: print}, "", ""},
		"ftp, no host":         {exchange.Config{URL: "ftp:///dir", Username: "wms", Password: "x"}, "url", fault.Invalid},
		"ftp, no user":         {exchange.Config{URL: "ftp://host/dir", Password: "x"}, "username", fault.Blank},
		"ftp, no password":     {exchange.Config{URL: "ftp://wms@host/dir"}, "password", fault.Blank},
		"ftp, private key":     {exchange.Config{URL: "ftp://wms@host/dir", Password: "x", PrivateKey: "hunter2"}, "privateKey", fault.Invalid},
		"ftp, key to show":     {exchange.Config{URL: "ftp://wms@host/dir", Password: "x", HostKey: print}, "hostKey", fault.Invalid},
		"ftp, second command":  {exchange.Config{URL: "ftp://wms@host/dir", Password: "hunter2\r\nDELE a"}, "password", fault.Invalid},
		"ftp, and in the user": {exchange.Config{URL: "ftp://host/dir", Username: "wms\nDELE a", Password: "x"}, "username", fault.Invalid},
		"ftps, implicit":       {exchange.Config{URL: "ftps://wms@host:990/dir", Password: "x"}, "url", fault.Invalid},
		"ftps, bad print":      {exchange.Config{URL: "ftps://wms@host/dir", Password: "x", HostKey: "SHA256:AAAA"}, "hostKey", fault.Invalid},
		"ftps, bad PEM":        {exchange.Config{URL: "ftps://wms@host/dir", Password: "x", HostKey: "-----BEGIN hunter2"}, "hostKey", fault.Invalid},
		"ftps, secret PEM":     {exchange.Config{URL: "ftps://wms@host/dir", Password: "x", HostKey: locked}, "hostKey", fault.Invalid},
		"ftps":                 {exchange.Config{URL: "ftps://wms@host/dir", Password: "x"}, "", ""},
		"ftp":                  {exchange.Config{URL: "ftp://wms@host:2121/~/dir", Password: "x"}, "", ""},
		"below":                {exchange.Config{URL: "file:///srv/x/", FileRoots: []string{"/mnt", "/srv/"}}, "", ""},
		"localhost":            {exchange.Config{URL: "file://localhost/srv", FileRoots: []string{"/srv"}}, "", ""},
		"IPv6":                 {exchange.Config{URL: "sftp://wms@[2001:db8::1]:2222/dir", Password: "x", HostKey: print}, "", ""},
	} {
		_, err := exchange.Open(c.cfg)
		var got string
		if f, ok := err.(*fault.Error); ok {
			got = strings.Join(f.Field, ".")
		}
		if fault.CodeOf(err) != c.code || got != c.field || (err == nil) != (c.code == "") {
			t.Errorf("%s: %v", name, err)
		}
		if err != nil && strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%s: the secret is shown: %v", name, err)
		}
	}
}

// spec 5.5: "--file-root (local directories that file exchanges may use)".
func TestNoLinkLeadsOutOfTheFileRoot(t *testing.T) {
	t.Parallel()
	root, outside := t.TempDir(), t.TempDir()
	put(t, filepath.Join(outside, "secret"), "x")
	mkdir(t, filepath.Join(root, "shop"))
	for name, target := range map[string]string{"shop/link": filepath.Join(outside, "secret"), "shop/dir": outside, "away": outside} {
		if err := os.Symlink(target, filepath.Join(root, name)); err != nil {
			t.Fatal(err)
		}
	}
	shop := open(t, exchange.Config{URL: "file://" + root + "/shop", FileRoots: []string{root}})
	away := open(t, exchange.Config{URL: "file://" + root + "/away", FileRoots: []string{root}})
	_, link := shop.Open(t.Context(), "link")
	_, through := shop.Open(t.Context(), "dir/secret")
	_, list := away.List(t.Context(), ".")
	for what, err := range map[string]error{
		"link": link, "through a directory": through, "the url's own directory": list,
		"write": shop.WriteFile(t.Context(), "dir/new", strings.NewReader("x")), "make": shop.MkdirAll(t.Context(), "dir/new"),
	} {
		if fault.CodeOf(err) != fault.PathRefused {
			t.Errorf("%s: %v", what, err)
		}
	}
	if list, err := os.ReadDir(outside); err != nil || len(list) != 1 {
		t.Errorf("outside now holds %v, %v", list, err)
	}
}

func TestPipeIsNotWaitedFor(t *testing.T) {
	t.Parallel()
	root := t.TempDir()
	if err := syscall.Mkfifo(filepath.Join(root, "inv_1.csv"), 0o600); err != nil {
		t.Fatal(err)
	}
	fsys := open(t, exchange.Config{URL: "file://" + root, FileRoots: []string{root}})
	if _, err := fsys.Open(t.Context(), "inv_1.csv"); fault.CodeOf(err) != fault.PathRefused || !strings.Contains(err.Error(), "not a file") {
		t.Errorf("err = %v", err)
	}
}

func TestDirectoryOfTheURLIsMadeAndFoundAgain(t *testing.T) {
	t.Parallel()
	root := t.TempDir()
	fsys := open(t, exchange.Config{URL: "file://" + root + "/new/shop", FileRoots: []string{root}})
	for range 2 {
		if err := fsys.MkdirAll(t.Context(), "in"); err != nil {
			t.Fatal(err)
		}
		if err := fsys.WriteFile(t.Context(), "in/a", strings.NewReader("x")); err != nil {
			t.Fatal(err)
		}
		if err := os.RemoveAll(filepath.Join(root, "new")); err != nil {
			t.Fatal(err)
		}
	}
}

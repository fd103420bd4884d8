package exchange

import (
	"bytes"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"encoding/hex"
	"encoding/pem"
	"errors"
	"fmt"
	"slices"
	"strings"

	"stockbridge/internal/fault"
)

// certificates is what an FTPS server must show: a certificate of one of some fingerprints, one of the given ones, or one
// that a given authority vouches for. The empty one trusts the authorities that this machine trusts.
type certificates struct {
	prints [][]byte // SHA-256 of the certificate
	given  []*x509.Certificate
	roots  *x509.CertPool // the given ones; nil: those of this machine
}

// parseCertificates reads PEM, or fingerprints line by line: SHA256:… in base64 or hex, or as openssl x509 -fingerprint prints it.
func parseCertificates(text string) (c certificates, err error) {
	if strings.Contains(text, "-----BEGIN") {
		c.roots = x509.NewCertPool()
		for block, rest := pem.Decode([]byte(text)); block != nil; block, rest = pem.Decode(rest) {
			if block.Type != "CERTIFICATE" {
				return c, badCertificate(errors.New("there is a " + block.Type + " in it"))
			}
			cert, err := x509.ParseCertificate(block.Bytes)
			if err != nil {
				return c, badCertificate(err)
			}
			c.given = append(c.given, cert)
			c.roots.AddCert(cert)
		}
		if len(c.given) == 0 {
			return c, badCertificate(errors.New("no certificate found"))
		}
		return c, nil
	}
	for line := range strings.Lines(text) {
		line = strings.TrimSpace(line)
		if line == "" || line[0] == '#' {
			continue
		}
		print, err := parseFingerprint(line)
		if err != nil {
			return c, badCertificate(err)
		}
		c.prints = append(c.prints, print)
	}
	return c, nil
}

func parseFingerprint(line string) ([]byte, error) {
	text := line
	if i := strings.Index(text, "SHA256:"); i >= 0 {
		text = text[i+len("SHA256:"):]
	} else if _, after, found := strings.Cut(text, "Fingerprint="); found {
		text = after
	}
	print, err := hex.DecodeString(strings.ReplaceAll(text, ":", ""))
	if err != nil {
		print, err = base64.RawStdEncoding.DecodeString(strings.TrimRight(text, "="))
	}
	if err != nil || len(print) != sha256.Size {
		return nil, fmt.Errorf("%.100q is no SHA-256 fingerprint", line)
	}
	return print, nil
}

func badCertificate(err error) error {
	return fault.At("hostKey", fault.Invalid, "hostKey cannot be read (%v); for ftps give the fingerprint SHA256:… of the server's certificate, or the certificate as PEM", err)
}

func sha256Of(cert *x509.Certificate) []byte {
	sum := sha256.Sum256(cert.Raw)
	return sum[:]
}

// hexPrint is how openssl x509 -fingerprint -sha256 tells a certificate, so that people can compare.
func hexPrint(print []byte) string {
	return "SHA256:" + strings.ReplaceAll(fmt.Sprintf("% X", print), " ", ":")
}

// check accepts or refuses what the server at addr shows. A certificate that was given itself, or by its fingerprint, may be
// out of date or for another name: whoever gave it meant this server.
func (c certificates) check(addr, host string, shown tls.ConnectionState) error {
	if len(shown.PeerCertificates) == 0 {
		return fault.New(fault.HostKeyMismatch, "%s shows no certificate", addr)
	}
	leaf := shown.PeerCertificates[0]
	print := sha256Of(leaf)
	if slices.ContainsFunc(c.prints, func(p []byte) bool { return bytes.Equal(p, print) }) || slices.ContainsFunc(c.given, leaf.Equal) {
		return nil
	}
	if len(c.prints) > 0 {
		var want []string
		for _, p := range c.prints {
			want = append(want, hexPrint(p))
		}
		return fault.New(fault.HostKeyMismatch, "%s shows the certificate %s, but %s was given; if its owner confirms that the certificate was changed, set hostKey to the new fingerprint",
			addr, hexPrint(print), strings.Join(want, " or "))
	}
	between := x509.NewCertPool()
	for _, cert := range shown.PeerCertificates[1:] {
		between.AddCert(cert)
	}
	if _, err := leaf.Verify(x509.VerifyOptions{DNSName: host, Roots: c.roots, Intermediates: between}); err != nil {
		return fault.Wrap(err, fault.HostKeyMismatch, "the certificate of %s is not trusted (%v); if its owner confirms that it is %s, set hostKey to that fingerprint", addr, err, hexPrint(print))
	}
	return nil
}

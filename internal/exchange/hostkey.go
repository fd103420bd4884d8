package exchange

import (
	"bytes"
	"errors"
	"io"
	"slices"
	"strings"

	"golang.org/x/crypto/ssh"

	"stockbridge/internal/fault"
)

// hostKeys is what a server must show: one of some keys, or of some fingerprints. The empty one knows no server yet.
type hostKeys struct {
	keys   []ssh.PublicKey
	prints []string // "SHA256:…", unpadded
}

// parseHostKeys reads lines of known_hosts or authorized-key form, or fingerprints. Host names in them are not looked
// at: the lines were given for this one server.
func parseHostKeys(text string) (hostKeys, error) {
	var h hostKeys
	for line := range strings.Lines(text) {
		line = strings.TrimSpace(line)
		if line == "" || line[0] == '#' {
			continue
		}
		key, _, _, _, err := ssh.ParseAuthorizedKey([]byte(line))
		if err != nil {
			if i := strings.Index(line, "SHA256:"); i >= 0 { // alone, or as ssh-keygen -l prints it
				h.prints = append(h.prints, strings.TrimRight(strings.Fields(line[i:])[0], "="))
				continue
			}
			var marker string
			if marker, _, key, _, _, err = ssh.ParseKnownHosts([]byte(line)); err == nil && marker != "" {
				err = errors.New("a @" + marker + " line does not say which key to expect")
			}
		}
		if err == io.EOF {
			err = errors.New("no key found")
		}
		if err != nil {
			return h, fault.At("hostKey", fault.Invalid, "hostKey cannot be read (%v); give a line as ssh-keyscan prints it, or a fingerprint SHA256:…", err)
		}
		h.keys = append(h.keys, key)
	}
	return h, nil
}

func (h hostKeys) empty() bool { return len(h.keys)+len(h.prints) == 0 }

func (h hostKeys) accept(key ssh.PublicKey) bool {
	return slices.Contains(h.prints, ssh.FingerprintSHA256(key)) ||
		slices.ContainsFunc(h.keys, func(k ssh.PublicKey) bool { return bytes.Equal(k.Marshal(), key.Marshal()) })
}

func (h hostKeys) String() string {
	words := slices.Clone(h.prints)
	for _, k := range h.keys {
		words = append(words, k.Type()+" "+ssh.FingerprintSHA256(k))
	}
	return strings.Join(words, " or ")
}

// algorithms are the host key algorithms to ask for, the types of known keys first: a server with several keys then
// shows the one we know. The others follow, so that a server without it shows what it has.
func (h hostKeys) algorithms() []string {
	var algos []string
	for _, k := range h.keys {
		algos = append(algos, algorithmsOf(k.Type())...)
	}
	for _, a := range []string{
		ssh.KeyAlgoED25519, ssh.KeyAlgoECDSA256, ssh.KeyAlgoECDSA384, ssh.KeyAlgoECDSA521,
		ssh.KeyAlgoRSASHA512, ssh.KeyAlgoRSASHA256, ssh.KeyAlgoRSA,
	} {
		if !slices.Contains(algos, a) {
			algos = append(algos, a)
		}
	}
	return algos
}

// algorithmsOf lists the signatures that a key of a type makes.
func algorithmsOf(keyType string) []string {
	if keyType == ssh.KeyAlgoRSA {
		return []string{ssh.KeyAlgoRSASHA512, ssh.KeyAlgoRSASHA256, ssh.KeyAlgoRSA}
	}
	return []string{keyType}
}

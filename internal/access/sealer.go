package access

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"

	"golang.org/x/crypto/argon2"

	"stockbridge/internal/fault"
)

const (
	keyBytes      = 32
	keyIDBytes    = 4
	minPassphrase = 16

	makeKey = "make one with: openssl rand -hex 32"

	// format is the first byte of everything sealed. What follows is the id of the key, a random nonce of 12
	// bytes, the ciphertext and a tag of 16 bytes (AES-256-GCM).
	format = 1
)

// Sealer encrypts the credentials of warehouses and stores for the database (spec 5.2). It is safe for use by
// several goroutines. One key is good for 2³² seals.
type Sealer struct {
	header []byte // format and key id
	aead   cipher.AEAD
}

// NewSealer makes a sealer from a secret key (--secret-key): 32 random bytes as 64 hexadecimal digits or as
// base64 of either alphabet, or else a passphrase of at least 16 bytes. White space around it does not count.
func NewSealer(secretKey string) (*Sealer, error) {
	secretKey = strings.TrimSpace(secretKey)
	key, ok := decodeKey(secretKey)
	if !ok {
		if len(secretKey) < minPassphrase {
			return nil, fmt.Errorf("the secret key is too short to keep credentials safe, it needs 32 random bytes; %s", makeKey)
		}
		// The salt cannot be random, as there is nowhere to keep it: the key must come out the same everywhere.
		// Time and memory (19 MiB) are what OWASP asks for at the least; they are paid once, at the start.
		key = argon2.IDKey([]byte(secretKey), []byte("stockbridge secret key"), 2, 19*1024, 1, keyBytes)
	}
	derived, err := hkdf.Key(sha256.New, key, nil, "stockbridge credentials", keyBytes+keyIDBytes)
	if err != nil {
		return nil, fmt.Errorf("derive the key for credentials: %w", err)
	}
	block, err := aes.NewCipher(derived[:keyBytes])
	if err != nil {
		return nil, fmt.Errorf("make the cipher for credentials: %w", err)
	}
	aead, err := cipher.NewGCMWithRandomNonce(block)
	if err != nil {
		return nil, fmt.Errorf("make the cipher for credentials: %w", err)
	}
	return &Sealer{header: append([]byte{format}, derived[keyBytes:]...), aead: aead}, nil
}

// decodeKey reads a key of 32 bytes, told in full.
func decodeKey(text string) ([]byte, bool) {
	if key, err := hex.DecodeString(text); err == nil && len(key) == keyBytes {
		return key, true
	}
	url := strings.NewReplacer("+", "-", "/", "_").Replace(strings.TrimRight(text, "="))
	key, err := base64.RawURLEncoding.DecodeString(url)
	return key, err == nil && len(key) == keyBytes
}

// String names the key by its id, from which nothing can be learned about it.
func (s *Sealer) String() string { return "key " + hex.EncodeToString(s.header[1:]) }

// Seal encrypts plain so that it opens only with the same key and in the same place. The place says what the
// row is and which, in words that never change and that are known before the row is written, such as
// "warehouse/" and a UUID kept in the row: so nobody who can write to the database can have one row's
// credentials used for another.
func (s *Sealer) Seal(place string, plain []byte) []byte {
	return s.aead.Seal(bytes.Clone(s.header), nil, plain, s.bound(place))
}

// Open decrypts what Seal made for the same place. The error is a fault with code WRONG_STATE that says what to do.
func (s *Sealer) Open(place string, sealed []byte) ([]byte, error) {
	n := len(s.header)
	if len(sealed) < n+s.aead.Overhead() || sealed[0] != format {
		return nil, fault.Wrap(errors.New("unknown format"), fault.WrongState, "the stored credentials are damaged; enter them again")
	}
	if !bytes.Equal(sealed[:n], s.header) {
		return nil, fault.New(fault.WrongState, "the stored credentials were encrypted with key %x, and this server has %s; "+
			"start it with the --secret-key (or the key file) that it had when they were entered, or enter them again", sealed[1:n], s)
	}
	plain, err := s.aead.Open(nil, nil, sealed[n:], s.bound(place))
	if err != nil {
		return nil, fault.Wrap(err, fault.WrongState, "the stored credentials are damaged, or were moved here from another row; enter them again")
	}
	return plain, nil
}

// bound returns what is authenticated beside the ciphertext.
func (s *Sealer) bound(place string) []byte {
	return append(bytes.Clone(s.header), place...)
}

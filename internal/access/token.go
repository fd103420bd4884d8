package access

import (
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"io"
	"strings"

	"stockbridge/internal/fault"
)

const (
	// secretPrefix makes a secret known for what it is, to people and to scanners for leaked secrets.
	secretPrefix = "sbt_"
	secretBytes  = 32
	maxSecret    = 255
)

// NewSecret makes the secret of a token: sbt_ and 32 bytes of rand in unpadded URL-safe base64, 47 characters.
func NewSecret(rand io.Reader) (string, error) {
	var raw [secretBytes]byte
	if _, err := io.ReadFull(rand, raw[:]); err != nil {
		return "", fmt.Errorf("make a token's secret: %w", err)
	}
	return secretPrefix + base64.RawURLEncoding.EncodeToString(raw[:]), nil
}

// CheckSecret refuses what cannot be a secret, so that it never reaches the database: what begins with sbt_ and
// is not as NewSecret makes it, and else what an administrator cannot have chosen (--admin-token), which is
// anything but 1 to 255 characters of visible ASCII. The error is a fault with code UNAUTHENTICATED.
func CheckSecret(secret string) error {
	if encoded, ours := strings.CutPrefix(secret, secretPrefix); ours {
		// Strict: the last character has two bits to spare, which would give a secret four spellings.
		if raw, err := base64.RawURLEncoding.Strict().DecodeString(encoded); err != nil || len(raw) != secretBytes {
			return fault.New(fault.Unauthenticated, "the token is not complete, or has been altered; use all %d characters as they were shown when it was made",
				len(secretPrefix)+base64.RawURLEncoding.EncodedLen(secretBytes))
		}
		return nil
	}
	if len(secret) == 0 || len(secret) > maxSecret || !visible(secret) {
		return fault.New(fault.Unauthenticated, "no token is like this; a token has 1 to %d characters, all letters, digits or signs of ASCII and no spaces", maxSecret)
	}
	return nil
}

// Hash returns what is kept of a secret, 32 bytes to look a token up by.
//
// A fast hash is enough: slow ones make up for passwords that can be guessed, and 256 random bits cannot. (A
// secret that an administrator chose is as good as the choice.) Looking up by the hash in an index takes a time
// that may tell how far the hash matches a stored one; since nobody can choose a secret by its hash or get from
// the one back to the other, nothing is learned from it, and no comparison in constant time is needed.
func Hash(secret string) []byte {
	sum := sha256.Sum256([]byte(secret))
	return sum[:]
}

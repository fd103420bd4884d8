package access

import (
	"bytes"
	"crypto/rand"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/iotest"

	"stockbridge/internal/fault"
)

const example = "sbt_AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8"

func TestNewSecret(t *testing.T) {
	t.Parallel()
	raw := make([]byte, 32)
	for i := range raw {
		raw[i] = byte(i)
	}
	if got, err := NewSecret(bytes.NewReader(raw)); got != example || err != nil {
		t.Errorf("got %q, %v", got, err)
	}
	if got, err := NewSecret(bytes.NewReader(raw[:31])); got != "" || !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("too little randomness gave %q, %v", got, err)
	}
	if got, err := NewSecret(iotest.ErrReader(io.ErrClosedPipe)); got != "" || !errors.Is(err, io.ErrClosedPipe) {
		t.Errorf("no randomness gave %q, %v", got, err)
	}
	a, _ := NewSecret(rand.Reader)
	b, _ := NewSecret(rand.Reader)
	if a == b || CheckSecret(a) != nil {
		t.Errorf("made %q and %q", a, b)
	}
	if bytes.Equal(Hash(a), Hash(b)) || !bytes.Equal(Hash(a), Hash(a)) || len(Hash(a)) != 32 {
		t.Error("a hash is of its secret alone")
	}
}

// spec 5.3: what cannot be a token costs no look-up.
func TestCheckSecret(t *testing.T) {
	t.Parallel()
	for secret, ok := range map[string]bool{
		example: true, "chosen-by-an-admin": true, "x": true, strings.Repeat("x", 255): true, "SBT_x": true,
		"": false, "sbt_": false, example[:46]: false, example + "A": false, example + "=": false, example[:46] + "9": false,
		example[:46] + "+": false, example[:45] + "\n8": false, "two words": false, "naïve": false, "tab\t": false, "del\x7f": false, "\xff": false,
		strings.Repeat("x", 256): false,
	} {
		if err := CheckSecret(secret); (err == nil) != ok || !ok && fault.CodeOf(err) != fault.Unauthenticated {
			t.Errorf("%q: %v", secret, err)
		}
	}
}

// spec 5.3
func TestBearer(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name   string
		values []string
		want   string
	}{
		{"plain", []string{"Bearer " + example}, example},
		{"scheme in any case", []string{"bEARER abc"}, "abc"},
		{"spaces around", []string{" Bearer   abc\t"}, "abc"},
		{"a JWT", []string{"Bearer eyJh.eyJz.c2ln"}, "eyJh.eyJz.c2ln"},
		{"padding", []string{"Bearer a+/~_-=="}, "a+/~_-=="},
		{"none", nil, ""},
		{"empty", []string{""}, ""},
		{"two headers", []string{"Bearer s3cret", "Bearer s3cret"}, ""},
		{"no scheme", []string{"s3cret"}, ""},
		{"no token", []string{"Bearer"}, ""},
		{"no token, but spaces", []string{"Bearer   "}, ""},
		{"no space", []string{"Bearers3cret"}, ""},
		{"a tab", []string{"Bearer\ts3cret"}, ""},
		{"another scheme", []string{"Basic s3cret"}, ""},
		{"two tokens", []string{"Bearer s3cret s3cret"}, ""},
		{"joined headers", []string{"Bearer s3cret, Bearer s3cret"}, ""},
		{"a line end", []string{"Bearer s3cret\r\nX: y"}, ""},
		{"not ASCII", []string{"Bearer s3crét"}, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			got, err := Bearer(tt.values)
			if got != tt.want || (err == nil) != (tt.want != "") {
				t.Fatalf("got %q, %v", got, err)
			}
			if err != nil && (fault.CodeOf(err) != fault.Unauthenticated || strings.Contains(err.Error(), "s3cr") || !strings.Contains(err.Error(), signIn)) {
				t.Errorf("refused with %v", err)
			}
		})
	}
	h := http.Header{}
	h.Add("authorization", "Bearer abc")
	if got, err := Bearer(h.Values("Authorization")); got != "abc" || err != nil {
		t.Errorf("got %q, %v", got, err)
	}
}

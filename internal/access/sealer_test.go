package access

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"stockbridge/internal/fault"
)

var testKey = strings.Repeat("0123456789abcdef", 4)

func sealer(t testing.TB, key string) *Sealer {
	t.Helper()
	s, err := NewSealer(key)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// spec 5.2: secrets go in; only the server that has the key gets them out.
func TestSealedOpens(t *testing.T) {
	t.Parallel()
	s, again := sealer(t, testKey), sealer(t, testKey)
	rapid.Check(t, func(t *rapid.T) {
		place, plain := rapid.String().Draw(t, "place"), rapid.SliceOf(rapid.Byte()).Draw(t, "plain")
		before := slices.Clone(plain)
		sealed := s.Seal(place, plain)
		if !bytes.Equal(plain, before) || len(plain) > 8 && bytes.Contains(sealed, plain) {
			t.Fatal("sealing must leave the plain text alone, and hide it")
		}
		if got, err := again.Open(place, sealed); err != nil || !bytes.Equal(got, plain) {
			t.Fatalf("got %q, %v; want %q", got, err, plain)
		}
		if bytes.Equal(sealed, s.Seal(place, plain)) {
			t.Fatal("two seals of the same are the same")
		}
	})
}

// Any change of a byte, and any other place, is noticed.
func TestTamperedDoesNotOpen(t *testing.T) {
	t.Parallel()
	s := sealer(t, testKey)
	sealed := s.Seal("warehouse/1", []byte(`{"password":"pw"}`))
	refuse := func(what, place string, sealed []byte) {
		t.Helper()
		if got, err := s.Open(place, sealed); got != nil || fault.CodeOf(err) != fault.WrongState || !strings.Contains(fault.Message(err), "enter them again") {
			t.Errorf("%s: got %q, %v", what, got, err)
		}
	}
	for i := range sealed {
		bad := slices.Clone(sealed)
		bad[i] ^= 1
		refuse(fmt.Sprintf("byte %d", i), "warehouse/1", bad)
		refuse(fmt.Sprintf("only %d bytes", i), "warehouse/1", sealed[:i])
	}
	refuse("one byte more", "warehouse/1", append(slices.Clone(sealed), 0))
	refuse("another row", "warehouse/2", sealed)
	refuse("another kind", "store/1", sealed)
	refuse("no place", "", sealed)
	refuse("nothing", "warehouse/1", nil)
}

func TestWrongKeySaysWhatToDo(t *testing.T) {
	t.Parallel()
	old, s := sealer(t, testKey), sealer(t, strings.Repeat("f", 64))
	_, err := s.Open("store/1", old.Seal("store/1", []byte("pw")))
	msg := fault.Message(err)
	if fault.CodeOf(err) != fault.WrongState || !strings.Contains(msg, old.String()) || !strings.Contains(msg, s.String()) || !strings.Contains(msg, "--secret-key") {
		t.Error(err)
	}
	if printed := fmt.Sprintf("%v %+v %s", s, s, s); strings.Count(printed, s.String()) != 3 {
		t.Errorf("a sealer prints as %s", printed)
	}
}

// spec 5.5: --secret-key in all its spellings.
func TestSecretKeySpellings(t *testing.T) {
	t.Parallel()
	raw := bytes.Repeat([]byte{0xfb, 0xff}, 16)
	want := sealer(t, hex.EncodeToString(raw)).String()
	for _, key := range []string{
		strings.ToUpper(hex.EncodeToString(raw)), " " + hex.EncodeToString(raw) + "\n", base64.StdEncoding.EncodeToString(raw), base64.RawStdEncoding.EncodeToString(raw),
		base64.URLEncoding.EncodeToString(raw), base64.RawURLEncoding.EncodeToString(raw),
	} {
		if got := sealer(t, key).String(); got != want {
			t.Errorf("%q is %s, want %s", key, got, want)
		}
	}
	seen := map[string]string{want: "the key"}
	for _, phrase := range []string{"a passphrase of some length", "another one of some length", hex.EncodeToString(raw)[1:], strings.Repeat("0", 32)} {
		id := sealer(t, phrase).String()
		if other, taken := seen[id]; taken {
			t.Errorf("%q and %q are both %s", phrase, other, id)
		}
		seen[id] = phrase
		if again := sealer(t, phrase).String(); again != id {
			t.Errorf("%q is %s and then %s", phrase, id, again)
		}
	}
	for _, short := range []string{"", "   ", "fifteen letters"} {
		if _, err := NewSealer(short); err == nil || !strings.Contains(err.Error(), "openssl rand -hex 32") {
			t.Errorf("%q: %v", short, err)
		}
	}
}

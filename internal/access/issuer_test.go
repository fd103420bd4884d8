package access

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/json"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"stockbridge/internal/database"
	"stockbridge/internal/database/dbtest"
	"stockbridge/internal/fault"
	"stockbridge/internal/globalid"
)

// provider is an OpenID Connect provider on loopback.
type provider struct {
	*httptest.Server
	mu     sync.Mutex
	keys   []jose.JSONWebKey
	asked  int
	status int // to answer with; 0 is 200
}

func newProvider(t *testing.T, keys ...jose.JSONWebKey) *provider {
	p := &provider{keys: keys}
	p.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		p.mu.Lock()
		defer p.mu.Unlock()
		if p.status != 0 {
			w.WriteHeader(p.status)
			return
		}
		var answer any
		switch r.URL.Path {
		case "/realm/.well-known/openid-configuration":
			answer = map[string]any{"issuer": p.URL + "/realm", "jwks_uri": p.URL + "/keys"}
		case "/keys":
			p.asked++
			set := jose.JSONWebKeySet{}
			for _, k := range p.keys {
				set.Keys = append(set.Keys, k.Public())
			}
			answer = set
		}
		w.Header().Set("Content-Type", "application/json")
		if err := json.NewEncoder(w).Encode(answer); err != nil {
			t.Error(err)
		}
	}))
	t.Cleanup(p.Close)
	return p
}

func (p *provider) set(status int, keys ...jose.JSONWebKey) (asked int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.status, p.keys = status, keys
	return p.asked
}

type claims = map[string]any

// sign makes a JWT.
func sign(t *testing.T, alg jose.SignatureAlgorithm, key any, c claims) string {
	t.Helper()
	s, err := jose.NewSigner(jose.SigningKey{Algorithm: alg, Key: key}, (&jose.SignerOptions{}).WithType("JWT"))
	if err != nil {
		t.Fatal(err)
	}
	text, err := json.Marshal(c)
	if err != nil {
		t.Fatal(err)
	}
	signed, err := s.Sign(text)
	if err != nil {
		t.Fatal(err)
	}
	raw, err := signed.CompactSerialize()
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

func jwk[K any](id string, key K, err error) jose.JSONWebKey {
	if err != nil {
		panic(err)
	}
	return jose.JSONWebKey{Key: key, KeyID: id, Use: "sig"}
}

// spec 5.2, 5.3: a JWT of the issuer lets its bearer in, with the role and merchants that it says, and nothing else does.
func TestJWT(t *testing.T) {
	t.Parallel()
	start := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	var clock struct {
		sync.Mutex
		now time.Time
	}
	clock.now = start
	pass := func(d time.Duration) {
		clock.Lock()
		defer clock.Unlock()
		clock.now = clock.now.Add(d)
	}
	db := dbtest.Open(t, "sqlite", database.Options{Now: func() time.Time {
		clock.Lock()
		defer clock.Unlock()
		return clock.now
	}})
	ctx := t.Context()
	var ids []int64
	for _, name := range []string{"Acme", "Globex", "Initech"} {
		m, err := db.CreateMerchant(ctx, database.CreateMerchant{Name: name})
		if err != nil {
			t.Fatal(err)
		}
		ids = append(ids, m.ID)
	}
	rsaKey, err := rsa.GenerateKey(rand.Reader, 2048)
	one := jwk("one", rsaKey, err)
	ecKey, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	two := jwk("two", ecKey, err)
	strange, err := rsa.GenerateKey(rand.Reader, 2048)
	forged := jwk("one", strange, err) // claims to be the issuer's
	unknown := jwk("three", strange, err)
	p := newProvider(t, one)
	issuer, err := NewIssuer(db, IssuerConfig{URL: p.URL + "/realm", Audience: "stockbridge", Client: p.Client()})
	if err != nil {
		t.Fatal(err)
	}
	auth := NewAuthenticator(db, issuer, slog.New(slog.DiscardHandler))

	// with is a token's claims: those of an operator of Acme, changed.
	with := func(changes claims) claims {
		c := claims{"iss": p.URL + "/realm", "aud": "stockbridge", "sub": "u1", "exp": start.Add(time.Hour).Unix(), "stockbridge_role": "OPERATOR", "stockbridge_merchants": []string{"Acme"}}
		for k, v := range changes {
			if v == nil {
				delete(c, k)
			} else {
				c[k] = v
			}
		}
		return c
	}
	public, err := x509.MarshalPKIXPublicKey(&rsaKey.PublicKey)
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		name, raw string
		role      Role // "" is refused
		merchants []int64
	}{
		{"by name", sign(t, jose.RS256, one, with(nil)), Operator, ids[:1]},
		{"by id and name, one unknown", sign(t, jose.RS256, one, with(claims{"stockbridge_merchants": []string{globalid.New("Merchant", ids[2]), "Acme", "Nobody", globalid.New("Merchant", 999)}})), Operator, []int64{ids[0], ids[2]}},
		{"one text", sign(t, jose.PS256, one, with(claims{"stockbridge_merchants": "Globex", "stockbridge_role": "PARTNER"})), Partner, ids[1:2]},
		{"admin", sign(t, jose.RS512, one, with(claims{"stockbridge_role": []string{"offline_access", "admin"}, "stockbridge_merchants": nil})), Admin, nil},
		{"one of several audiences", sign(t, jose.RS256, one, with(claims{"aud": []string{"account", "stockbridge"}})), Operator, ids[:1]},

		{"another audience", sign(t, jose.RS256, one, with(claims{"aud": "account"})), "", nil},
		{"another issuer", sign(t, jose.RS256, one, with(claims{"iss": "https://elsewhere.example"})), "", nil},
		{"expired", sign(t, jose.RS256, one, with(claims{"exp": start.Add(-time.Second).Unix()})), "", nil},
		{"never expires", sign(t, jose.RS256, one, with(claims{"exp": nil})), "", nil},
		{"not yet", sign(t, jose.RS256, one, with(claims{"nbf": start.Add(time.Hour).Unix()})), "", nil},
		{"nobody's", sign(t, jose.RS256, one, with(claims{"sub": nil})), "", nil},
		{"no role", sign(t, jose.RS256, one, with(claims{"stockbridge_role": nil})), "", nil},
		{"strange role", sign(t, jose.RS256, one, with(claims{"stockbridge_role": "ROOT"})), "", nil},
		{"two roles", sign(t, jose.RS256, one, with(claims{"stockbridge_role": []string{"ADMIN", "PARTNER"}})), "", nil},
		{"no merchants", sign(t, jose.RS256, one, with(claims{"stockbridge_merchants": nil})), "", nil},
		{"merchants that are not there", sign(t, jose.RS256, one, with(claims{"stockbridge_merchants": []string{"acme", "a\x00b"}})), "", nil},
		{"merchants that are no texts", sign(t, jose.RS256, one, with(claims{"stockbridge_merchants": ids})), "", nil},
		{"admin of merchants", sign(t, jose.RS256, one, with(claims{"stockbridge_role": "ADMIN"})), "", nil},
		{"forged", sign(t, jose.RS256, forged, with(nil)), "", nil},
		{"unknown key", sign(t, jose.RS256, unknown, with(nil)), "", nil},
		{"the public key as a secret", sign(t, jose.HS256, jose.JSONWebKey{Key: public, KeyID: "one"}, with(nil)), "", nil},
		{"unsigned", "eyJhbGciOiJub25lIn0." + strings.Split(sign(t, jose.RS256, one, with(nil)), ".")[1] + ".", "", nil},
		{"cut short", sign(t, jose.RS256, one, with(nil))[:300], "", nil},
	} {
		v, err := auth.Authenticate(ctx, tt.raw)
		if tt.role == "" {
			if fault.CodeOf(err) != fault.Unauthenticated || strings.Contains(fault.Message(err), tt.raw) {
				t.Errorf("%s: %+v, %v", tt.name, v, err)
			}
			continue
		}
		if err != nil || v.Role != tt.role || !slices.Equal(v.MerchantIDs, tt.merchants) || v.TokenID >= 0 || !v.ExpiresAt.Equal(start.Add(time.Hour)) {
			t.Errorf("%s: %+v, %v", tt.name, v, err)
		}
	}
	if asked := p.set(0, one); asked != 1 {
		t.Errorf("the keys were asked for %d times", asked)
	}

	// Keys that come and go.
	in := func(name string, key jose.JSONWebKey, alg jose.SignatureAlgorithm, want bool) {
		t.Helper()
		_, err := auth.Authenticate(ctx, sign(t, alg, key, with(claims{"exp": start.Add(24 * time.Hour).Unix()})))
		if (err == nil) != want || err != nil && fault.CodeOf(err) != fault.Unauthenticated {
			t.Errorf("%s: %v", name, err)
		}
	}
	p.set(0, one, two)
	in("a new key within ten seconds", two, jose.ES256, false)
	pass(keysRetry)
	in("a new key", two, jose.ES256, true)
	p.set(0, two)
	in("a withdrawn key that is remembered", one, jose.RS256, true)
	pass(keysFresh)
	in("a withdrawn key", one, jose.RS256, false)
	p.set(http.StatusServiceUnavailable)
	pass(keysFresh)
	in("the issuer is away", two, jose.ES256, true)
	first, err1 := auth.Authenticate(ctx, sign(t, jose.ES256, two, with(claims{"exp": start.Add(24 * time.Hour).Unix()})))
	other, err2 := auth.Authenticate(ctx, sign(t, jose.ES256, two, with(claims{"exp": start.Add(24 * time.Hour).Unix(), "sub": "u2"})))
	if err1 != nil || err2 != nil || first.TokenID == other.TokenID {
		t.Errorf("two bearers are one: %v, %v", err1, err2)
	}

	// Before its keys were ever seen, nobody can tell; that is not the token's fault.
	fresh, err := NewIssuer(db, IssuerConfig{URL: p.URL + "/realm", Audience: "stockbridge", Client: p.Client()})
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if _, err := fresh.authenticate(ctx, sign(t, jose.ES256, two, with(nil))); err == nil || fault.CodeOf(err) == fault.Unauthenticated {
			t.Errorf("an issuer that was never there: %v", err)
		}
	}
	// Without an issuer a JWT is a secret like any other, and none that is known.
	if _, err := NewAuthenticator(db, nil, slog.New(slog.DiscardHandler)).Authenticate(ctx, sign(t, jose.ES256, two, with(nil))); fault.CodeOf(err) != fault.Unauthenticated {
		t.Errorf("without an issuer: %v", err)
	}
	secret, err := NewSecret(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := db.CreateToken(ctx, database.CreateToken{Name: "t", Role: "ADMIN", Hash: Hash(secret)}); err != nil {
		t.Fatal(err)
	}
	if v, err := auth.Authenticate(ctx, secret); err != nil || v.Role != Admin {
		t.Errorf("a token of our own: %+v, %v", v, err)
	}
}

func TestIssuerRefused(t *testing.T) {
	t.Parallel()
	for _, c := range []IssuerConfig{{URL: "login.example.com", Audience: "a"}, {URL: "ftp://login.example.com", Audience: "a"}, {URL: "https://", Audience: "a"},
		{URL: "https://u:p@login.example.com", Audience: "a"}, {URL: "https://login.example.com?x=1", Audience: "a"}, {URL: "https://login.example.com"}} {
		if _, err := NewIssuer(nil, c); err == nil {
			t.Errorf("%+v is an issuer", c)
		}
	}
}

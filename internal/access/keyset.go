package access

import (
	"context"
	"crypto"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"sync"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
	"github.com/go-jose/go-jose/v4"

	"stockbridge/internal/fault"
)

const (
	keysFresh   = time.Hour        // keys are fetched anew after it, so that one its issuer withdrew does not count for long
	keysRetry   = 10 * time.Second // between two attempts: tokens of unknown keys cost the issuer no more than that
	keysTimeout = 10 * time.Second
	maxKeys     = 1 << 20 // bytes of a key set
)

// algorithms are those with which an issuer may sign: with keys whose other half only it has.
func algorithms() []string {
	return []string{oidc.RS256, oidc.RS384, oidc.RS512, oidc.PS256, oidc.PS384, oidc.PS512, oidc.ES256, oidc.ES384, oidc.ES512, oidc.EdDSA}
}

// keySet is an issuer's keys, as it showed them last.
type keySet struct {
	issuer string
	client *http.Client
	now    func() time.Time

	mu      sync.Mutex // guards the rest; held while keys are fetched, for everybody waits for the same
	keys    []jose.JSONWebKey
	fetched time.Time // when keys were last seen; zero for never
	tried   time.Time // when they were last asked for
}

// of are the keys that may have signed a JWT; none where the issuer has none of that id. The error is a fault UNAUTHENTICATED of
// what is no JWT, or tells that the issuer cannot be asked.
func (s *keySet) of(ctx context.Context, raw string) ([]crypto.PublicKey, error) {
	var allowed []jose.SignatureAlgorithm
	for _, a := range algorithms() {
		allowed = append(allowed, jose.SignatureAlgorithm(a))
	}
	jws, err := jose.ParseSignedCompact(raw, allowed)
	if err != nil || len(jws.Signatures) != 1 {
		return nil, fault.Wrap(err, fault.Unauthenticated, "the token is no JWT with one signature of an algorithm that may be used here")
	}
	id := jws.Signatures[0].Header.KeyID
	s.mu.Lock()
	defer s.mu.Unlock()
	now := s.now()
	stale, waited := now.Sub(s.fetched) >= keysFresh, now.Sub(s.tried) >= keysRetry
	found := s.pick(id)
	if waited && (stale || len(found) == 0) {
		s.tried = now
		keys, err := s.ask(context.WithoutCancel(ctx))
		switch {
		case err == nil:
			s.keys, s.fetched = keys, now
			found = s.pick(id)
		case s.fetched.IsZero():
			return nil, fmt.Errorf("ask %s for its keys: %w", s.issuer, err)
		}
		// Keys that were good an hour ago let in while the issuer is away.
	} else if s.fetched.IsZero() {
		return nil, fmt.Errorf("%s did not tell its keys a moment ago", s.issuer)
	}
	return found, nil
}

func (s *keySet) pick(id string) (found []crypto.PublicKey) {
	for _, k := range s.keys {
		if (id == "" || k.KeyID == id) && k.Use != "enc" && k.Valid() && k.IsPublic() {
			found = append(found, k.Key)
		}
	}
	return found
}

// ask reads the issuer's discovery document, and the keys where that says they are.
func (s *keySet) ask(ctx context.Context) ([]jose.JSONWebKey, error) {
	ctx, cancel := context.WithTimeout(oidc.ClientContext(ctx, s.client), keysTimeout)
	defer cancel()
	provider, err := oidc.NewProvider(ctx, s.issuer)
	if err != nil {
		return nil, err
	}
	var document struct {
		Keys string `json:"jwks_uri"`
	}
	if err := provider.Claims(&document); err != nil {
		return nil, err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, document.Keys, nil)
	if err != nil {
		return nil, err
	}
	resp, err := s.client.Do(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close() //nolint:errcheck // it is only read
	if resp.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("%s answers %s", document.Keys, resp.Status)
	}
	var set jose.JSONWebKeySet
	if err := json.NewDecoder(io.LimitReader(resp.Body, maxKeys)).Decode(&set); err != nil {
		return nil, fmt.Errorf("read the keys at %s: %w", document.Keys, err)
	}
	return set.Keys, nil
}

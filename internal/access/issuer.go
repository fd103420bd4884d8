package access

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/coreos/go-oidc/v3/oidc"

	"stockbridge/internal/database"
	"stockbridge/internal/fault"
	"stockbridge/internal/globalid"
)

// IssuerConfig says whose JWTs let people and programs in (spec 5.3), and how to read them.
type IssuerConfig struct {
	URL            string // as the token's iss and the issuer's discovery document have it
	Audience       string // which a token's aud must name
	RoleClaim      string // "" is stockbridge_role
	MerchantsClaim string // "" is stockbridge_merchants
	// Client fetches the issuer's keys. It dials no address that the server may not.
	Client *http.Client
}

// Issuer signs in by the JWTs of an OpenID Connect provider. It is safe for concurrent use.
type Issuer struct {
	IssuerConfig
	db   *database.DB
	keys keySet
}

// NewIssuer makes an issuer. It is asked for its keys when the first token comes.
func NewIssuer(db *database.DB, c IssuerConfig) (*Issuer, error) {
	u, err := url.Parse(c.URL)
	if err != nil || u.Scheme != "https" && u.Scheme != "http" || u.Host == "" || u.User != nil || u.RawQuery != "" || u.Fragment != "" {
		return nil, fmt.Errorf("the issuer %q is no URL like https://login.example.com/realm", c.URL)
	}
	if c.Audience == "" {
		return nil, errors.New("an issuer needs an audience: the name under which this server is known there, else tokens made for others would do here")
	}
	if c.RoleClaim == "" {
		c.RoleClaim = "stockbridge_role"
	}
	if c.MerchantsClaim == "" {
		c.MerchantsClaim = "stockbridge_merchants"
	}
	return &Issuer{IssuerConfig: c, db: db, keys: keySet{issuer: c.URL, client: c.Client, now: db.Now}}, nil
}

// looksLikeJWT tells a JWT, which is three parts of base64 of which the first is a JSON object, from a secret of our own.
func looksLikeJWT(secret string) bool {
	return strings.HasPrefix(secret, "eyJ") && strings.Count(secret, ".") == 2
}

// authenticate finds who a JWT is of. The error is a fault with code UNAUTHENTICATED for a token that does not let in.
func (i *Issuer) authenticate(ctx context.Context, raw string) (*Viewer, error) {
	keys, err := i.keys.of(ctx, raw)
	if err != nil {
		return nil, err
	}
	config := &oidc.Config{ClientID: i.Audience, SupportedSigningAlgs: algorithms(), Now: i.db.Now}
	token, err := oidc.NewVerifier(i.URL, &oidc.StaticKeySet{PublicKeys: keys}, config).Verify(ctx, raw)
	if err != nil {
		var expired *oidc.TokenExpiredError
		if errors.As(err, &expired) {
			return nil, fault.Wrap(err, fault.Unauthenticated, "the token has expired: sign in again with its issuer")
		}
		return nil, fault.Wrap(err, fault.Unauthenticated, "the token does not let in here: it must be a JWT of %s for the audience %q, signed with a key of its issuer", i.URL, i.Audience)
	}
	var claims map[string]json.RawMessage
	if err := token.Claims(&claims); err != nil || token.Subject == "" {
		return nil, fault.Wrap(err, fault.Unauthenticated, "the token does not say whose it is: it has no claim sub")
	}
	v := &Viewer{TokenID: bearerOf(token.Issuer, token.Subject), Name: token.Subject, ExpiresAt: token.Expiry}
	for _, claim := range []string{"name", "preferred_username", "email"} {
		if names := texts(claims[claim]); len(names) == 1 && names[0] != "" {
			v.Name = names[0]
		}
	}
	if v.Role, err = i.role(texts(claims[i.RoleClaim])); err != nil {
		return nil, err
	}
	merchants := texts(claims[i.MerchantsClaim])
	if v.Role == Admin {
		if len(merchants) > 0 {
			return nil, fault.New(fault.Unauthenticated, "the token's claim %s names merchants, and ADMIN is for all: have its issuer leave them out, or give another role", i.MerchantsClaim)
		}
		return v, nil
	}
	var ids []int64
	for _, m := range merchants {
		if id, err := globalid.Of("Merchant", m); err == nil {
			ids = append(ids, id)
		}
	}
	if v.MerchantIDs, err = i.db.MerchantsNamed(ctx, merchants, ids); err != nil {
		return nil, err
	}
	if len(v.MerchantIDs) == 0 {
		return nil, fault.New(fault.Unauthenticated, "the token's claim %s names no merchant that is known here: have its issuer write their names or ids, as a list", i.MerchantsClaim)
	}
	return v, nil
}

// role is the one among the values of the claim, which may hold others that mean something elsewhere.
func (i *Issuer) role(values []string) (Role, error) {
	var found []Role
	for _, value := range values {
		if r := Role(strings.ToUpper(value)); slices.Contains([]Role{Admin, Operator, Partner}, r) && !slices.Contains(found, r) {
			found = append(found, r)
		}
	}
	if len(found) != 1 {
		return "", fault.New(fault.Unauthenticated, "the token's claim %s has to hold one role: ADMIN, OPERATOR or PARTNER", i.RoleClaim)
	}
	return found[0], nil
}

// texts reads a claim that is a text or a list of texts; none for any other.
func texts(raw json.RawMessage) []string {
	var one string
	var list []string
	if json.Unmarshal(raw, &one) == nil && one != "" {
		return []string{one}
	}
	if json.Unmarshal(raw, &list) != nil {
		return nil
	}
	return list
}

// bearerOf numbers the bearers of JWTs: below 0, where no token of our own is.
func bearerOf(issuer, subject string) int64 {
	sum := sha256.Sum256([]byte(issuer + "\x00" + subject))
	return -1 - int64(binary.BigEndian.Uint64(sum[:8])>>1)
}

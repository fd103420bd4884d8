package access

import (
	"context"
	"log/slog"
	"slices"

	"stockbridge/ent"
	"stockbridge/internal/database"
	"stockbridge/internal/fault"
)

// Authenticator tells who the bearer of a token is (spec 5.3). It is safe for concurrent use.
type Authenticator struct {
	db     *database.DB
	issuer *Issuer
	log    *slog.Logger
	lately remembered
}

// NewAuthenticator looks tokens up in a database, and lets an issuer's JWTs in; nil is none.
func NewAuthenticator(db *database.DB, issuer *Issuer, log *slog.Logger) *Authenticator {
	return &Authenticator{db: db, issuer: issuer, log: log}
}

// Authenticate finds who a secret belongs to. The error is a fault with code UNAUTHENTICATED for a secret that is none, and
// for a token that is unknown, revoked or expired.
func (a *Authenticator) Authenticate(ctx context.Context, secret string) (*Viewer, error) {
	if a.issuer != nil && looksLikeJWT(secret) {
		return a.issuer.authenticate(ctx, secret)
	}
	if err := CheckSecret(secret); err != nil {
		return nil, err
	}
	hash, now, version := Hash(secret), a.db.Now(), a.db.TokensVersion() // before it is read
	if v := a.lately.find([32]byte(hash), now, version); v != nil {
		return v, nil
	}
	token, err := a.db.TokenByHash(ctx, hash)
	if fault.CodeOf(err) == fault.NotFound {
		return nil, fault.Wrap(err, fault.Unauthenticated, "%s", fault.Message(err))
	}
	if err != nil {
		return nil, err
	}
	// That a token was used is good to know, and not worth turning its bearer away.
	if err := a.db.TouchToken(ctx, token); err != nil {
		a.log.WarnContext(ctx, "that a token was used could not be noted", "token", token.ID, "error", err)
	}
	v := viewerOf(token)
	a.lately.keep([32]byte(hash), seen{v, now, version})
	return v, nil
}

// viewerOf is who a token, with its merchants, lets in.
func viewerOf(token *ent.Token) *Viewer {
	v := &Viewer{TokenID: token.ID, Name: token.Name, Role: Role(token.Role), Documents: token.Documents}
	for _, m := range token.Edges.Merchants {
		v.MerchantIDs = append(v.MerchantIDs, m.ID)
	}
	slices.Sort(v.MerchantIDs)
	if token.ExpiresAt != nil {
		v.ExpiresAt = *token.ExpiresAt
	}
	return v
}

// Grant is a secret that let somebody in, and as whom.
type Grant struct {
	Secret string
	Viewer *Viewer
}

// Recheck finds who those are now that were let in before: nil for one whose token was revoked or has expired. It makes two
// queries, however many there are. Of a JWT only the time is looked at: what it says of its bearer stays as it was signed.
func (a *Authenticator) Recheck(ctx context.Context, grants []Grant) ([]*Viewer, error) {
	out := make([]*Viewer, len(grants))
	var hashes [][]byte
	at := make(map[string]int, len(grants)) // by hash
	for i, g := range grants {
		switch {
		case g.Viewer.TokenID >= 0:
			hash := Hash(g.Secret)
			hashes = append(hashes, hash)
			at[string(hash)] = i
		case !g.Viewer.Expired(a.db.Now()):
			out[i] = g.Viewer
		}
	}
	tokens, err := a.db.TokensByHash(ctx, hashes)
	if err != nil {
		return nil, err
	}
	for _, t := range tokens {
		out[at[string(t.Hash)]] = viewerOf(t)
	}
	return out, nil
}

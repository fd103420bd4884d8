package access

import (
	"context"
	"log/slog"
	"slices"

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
	v := &Viewer{TokenID: token.ID, Name: token.Name, Role: Role(token.Role), Documents: token.Documents}
	for _, m := range token.Edges.Merchants {
		v.MerchantIDs = append(v.MerchantIDs, m.ID)
	}
	slices.Sort(v.MerchantIDs)
	if token.ExpiresAt != nil {
		v.ExpiresAt = *token.ExpiresAt
	}
	a.lately.keep([32]byte(hash), seen{v, now, version})
	return v, nil
}

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

// Standing tells who the secrets belong to of those that still stand, and leaves the others out. It is made for looking again
// and again: tokens are read together, and not noted as used. An error is that it cannot be looked up now.
func (a *Authenticator) Standing(ctx context.Context, secrets []string) (map[string]*Viewer, error) {
	standing := make(map[string]*Viewer, len(secrets))
	byHash := make(map[string]string, len(secrets))
	hashes := make([][]byte, 0, len(secrets))
	for _, secret := range secrets {
		if a.issuer != nil && looksLikeJWT(secret) {
			viewer, err := a.issuer.authenticate(ctx, secret)
			switch {
			case err == nil:
				standing[secret] = viewer
			case fault.CodeOf(err) != fault.Unauthenticated:
				return nil, err
			}
			continue
		}
		hash := Hash(secret)
		byHash[string(hash)] = secret
		hashes = append(hashes, hash)
	}
	tokens, err := a.db.TokensByHash(ctx, hashes)
	if err != nil {
		return nil, err
	}
	for _, token := range tokens {
		standing[byHash[string(token.Hash)]] = viewerOf(token)
	}
	return standing, nil
}

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

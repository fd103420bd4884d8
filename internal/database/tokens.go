package database

import (
	"context"
	"fmt"
	"slices"
	"time"

	entsql "entgo.io/ent/dialect/sql"

	"stockbridge/ent"
	"stockbridge/ent/merchant"
	"stockbridge/ent/predicate"
	"stockbridge/ent/schema/enum"
	"stockbridge/ent/token"
	"stockbridge/internal/fault"
)

// CreateToken lets a new bearer in.
type CreateToken struct {
	Name        string // 1 to 255 bytes
	Role        enum.Role
	MerchantIDs []int64    // none for ADMIN, at least one for the others
	ExpiresAt   *time.Time // in the future; nil is never
	Hash        []byte     // of the secret
	Hint        string     // the secret's last characters
	Documents   []byte     // hashes of the only documents it may run, as access.ParseDocuments makes them; nil is any
}

// CreateToken adds a token. Faults: BLANK, TOO_LONG or INVALID of name; INVALID of role; INVALID or BLANK of merchantIds,
// NOT_FOUND of merchantIds.N; OUT_OF_RANGE of expiresAt.
func (db *DB) CreateToken(ctx context.Context, in CreateToken) (*ent.Token, error) {
	return change(ctx, db, 0, "create a token", func(t *tx) (*ent.Token, error) {
		var c check
		name := c.name("name", in.Name)
		oneOf(&c, "role", in.Role, "")
		switch {
		case in.Role == enum.Admin && len(in.MerchantIDs) > 0:
			c.add("merchantIds", fault.Invalid, "an ADMIN token is for all merchants: name none, or choose another role")
		case in.Role != enum.Admin && len(in.MerchantIDs) == 0:
			c.add("merchantIds", fault.Blank, "name the merchants the token is for, one at least")
		}
		known, err := t.ent.Merchant.Query().Where(merchant.IDIn(in.MerchantIDs...)).IDs(ctx)
		if err != nil {
			return nil, err
		}
		for i, id := range in.MerchantIDs {
			if !slices.Contains(known, id) {
				c.faults = append(c.faults, missing(fmt.Sprintf("merchantIds.%d", i), "merchant"))
			}
		}
		now := db.Now()
		if in.ExpiresAt != nil && !in.ExpiresAt.After(now) {
			c.add("expiresAt", fault.OutOfRange, "%s is past: write a time to come, or none", in.ExpiresAt.UTC().Format(time.RFC3339))
		}
		if err := c.faults.Or(); err != nil {
			return nil, err
		}
		create := t.ent.Token.Create().SetName(name).SetRole(in.Role).SetHash(in.Hash).SetHint(in.Hint).AddMerchantIDs(known...).SetCreatedAt(now)
		if in.ExpiresAt != nil {
			create.SetExpiresAt(in.ExpiresAt.UTC().Truncate(time.Microsecond))
		}
		if in.Documents != nil {
			create.SetDocuments(in.Documents)
		}
		return create.Save(ctx)
	})
}

// RevokeToken shuts a token's bearer out from now on. One that was revoked before stays as it is. Fault: NOT_FOUND of
// tokenId.
func (db *DB) RevokeToken(ctx context.Context, id int64) (*ent.Token, error) {
	defer db.tokens.Add(1) // after the commit
	return change(ctx, db, 0, "revoke a token", func(t *tx) (*ent.Token, error) {
		row, err := t.ent.Token.Get(ctx, id)
		if err != nil {
			return nil, found(err, "tokenId", "token")
		}
		if row.RevokedAt != nil {
			return row, nil
		}
		return row.Update().SetRevokedAt(db.Now()).Save(ctx)
	})
}

// TokensVersion changes whenever this process has taken a token, or a merchant of tokens, away. What was read of tokens
// after it was asked for is as good as new while it stays the same, but for what other processes do.
func (db *DB) TokensVersion() uint64 { return db.tokens.Load() }

// TokenByHash finds the token whose secret has this hash, with its merchants. A token that lost all its merchants is
// good for none. Fault: NOT_FOUND, also of a token that was revoked or has expired.
func (db *DB) TokenByHash(ctx context.Context, hash []byte) (*ent.Token, error) {
	// Nobody is signed in yet, so this client is not one that is narrowed to a viewer.
	reader := ent.NewClient(ent.Driver(entsql.OpenDB(db.dialect, db.read)))
	row, err := reader.Token.Query().Where(token.Hash(hash)).WithMerchants().Only(ctx)
	switch {
	case ent.IsNotFound(err):
		return nil, fault.New(fault.NotFound, "the token is not known here: use one that createToken gave")
	case err != nil:
		return nil, fmt.Errorf("find a token: %w", err)
	case row.RevokedAt != nil:
		return nil, fault.New(fault.NotFound, "the token was revoked: ask for another")
	case row.ExpiresAt != nil && !row.ExpiresAt.After(db.Now()):
		return nil, fault.New(fault.NotFound, "the token has expired: ask for another")
	}
	return row, nil
}

// TokensByHash finds those of many tokens that still let in, with their merchants, in no order.
func (db *DB) TokensByHash(ctx context.Context, hashes [][]byte) ([]*ent.Token, error) {
	const some = 5000 // parameters that both databases take
	reader := ent.NewClient(ent.Driver(entsql.OpenDB(db.dialect, db.read)))
	now := db.Now()
	var all []*ent.Token
	for part := range slices.Chunk(hashes, some) {
		rows, err := reader.Token.Query().Where(token.HashIn(part...), token.RevokedAtIsNil(), token.Or(token.ExpiresAtIsNil(), token.ExpiresAtGT(now))).WithMerchants().All(ctx)
		if err != nil {
			return nil, fmt.Errorf("find tokens: %w", err)
		}
		all = append(all, rows...)
	}
	return all, nil
}

// TouchToken keeps when a token was last used, to the minute.
func (db *DB) TouchToken(ctx context.Context, used *ent.Token) error {
	now := db.Now()
	if used.LastUsedAt != nil && now.Sub(*used.LastUsedAt) < time.Minute {
		return nil
	}
	err := db.inTx(ctx, func(t *tx) error {
		old := token.Or(token.LastUsedAtIsNil(), token.LastUsedAtLTE(now.Add(-time.Minute)))
		return t.ent.Token.Update().Where(token.ID(used.ID), old).SetLastUsedAt(now).Exec(ctx)
	})
	if err != nil {
		return fmt.Errorf("touch a token: %w", err)
	}
	return nil
}

// EnsureAdminToken adds the admin token that whoever starts the server has chosen, and says whether it did: not if it is
// there already. Fault: WRONG_STATE where a token of this hash was revoked or is no admin's.
func (db *DB) EnsureAdminToken(ctx context.Context, hash []byte, hint string) (added bool, err error) {
	return change(ctx, db, 0, "ensure an admin token", func(t *tx) (bool, error) {
		row, err := t.ent.Token.Query().Where(token.Hash(hash)).Only(ctx)
		switch {
		case ent.IsNotFound(err):
			return true, t.addAdmin(ctx, "chosen at start", hash, hint)
		case err != nil:
			return false, err
		}
		usable, err := t.ent.Token.Query().Where(token.ID(row.ID), usableAdmin(t.db.Now())).Exist(ctx)
		if err == nil && !usable {
			err = fault.New(fault.WrongState, "the chosen admin token is the token %q, which was revoked, has expired or is no admin's: choose another", row.Name)
		}
		return false, err
	})
}

// FirstAdminToken adds an admin token if nobody could sign in as an admin without it, and says whether it did.
func (db *DB) FirstAdminToken(ctx context.Context, hash []byte, hint string) (added bool, err error) {
	return change(ctx, db, 0, "add the first admin token", func(t *tx) (bool, error) {
		exists, err := t.ent.Token.Query().Where(usableAdmin(t.db.Now())).Exist(ctx)
		if err != nil || exists {
			return false, err
		}
		return true, t.addAdmin(ctx, "made at the first start", hash, hint)
	})
}

func usableAdmin(now time.Time) predicate.Token {
	return token.And(token.RoleEQ(enum.Admin), token.RevokedAtIsNil(), token.Or(token.ExpiresAtIsNil(), token.ExpiresAtGT(now)))
}

func (t *tx) addAdmin(ctx context.Context, name string, hash []byte, hint string) error {
	return t.ent.Token.Create().SetName(name).SetRole(enum.Admin).SetHash(hash).SetHint(hint).SetCreatedAt(t.db.Now()).Exec(ctx)
}

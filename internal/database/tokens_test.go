package database_test

import (
	"strings"
	"testing"
	"time"

	"stockbridge/ent/schema/enum"
	"stockbridge/ent/token"
	"stockbridge/internal/database"
	"stockbridge/internal/database/dbtest"
)

func TestTokenFaults(t *testing.T) {
	eachBrand(t, func(w *brand) {
		create := func(in database.CreateToken) error {
			in.Hash = []byte("hash")
			return errOf(w.db.CreateToken(w.Context(), in))
		}
		w.refused(create(database.CreateToken{Name: " ", Role: "x", ExpiresAt: new(w.db.Now())}), "BLANK name", "INVALID role", "BLANK merchantIds", "OUT_OF_RANGE expiresAt")
		w.refused(create(database.CreateToken{Name: strings.Repeat("x", 256), Role: enum.Admin, MerchantIDs: []int64{w.m.ID}}), "TOO_LONG name", "INVALID merchantIds")
		w.refused(create(database.CreateToken{Name: "x", Role: enum.Partner}), "BLANK merchantIds")
		w.refused(create(database.CreateToken{Name: "x", Role: enum.Operator, MerchantIDs: []int64{w.m.ID, 999}}), "NOT_FOUND merchantIds.1")
		w.refused(errOf(w.db.RevokeToken(w.Context(), 999)), "NOT_FOUND tokenId")
	})
}

// spec 5.2, 5.3
func TestTokenLetsInUntilRevokedOrExpired(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"sqlite", "postgres"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			now := time.Date(2026, 1, 2, 3, 4, 5, 6789, time.UTC)
			w := newBrand(t, dbtest.Open(t, name, database.Options{Now: func() time.Time { return now }}))
			ctx := t.Context()
			made := sure(w.db.CreateToken(ctx, database.CreateToken{Name: " n ", Role: enum.Operator, MerchantIDs: []int64{w.m2.ID, w.m.ID, w.m2.ID}, ExpiresAt: new(now.Add(time.Hour)), Hash: []byte("h1"), Hint: "abcd"}))(t)
			got := sure(w.db.TokenByHash(ctx, []byte("h1")))(t)
			if got.ID != made.ID || got.Name != "n" || got.Hint != "abcd" || len(got.Edges.Merchants) != 2 || got.LastUsedAt != nil {
				t.Errorf("got %v", got)
			}
			w.refused(errOf(w.db.TokenByHash(ctx, []byte("h2"))), "NOT_FOUND")

			used := func() time.Time { return *sure(w.db.Reader().Token.Get(ctx, made.ID))(t).LastUsedAt }
			for _, step := range []struct{ wait, want time.Duration }{{0, 0}, {59 * time.Second, 0}, {time.Second, time.Minute}, {time.Minute, 2 * time.Minute}} {
				now = now.Add(step.wait)
				if err := w.db.TouchToken(ctx, made); err != nil { // as read before the first use
					t.Fatal(err)
				}
				if got := used().Sub(made.CreatedAt); got != step.want {
					t.Errorf("used %s after it was made, want %s", got, step.want)
				}
			}

			now = made.CreatedAt.Add(time.Hour)
			w.refused(errOf(w.db.TokenByHash(ctx, []byte("h1"))), "NOT_FOUND")
			sure(w.db.CreateToken(ctx, database.CreateToken{Name: "forever", Role: enum.Admin, Hash: []byte("h2")}))(t)
			id := sure(w.db.TokenByHash(ctx, []byte("h2")))(t).ID
			first := sure(w.db.RevokeToken(ctx, id))(t)
			now = now.Add(time.Hour)
			second := sure(w.db.RevokeToken(ctx, id))(t)
			if first.RevokedAt == nil || !first.RevokedAt.Equal(*second.RevokedAt) {
				t.Errorf("revoked at %v, then at %v", first.RevokedAt, second.RevokedAt)
			}
			w.refused(errOf(w.db.TokenByHash(ctx, []byte("h2"))), "NOT_FOUND")
		})
	}
}

// A token whose merchants are gone is good for none.
func TestTokenOfADeletedMerchant(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, database.Options{}, func(t *testing.T, db *database.DB) {
		ctx := t.Context()
		m := sure(db.CreateMerchant(ctx, database.CreateMerchant{Name: "Acme"}))(t)
		sure(db.CreateToken(ctx, database.CreateToken{Name: "n", Role: enum.Partner, MerchantIDs: []int64{m.ID}, Hash: []byte("h")}))(t)
		if err := db.DeleteMerchant(ctx, m.ID); err != nil {
			t.Fatal(err)
		}
		if got := sure(db.TokenByHash(ctx, []byte("h")))(t); len(got.Edges.Merchants) != 0 {
			t.Errorf("got %v", got.Edges.Merchants)
		}
	})
}

// spec 5.5: --admin-token is a first admin token; else one is made on the first start.
func TestAdminTokens(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, database.Options{}, func(t *testing.T, db *database.DB) {
		ctx := t.Context()
		w := &brand{T: t, db: db}
		step := func(what string, want bool) func(bool, error) {
			return func(added bool, err error) {
				t.Helper()
				if err != nil || added != want {
					t.Errorf("%s: added %t, %v", what, added, err)
				}
			}
		}
		step("chosen", true)(db.EnsureAdminToken(ctx, []byte("a"), "a"))
		step("chosen again", false)(db.EnsureAdminToken(ctx, []byte("a"), "a"))
		step("first, with one there", false)(db.FirstAdminToken(ctx, []byte("b"), "b"))
		step("another chosen", true)(db.EnsureAdminToken(ctx, []byte("c"), "c"))
		for _, id := range sure(db.Reader().Token.Query().IDs(ctx))(t) {
			sure(db.RevokeToken(ctx, id))(t)
		}
		w.refused(errOf(db.EnsureAdminToken(ctx, []byte("a"), "a")), "WRONG_STATE")
		if failed := atOnce(func(i int) error { return errOf(db.FirstAdminToken(ctx, []byte{byte(i)}, "d")) }); len(failed) > 0 {
			t.Error(failed)
		}
		if n := sure(db.Reader().Token.Query().Where(token.RevokedAtIsNil()).Count(ctx))(t); n != 1 {
			t.Errorf("%d admin tokens were made by servers that started at once", n)
		}
	})
}

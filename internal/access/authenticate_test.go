package access

import (
	"log/slog"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"stockbridge/ent/schema/enum"
	"stockbridge/internal/database"
	"stockbridge/internal/database/dbtest"
	"stockbridge/internal/fault"
)

// spec 5.2 and 5.3: a token lets its bearer in as what it says, until it is revoked or expires.
func TestAuthenticate(t *testing.T) {
	t.Parallel()
	start := time.Date(2026, 3, 1, 10, 0, 0, 0, time.UTC)
	var later atomic.Int64 // a time.Duration
	clock := func() time.Time { return start.Add(time.Duration(later.Load())) }
	for _, name := range []string{"sqlite", "postgres"} {
		t.Run(name, func(t *testing.T) { // one after the other, for they share the clock
			later.Store(0)
			db := dbtest.Open(t, name, database.Options{Now: clock})
			a := NewAuthenticator(db, nil, slog.New(slog.DiscardHandler))
			var merchants []int64
			for _, name := range []string{"B", "A"} {
				m, err := db.CreateMerchant(t.Context(), database.CreateMerchant{Name: name})
				if err != nil {
					t.Fatal(err)
				}
				merchants = append(merchants, m.ID)
			}
			secret, err := NewSecret(endless{})
			if err != nil {
				t.Fatal(err)
			}
			expires := start.Add(time.Hour)
			token, err := db.CreateToken(t.Context(), database.CreateToken{Name: "Pia", Role: enum.Partner, MerchantIDs: []int64{merchants[1], merchants[0]}, Hash: Hash(secret), Hint: "x", ExpiresAt: &expires})
			if err != nil {
				t.Fatal(err)
			}
			if _, err := db.CreateToken(t.Context(), database.CreateToken{Name: "Ada", Role: enum.Admin, Hash: Hash("chosen by hand"), Hint: "x"}); err != nil {
				t.Fatal(err)
			}

			v, err := a.Authenticate(t.Context(), secret)
			if err != nil || v.TokenID != token.ID || v.Name != "Pia" || v.Role != Partner || !slices.Equal(v.MerchantIDs, merchants) || !v.ExpiresAt.Equal(expires) {
				t.Errorf("got %+v, %v", v, err)
			}
			used, err := db.TokenByHash(t.Context(), Hash(secret))
			if err != nil || used.LastUsedAt == nil || !used.LastUsedAt.Equal(start) {
				t.Errorf("last used at %v, %v", used.LastUsedAt, err)
			}
			refused := func(what, secret string) {
				t.Helper()
				if v, err := a.Authenticate(t.Context(), secret); v != nil || fault.CodeOf(err) != fault.Unauthenticated {
					t.Errorf("%s: got %+v, %v", what, v, err)
				}
			}
			refused("nothing", "")
			refused("unknown", "somebody else's")
			refused("cut short", secret[:40])
			refused("its hash", string(Hash(secret)))
			refused("a chosen secret with spaces", "chosen by hand")

			jwt := &Viewer{TokenID: -5, Role: Partner, ExpiresAt: expires}
			grants := []Grant{{"somebody else's", &Viewer{TokenID: 99}}, {secret, v}, {"a JWT", jwt}}
			recheck := func(stands bool) {
				t.Helper()
				now, err := a.Recheck(t.Context(), grants)
				if err != nil || len(now) != 3 || now[0] != nil || (now[1] != nil) != stands || (now[2] != nil) != stands {
					t.Errorf("now: %+v, %v", now, err)
				} else if stands && (now[1].TokenID != token.ID || !slices.Equal(now[1].MerchantIDs, merchants)) {
					t.Errorf("now: %+v", now[1])
				}
			}
			recheck(true)
			// What another process took away is noticed within a second, what this one did at once.
			elsewhere := NewAuthenticator(db, nil, slog.New(slog.DiscardHandler))
			elsewhere.lately.keep([32]byte(Hash("gone")), seen{v, start, db.TokensVersion()})
			if again, err := elsewhere.Authenticate(t.Context(), "gone"); again != v || err != nil {
				t.Errorf("a moment ago: %v, %v", again, err)
			}
			later.Store(int64(rememberedFor))
			if again, err := elsewhere.Authenticate(t.Context(), "gone"); fault.CodeOf(err) != fault.Unauthenticated {
				t.Errorf("a second later: %v, %v", again, err)
			}

			later.Store(int64(time.Hour))
			recheck(false)
			refused("expired", secret)
			later.Store(0)
			if _, err := db.RevokeToken(t.Context(), token.ID); err != nil {
				t.Fatal(err)
			}
			refused("revoked", secret)
		})
	}
}

// endless is a source of bytes that are always the same.
type endless struct{}

func (endless) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = byte(i)
	}
	return len(p), nil
}

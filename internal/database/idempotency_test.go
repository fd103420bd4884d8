package database_test

import (
	"testing"
	"time"

	"stockbridge/internal/database"
	"stockbridge/internal/database/dbtest"
)

// An answer is kept for 24 hours; a request that died with its process gives its key free after some minutes, to the same request.
func TestIdempotencyKeyAges(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"sqlite", "postgres"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
			w := newBrand(t, dbtest.Open(t, name, database.Options{Now: func() time.Time { return now }}))
			ctx := t.Context()
			claim := func(key, request string, want ...string) int64 {
				t.Helper()
				id, answer, err := w.db.ClaimKey(ctx, 1, key, []byte(request))
				if len(want) > 0 || err != nil {
					w.refused(err, want...)
				}
				if answer != nil || (id == 0) != (len(want) > 0) {
					t.Errorf("claim %d, answer %q", id, answer)
				}
				return id
			}
			answered := claim("a", "x")
			if err := w.db.AnswerKey(ctx, answered, []byte("yes")); err != nil {
				t.Fatal(err)
			}
			died, released := claim("b", "x"), claim("c", "x")
			if err := w.db.ReleaseKey(ctx, released); err != nil {
				t.Fatal(err)
			}
			claim("c", "y")
			now = now.Add(5*time.Minute - time.Second)
			claim("b", "x", "IDEMPOTENCY_CONCURRENT")
			now = now.Add(time.Second)
			claim("b", "y", "IDEMPOTENCY_KEY_REUSED")
			if again := claim("b", "x"); again == died || again == 0 {
				t.Errorf("taken over as %d, was %d", again, died)
			}
			if err := w.db.AnswerKey(ctx, died, []byte("late")); err == nil {
				t.Error("who lost its key answered all the same")
			}
			if err := w.db.ReleaseKey(ctx, answered); err != nil { // an answer stays
				t.Fatal(err)
			}
			now = now.Add(database.KeyKept - 5*time.Minute - time.Second)
			if _, answer, err := w.db.ClaimKey(ctx, 1, "a", []byte("x")); string(answer) != "yes" || err != nil {
				t.Errorf("a moment before the end: %q, %v", answer, err)
			}
			claim("a", "y", "IDEMPOTENCY_KEY_REUSED")
			now = now.Add(time.Second)
			claim("a", "y")
		})
	}
}

package access

import (
	"bytes"
	"testing"

	"stockbridge/internal/database"
	"stockbridge/internal/database/dbtest"
	"stockbridge/internal/fault"
)

// spec 5: a token's secret is shown once, so the remembered answer that holds it is sealed; another key does not open it.
func TestRememberedAnswerIsSealed(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, database.Options{}, func(t *testing.T, db *database.DB) {
		ctx := With(t.Context(), &Viewer{TokenID: 7, Role: Admin})
		once := NewOnce(db, sealer(t, testKey))
		secret := []byte(`{"createToken":{"secret":"sbt_very-secret"}}`)
		claim, _, err := once.Begin(ctx, "k", []byte("asked"))
		if err != nil {
			t.Fatal(err)
		}
		if err := claim.Keep(ctx, secret); err != nil {
			t.Fatal(err)
		}
		row, err := db.Reader().IdempotencyKey.Query().Only(ctx)
		if err != nil || bytes.Contains(row.Answer, []byte("secret")) {
			t.Errorf("stored %q, %v", row.Answer, err)
		}
		if claim, answer, err := once.Begin(ctx, "k", []byte("asked")); claim != nil || !bytes.Equal(answer, secret) || err != nil {
			t.Errorf("replayed %q, %v", answer, err)
		}
		_, answer, err := NewOnce(db, sealer(t, "another key for the same table")).Begin(ctx, "k", []byte("asked"))
		if answer != nil || err == nil || fault.CodeOf(err) != "" {
			t.Errorf("with another key %q, %v", answer, err)
		}
		if _, _, err := once.Begin(t.Context(), "k", nil); fault.CodeOf(err) != fault.Unauthenticated {
			t.Errorf("nobody: %v", err)
		}
	})
}

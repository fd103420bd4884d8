package database_test

import (
	"bytes"
	"testing"

	"stockbridge/internal/database"
	"stockbridge/internal/database/dbtest"
)

func TestMain(m *testing.M) { dbtest.Main(m) }

// The versioned migrations make exactly the tables that the ent schema describes.
func TestMigrationsAreInStep(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, database.Options{}, func(t *testing.T, db *database.DB) {
		var drift bytes.Buffer
		if err := db.Drift(t.Context(), &drift); err != nil {
			t.Fatal(err)
		}
		if drift.Len() > 0 {
			t.Errorf("run `go run ./internal/database/generate NAME`: the ent schema needs\n%s", drift.String())
		}
	})
}

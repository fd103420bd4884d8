// Package dbtest gives tests real databases: a file of their own on SQLite, a database of their own in a throw-away
// PostgreSQL cluster.
package dbtest

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"stockbridge/internal/database"
)

// Main runs a package's tests and stops the cluster they started. Call it from TestMain.
func Main(m *testing.M) {
	code := m.Run()
	shared.stop()
	os.Exit(code)
}

// Each runs a test on every database. PostgreSQL is skipped where it is not installed, except in CI.
func Each(t *testing.T, opts database.Options, test func(*testing.T, *database.DB)) {
	t.Helper()
	for _, name := range []string{"sqlite", "postgres"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test(t, Open(t, name, opts))
		})
	}
}

// Open gives a migrated database, "sqlite" or "postgres", that is gone after the test.
func Open(t testing.TB, name string, opts database.Options) *database.DB {
	t.Helper()
	return Reopen(t, URL(t, name), opts)
}

// Reopen opens and migrates the database at a URL until the test ends.
func Reopen(t testing.TB, url string, opts database.Options) *database.DB {
	t.Helper()
	db, err := database.Open(t.Context(), url, opts)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	})
	if _, err := db.Migrate(t.Context()); err != nil {
		t.Fatal(err)
	}
	return db
}

// URL is the address of a database that is gone after the test. On PostgreSQL it is migrated already.
func URL(t testing.TB, name string) string {
	t.Helper()
	if name == "sqlite" {
		return "sqlite://" + filepath.Join(t.TempDir(), "test.db")
	}
	c, err := shared.start()
	if err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatal(err)
		}
		t.Skip(err)
	}
	url, err := c.Create(context.WithoutCancel(t.Context()))
	if err != nil {
		t.Fatal(err)
	}
	return url
}

// shared is the one cluster of a test process.
var shared sharedCluster

type sharedCluster struct {
	once    sync.Once
	cluster *Cluster
	dir     string
	err     error
}

func (s *sharedCluster) start() (*Cluster, error) {
	s.once.Do(func() {
		if s.dir, s.err = os.MkdirTemp("", "stockbridge-pg"); s.err != nil {
			return
		}
		if s.cluster, s.err = StartCluster(filepath.Join(s.dir, "data")); s.err != nil {
			return
		}
		s.err = s.cluster.makeTemplate(context.Background())
	})
	if s.err != nil {
		return nil, fmt.Errorf("PostgreSQL: %w", s.err)
	}
	return s.cluster, nil
}

func (s *sharedCluster) stop() {
	if s.cluster != nil {
		s.cluster.Stop()
	}
	if s.dir != "" {
		_ = os.RemoveAll(s.dir) // a temporary directory
	}
}

// Command generate writes the next versioned migration of both dialects: what brings a database with all migrations
// so far to the ent schema. Usage: go run ./internal/database/generate NAME
package main

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"stockbridge/internal/database"
	"stockbridge/internal/database/dbtest"
)

func main() {
	if len(os.Args) != 2 {
		fmt.Fprintln(os.Stderr, "usage: go run ./internal/database/generate NAME   (from the top of the repository)")
		os.Exit(2)
	}
	if err := run(context.Background(), os.Args[1]); err != nil {
		fmt.Fprintln(os.Stderr, "generate:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, name string) error {
	dir, err := os.MkdirTemp("", "stockbridge-generate")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir) //nolint:errcheck // a temporary directory
	cluster, err := dbtest.StartCluster(filepath.Join(dir, "pg"))
	if err != nil {
		return err
	}
	defer cluster.Stop()
	url, err := cluster.Create(ctx)
	if err != nil {
		return err
	}
	for dialect, url := range map[string]string{"sqlite": "sqlite://" + filepath.Join(dir, "dev.db"), "postgres": url} {
		if err := write(ctx, filepath.Join("internal", "database", "migrations", dialect), name, url); err != nil {
			return fmt.Errorf("%s: %w", dialect, err)
		}
	}
	return nil
}

func write(ctx context.Context, dir, name, url string) error {
	db, err := database.Open(ctx, url, database.Options{})
	if err != nil {
		return err
	}
	defer db.Close() //nolint:errcheck // nothing was written
	if _, err := db.Migrate(ctx); err != nil {
		return err
	}
	var drift bytes.Buffer
	if err := db.Drift(ctx, &drift); err != nil {
		return err
	}
	if drift.Len() == 0 {
		fmt.Println(dir, "is in step")
		return nil
	}
	old, err := filepath.Glob(filepath.Join(dir, "*.sql"))
	if err != nil {
		return err
	}
	file := filepath.Join(dir, fmt.Sprintf("%04d_%s.sql", len(old)+1, name))
	var text strings.Builder
	text.WriteString("-- +goose Up\n")
	for line := range strings.Lines(drift.String()) {
		if s := strings.TrimSpace(line); s != "BEGIN;" && s != "COMMIT;" {
			text.WriteString(line)
		}
	}
	fmt.Println("wrote", file)
	return os.WriteFile(file, []byte(text.String()), 0o644)
}

package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"stockbridge/internal/access"
	"stockbridge/internal/activity"
	"stockbridge/internal/database"
	"stockbridge/internal/outbound"
	"stockbridge/internal/pipeline"
	"stockbridge/internal/platform"
)

// openDatabase opens the database of a command and brings it to this version.
func (i *invocation) openDatabase(opts database.Options) (*database.DB, error) {
	db, err := database.Open(i, i.cli.Database, opts)
	if err != nil {
		return nil, err
	}
	applied, err := db.Migrate(i)
	if err != nil {
		return nil, errors.Join(err, db.Close())
	}
	if applied > 0 {
		i.log.Info("migrated the database", "migrations", applied)
	}
	return db, nil
}

// app is what serve and sync are made of.
type app struct {
	db        *database.DB
	sealer    *access.Sealer
	bell      *activity.Bell
	platforms *platform.Platforms
	pipeline  *pipeline.Pipeline
}

// open opens everything that syncs need, of which so many run at once, 0 for the pipeline's own number. The caller closes
// pipeline and db, in this order.
func (i *invocation) open(o outside, syncs int) (*app, error) {
	for _, dir := range o.FileRoot {
		if info, err := os.Stat(dir); err != nil {
			return nil, fmt.Errorf("--file-root: %w", err)
		} else if !info.IsDir() {
			return nil, fmt.Errorf("--file-root: %s is not a directory", dir)
		}
	}
	a := &app{bell: &activity.Bell{}}
	var err error
	if a.db, err = i.openDatabase(database.Options{Committed: a.bell.Ring, Alone: true}); err != nil {
		return nil, err
	}
	if a.sealer, err = o.sealer(a.db); err != nil {
		return nil, errors.Join(err, a.db.Close())
	}
	a.platforms = platform.New(platform.Config{DB: a.db, Sealer: a.sealer, FileRoots: o.FileRoot, Network: outbound.Policy{AllowPrivate: o.AllowPrivateEndpoints}, Log: i.log})
	a.pipeline = pipeline.New(pipeline.Config{DB: a.db, Source: a.platforms.Source, Sink: a.platforms.Sink, Log: i.log, Syncs: syncs, Version: version()})
	return a, nil
}

// sealer makes the sealer of stored credentials. Every process that uses a PostgreSQL database needs the same key, so
// there it has to be given.
func (o outside) sealer(db *database.DB) (*access.Sealer, error) {
	key := o.SecretKey
	if key == "" {
		if db.Path() == "" {
			return nil, errors.New("PostgreSQL needs --secret-key: stored credentials are encrypted with it, and every process needs the same; make one with: openssl rand -hex 32")
		}
		var err error
		if key, err = access.LoadOrCreateKeyFile(filepath.Join(filepath.Dir(db.Path()), "stockbridge.key")); err != nil {
			return nil, err
		}
	}
	return access.NewSealer(key)
}

// hint is what may be shown of a secret to tell tokens apart: its end, if enough is left to guess.
func hint(secret string) string {
	if len(secret) < 16 {
		return ""
	}
	return secret[len(secret)-4:]
}

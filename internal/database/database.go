// Package database opens and migrates SQLite or PostgreSQL and is the only writer. An exported method that writes is
// one transaction; what it tells others of is told after the commit.
package database

import (
	"cmp"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"path/filepath"
	"strings"
	"sync/atomic"
	"time"

	"entgo.io/ent/dialect"
	entsql "entgo.io/ent/dialect/sql"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/jackc/pgx/v5/stdlib"
	_ "modernc.org/sqlite" // registers the driver "sqlite"

	"stockbridge/ent"
)

// DB is an open database. It is safe for concurrent use.
type DB struct {
	dialect string // dialect.SQLite or dialect.Postgres
	path    string // of the SQLite file, "" otherwise
	write   *sql.DB
	read    *sql.DB
	pool    *pgxpool.Pool // PostgreSQL only
	reader  *ent.Client
	now     func() time.Time
	tokens  atomic.Uint64 // how often this process took a right away
	unlock  func() error  // the lock of the SQLite file; nil while this process does not hold it
	hung    time.Duration // Options.HungAfter
	// committed is called after every commit that wrote activities.
	committed func()
}

// Options of Open. The zero value is what a server uses.
type Options struct {
	Now       func() time.Time // the clock; nil is the system's, in UTC
	Committed func()           // called after every commit that wrote activities; nil is nobody
	// Alone keeps every other process from an SQLite database that opens it so too, until Close. On PostgreSQL it means nothing.
	Alone bool
	// HungAfter is how long another replica's session may ask for nothing before this one ends it; 0 is 30 s. PostgreSQL only.
	HungAfter time.Duration
}

// Open connects to sqlite://path (a path relative to the working directory, or absolute with three slashes) or
// postgres://…. The database is not migrated.
func Open(ctx context.Context, rawURL string, opts Options) (*DB, error) {
	db := &DB{now: opts.Now, committed: opts.Committed, hung: cmp.Or(opts.HungAfter, hungAfter)}
	if db.now == nil {
		db.now = time.Now
	}
	if db.committed == nil {
		db.committed = func() {}
	}
	var err error
	switch scheme, rest, _ := strings.Cut(rawURL, "://"); scheme {
	case "sqlite":
		if err = db.openSQLite(rest); err == nil && opts.Alone {
			db.unlock, err = db.lockFile()
		}
	case "postgres", "postgresql":
		err = db.openPostgres(ctx, rawURL)
	default:
		return nil, fmt.Errorf("database URL %q: want sqlite://file or postgres://…", redact(rawURL))
	}
	if err == nil {
		err = db.write.PingContext(ctx)
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("open database %s: %w", redact(rawURL), err), db.Close())
	}
	db.reader = db.Reader()
	return db, nil
}

// redact strikes the password out of a database URL.
func redact(raw string) string {
	u, err := url.Parse(raw)
	if err != nil {
		scheme, _, _ := strings.Cut(raw, "://")
		return scheme + "://…"
	}
	return u.Redacted()
}

// openSQLite opens one writer, so that writes queue here and never fail as busy, and a few readers that do not wait
// for it (WAL). Small caches and no mmap keep the memory of a large sync flat.
func (db *DB) openSQLite(path string) error {
	if path == "" {
		return errors.New("the path is empty: write sqlite://stockbridge.db")
	}
	abs, err := filepath.Abs(path)
	if err != nil {
		return err
	}
	db.dialect, db.path = dialect.SQLite, abs
	dsn := func(extra ...string) string {
		q := url.Values{"_pragma": append([]string{"busy_timeout(10000)", "foreign_keys(1)", "cache_size(-8000)", "mmap_size(0)"}, extra...), "_time_format": {"sqlite"}, "_txlock": {"immediate"}}
		return (&url.URL{Scheme: "file", Opaque: (&url.URL{Path: abs}).EscapedPath(), RawQuery: q.Encode()}).String()
	}
	if db.write, err = sql.Open("sqlite", dsn("journal_mode(WAL)", "synchronous(NORMAL)")); err != nil {
		return err
	}
	db.write.SetMaxOpenConns(1)
	if db.read, err = sql.Open("sqlite", dsn("query_only(1)")); err != nil {
		return err
	}
	db.read.SetMaxOpenConns(4)
	db.read.SetMaxIdleConns(4)
	return nil
}

// openPostgres opens one pool for ent and for pgx. A plan cached while a table was empty cost tenfold, hence
// force_custom_plan. A statement of a client that is gone stops within 200 ms, and a transaction whose client says nothing
// any more within a minute: who takes over its work waits for it.
func (db *DB) openPostgres(ctx context.Context, rawURL string) error {
	cfg, err := pgxpool.ParseConfig(rawURL)
	if err != nil {
		return errors.New("the URL does not parse: write postgres://user:password@host:5432/name")
	}
	for k, v := range map[string]string{"plan_cache_mode": "force_custom_plan", "idle_in_transaction_session_timeout": "60000", "timezone": "UTC", "application_name": "stockbridge"} {
		if _, set := cfg.ConnConfig.RuntimeParams[k]; !set {
			cfg.ConnConfig.RuntimeParams[k] = v
		}
	}
	if cfg.ConnConfig.RuntimeParams["client_connection_check_interval"] == "" {
		cfg.AfterConnect = checkClient
	}
	if cfg.MaxConns < 16 && !strings.Contains(rawURL, "pool_max_conns") {
		cfg.MaxConns = 16
	}
	if db.pool, err = pgxpool.NewWithConfig(ctx, cfg); err != nil {
		return err
	}
	db.dialect = dialect.Postgres
	db.write = stdlib.OpenDBFromPool(db.pool)
	db.read = db.write
	return nil
}

// checkClient lets the server look every 200 ms whether the client of a long statement is still there. Servers on some
// systems cannot, and refuse the setting.
func checkClient(ctx context.Context, conn *pgx.Conn) error {
	_, err := conn.Exec(ctx, "SET client_connection_check_interval = 200")
	var refused *pgconn.PgError
	if errors.As(err, &refused) && !conn.IsClosed() {
		return nil
	}
	return err
}

// refuseWrites keeps the readers' client from writing.
func refuseWrites(ent.Mutator) ent.Mutator {
	return ent.MutateFunc(func(_ context.Context, m ent.Mutation) (ent.Value, error) {
		return nil, fmt.Errorf("the read client was asked to write a %s: writing is internal/database's alone", m.Type())
	})
}

// Reader makes a client that only reads. Callers narrow theirs to a viewer with interceptors of their own.
func (db *DB) Reader() *ent.Client {
	c := ent.NewClient(ent.Driver(entsql.OpenDB(db.dialect, db.read)))
	c.Use(refuseWrites)
	return c
}

// Dialect is "sqlite3" or "postgres".
func (db *DB) Dialect() string { return db.dialect }

// Path is the file of an SQLite database, "" for PostgreSQL.
func (db *DB) Path() string { return db.path }

// Ping tells whether the database answers.
func (db *DB) Ping(ctx context.Context) error { return db.read.PingContext(ctx) }

// Now is the database's clock in UTC, in the microseconds that both dialects keep.
func (db *DB) Now() time.Time { return db.now().UTC().Truncate(time.Microsecond) }

// Close waits for transactions under way.
func (db *DB) Close() error {
	var errs []error
	if db.read != nil && db.read != db.write {
		errs = append(errs, db.read.Close())
	}
	if db.write != nil {
		errs = append(errs, db.write.Close())
	}
	if db.pool != nil {
		db.pool.Close()
	}
	if db.unlock != nil {
		errs = append(errs, db.unlock())
	}
	return errors.Join(errs...)
}

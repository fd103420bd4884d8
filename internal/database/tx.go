package database

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"entgo.io/ent/dialect"
	entsql "entgo.io/ent/dialect/sql"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/stdlib"

	"stockbridge/ent"
)

// tx is one transaction seen three ways: ent for single rows, SQL for sets, and the pgx connection for COPY.
type tx struct {
	*sql.Tx
	db       *DB
	conn     *sql.Conn
	ent      *ent.Client
	activity bool // activities were written: others are woken after the commit
}

// inTx runs f in a transaction: committed when f returns nil, else undone. Under a context that Session.Guard made it
// fails with ErrLost where another replica has taken over.
func (db *DB) inTx(ctx context.Context, f func(*tx) error) (err error) {
	return db.in(ctx, db.write, nil, func(t *tx) error {
		if err := fenceOf(ctx).check(ctx, t); err != nil {
			return err
		}
		return f(t)
	})
}

// inView runs f in a transaction that only reads, and sees the database as it is at one moment. It keeps no writer waiting.
func (db *DB) inView(ctx context.Context, f func(*tx) error) error {
	opts := sql.TxOptions{ReadOnly: true}
	if db.dialect == dialect.Postgres {
		opts.Isolation = sql.LevelRepeatableRead // SQLite has no other
	}
	return db.in(ctx, db.read, &opts, f)
}

func (db *DB) in(ctx context.Context, pool *sql.DB, opts *sql.TxOptions, f func(*tx) error) (err error) {
	conn, err := pool.Conn(ctx)
	if err != nil {
		return fmt.Errorf("begin: %w", err)
	}
	defer func() {
		if cerr := conn.Close(); err == nil && cerr != nil {
			err = cerr
		}
	}()
	raw, err := conn.BeginTx(ctx, opts)
	if err != nil {
		return fmt.Errorf("begin: %w", err)
	}
	t := &tx{Tx: raw, db: db, conn: conn}
	t.ent = ent.NewClient(ent.Driver(nested{entsql.NewDriver(db.dialect, entsql.Conn{ExecQuerier: raw})}))
	defer func() {
		if p := recover(); p != nil {
			_ = raw.Rollback() // the panic tells more
			panic(p)
		}
	}()
	if err := f(t); err != nil {
		if rerr := raw.Rollback(); rerr != nil && !errors.Is(rerr, sql.ErrTxDone) {
			return errors.Join(err, fmt.Errorf("roll back: %w", rerr))
		}
		return err
	}
	if err := raw.Commit(); err != nil {
		return fmt.Errorf("commit: %w", err)
	}
	if t.activity {
		db.committed()
	}
	return nil
}

// nested makes ent's own transactions part of the one that is under way.
type nested struct{ *entsql.Driver }

func (n nested) Tx(context.Context) (dialect.Tx, error) { return dialect.NopTx(n.Driver), nil }

func (t *tx) postgres() bool { return t.db.dialect == dialect.Postgres }

// pgx lends the connection under the transaction, for COPY. PostgreSQL only.
func (t *tx) pgx(f func(*pgx.Conn) error) error {
	return t.conn.Raw(func(driver any) error { return f(driver.(*stdlib.Conn).Conn()) })
}

// lock takes an exclusive lock until the end of the transaction. On SQLite the transaction itself is that lock.
func (t *tx) lock(ctx context.Context, class lockClass, key int64) error {
	if !t.postgres() {
		return nil
	}
	_, err := t.ExecContext(ctx, "SELECT pg_advisory_xact_lock($1, $2)", int32(class), int32(key)) //nolint:gosec // a hash: a clash only waits
	return err
}

// lockClass keeps advisory locks of different use apart.
type lockClass int32

const (
	lockActivity lockClass = 0x53420001 + iota // one writer of activities at a time: ids come in commit order
	lockPlan                                   // one planner of a merchant at a time
	lockSettings                               // one change of a merchant's catalog at a time, for checks across rows
	lockRuns                                   // one change of a connection's runs at a time
)

// marks writes n placeholders from the first-th on: "$3,$4" or "?,?".
func (db *DB) marks(first, n int) string {
	if db.dialect == dialect.SQLite {
		return strings.TrimSuffix(strings.Repeat("?,", n), ",")
	}
	var b strings.Builder
	for i := range n {
		if i > 0 {
			b.WriteByte(',')
		}
		b.WriteByte('$')
		b.WriteString(strconv.Itoa(first + i))
	}
	return b.String()
}

// rebind turns ? into $1, $2, … for PostgreSQL. Statements hold no ? but placeholders.
func (db *DB) rebind(query string) string {
	if db.dialect == dialect.SQLite {
		return query
	}
	var b strings.Builder
	n := 0
	for part := range strings.SplitSeq(query, "?") {
		if n > 0 {
			b.WriteByte('$')
			b.WriteString(strconv.Itoa(n))
		}
		b.WriteString(part)
		n++
	}
	return b.String()
}

package database

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgtype"
	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"
)

// Int is a whole number that may be absent. It is pgtype's, because pgx reads and writes it without reflection.
type Int = pgtype.Int8

// IntOf makes a present Int.
func IntOf(n int64) Int { return Int{Int64: n, Valid: true} }

// each runs a query and calls row for every row. On PostgreSQL it goes past database/sql, which costs more than the query
// where rows come by the hundred thousand.
func (t *tx) each(ctx context.Context, query string, args []any, row func(scan func(...any) error) error) (err error) {
	if t.postgres() {
		return t.pgx(func(conn *pgx.Conn) error {
			rows, err := conn.Query(ctx, t.db.rebind(query), args...)
			if err != nil {
				return err
			}
			defer rows.Close()
			for rows.Next() {
				if err := row(rows.Scan); err != nil {
					return err
				}
			}
			return rows.Err()
		})
	}
	rows, err := t.QueryContext(ctx, query, args...)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	for rows.Next() {
		if err := row(rows.Scan); err != nil {
			return err
		}
	}
	return rows.Err()
}

// among is a condition that holds where the column has one of the texts, as one argument whatever their number.
func (db *DB) among(column string, texts []string) (condition string, arg any) {
	if db.pool != nil {
		return column + " = ANY(?)", texts
	}
	return column + " IN (SELECT value FROM json_each(?))", jsonList(texts)
}

func jsonList(texts []string) string {
	list, err := json.Marshal(texts)
	if err != nil {
		panic(err) // a list of strings always marshals
	}
	return string(list)
}

// bySKU is a FROM clause of a merchant's rows of these SKUs in a table that has an index of both, as p. Its arguments are
// returned. The index is taken for each SKU in any case: left to itself PostgreSQL read the whole merchant for every 2,000.
func (db *DB) bySKU(table string, merchantID int64, skus []string) (from string, args []any) {
	skus = slices.Compact(slices.Sorted(slices.Values(skus)))
	if db.pool != nil {
		return "unnest(?::text[]) k(v) CROSS JOIN LATERAL (SELECT * FROM " + table + " p WHERE p.merchant_id = ? AND p.sku = k.v OFFSET 0) p", []any{skus, merchantID}
	}
	return "(SELECT value AS v FROM json_each(?)) k CROSS JOIN " + table + " p ON p.merchant_id = ? AND p.sku = k.v", []any{jsonList(skus), merchantID}
}

// sqliteRows is how many rows go into one INSERT: more gains nothing, and a statement takes 32,766 arguments at most.
const sqliteRows = 200

// insert writes n rows: by COPY on PostgreSQL, 200 a statement on SQLite.
func (t *tx) insert(ctx context.Context, table string, columns []string, n int, row func(i int) []any) error {
	if n == 0 {
		return nil
	}
	if t.postgres() {
		err := t.pgx(func(conn *pgx.Conn) error {
			_, err := conn.CopyFrom(ctx, pgx.Identifier{table}, columns, pgx.CopyFromSlice(n, func(i int) ([]any, error) { return row(i), nil }))
			return err
		})
		if err != nil {
			return fmt.Errorf("insert into %s: %w", table, err)
		}
		return nil
	}
	one := "(" + t.db.marks(1, len(columns)) + ")"
	head := "INSERT INTO " + table + " (" + strings.Join(columns, ", ") + ") VALUES "
	var full *sql.Stmt
	args := make([]any, 0, sqliteRows*len(columns))
	for i := 0; i < n; {
		args = args[:0]
		size := min(sqliteRows, n-i)
		for range size {
			args = append(args, row(i)...)
			i++
		}
		var err error
		switch {
		case size < sqliteRows:
			_, err = t.ExecContext(ctx, head+strings.TrimSuffix(strings.Repeat(one+",", size), ","), args...)
		case full == nil:
			if full, err = t.PrepareContext(ctx, head+strings.TrimSuffix(strings.Repeat(one+",", size), ",")); err == nil {
				defer full.Close() //nolint:errcheck // ends with the transaction anyway
				_, err = full.ExecContext(ctx, args...)
			}
		default:
			_, err = full.ExecContext(ctx, args...)
		}
		if err != nil {
			return fmt.Errorf("insert into %s: %w", table, err)
		}
	}
	return nil
}

// update changes n rows. On PostgreSQL query is one statement over arrays, one array per argument; on SQLite it is run once per row.
func (t *tx) update(ctx context.Context, postgres string, arrays []any, sqlite string, n int, row func(i int) []any) error {
	if n == 0 {
		return nil
	}
	if t.postgres() {
		return t.pgx(func(conn *pgx.Conn) error {
			_, err := conn.Exec(ctx, t.db.rebind(postgres), arrays...)
			return err
		})
	}
	stmt, err := t.PrepareContext(ctx, sqlite)
	if err != nil {
		return err
	}
	defer stmt.Close() //nolint:errcheck // ends with the transaction anyway
	for i := range n {
		if _, err := stmt.ExecContext(ctx, row(i)...); err != nil {
			return err
		}
	}
	return nil
}

// isDuplicate tells whether an error is the database's refusal of a second row with a unique key.
func isDuplicate(err error) bool {
	var pg *pgconn.PgError
	if errors.As(err, &pg) {
		return pg.Code == "23505"
	}
	var lite *sqlite.Error
	return errors.As(err, &lite) && lite.Code() == sqlite3.SQLITE_CONSTRAINT_UNIQUE
}

// nullTime is a time that may be absent.
type nullTime = sql.Null[time.Time]

package pipeline_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	_ "github.com/jackc/pgx/v5/stdlib" // the driver "pgx"
)

// bareRows is the raw limit: the warehouse levels a sync leaves, and per store its channel levels, as bare rows into the
// same indexed tables: by COPY on PostgreSQL, 200 rows a statement in one transaction per 10,000 on SQLite.
func bareRows(ctx context.Context, b *testing.B, url string, merchant, warehouse, store int64, skus, stores int) {
	b.Helper()
	now := time.Now().UTC()
	facility := fmt.Sprint("bare", stores)
	levels := func(i int) []any {
		return []any{merchant, warehouse, facility, fmt.Sprintf("SKU-%08d", i), 5, 9, 1, now, now}
	}
	channel := func(i int) []any {
		return []any{merchant, store, fmt.Sprint("bare", i/skus), fmt.Sprintf("SKU-%08d", i%skus), fmt.Sprintf("SKU-%08d", i%skus), 5, 5, 1, "PUSHED", false, now, now}
	}
	bare(ctx, b, url, "warehouse_levels", []string{"merchant_id", "warehouse_id", "facility_code", "sku", "available", "on_hand", "committed", "reported_at", "updated_at"}, skus, levels)
	bare(ctx, b, url, "channel_levels", []string{"merchant_id", "store_id", "location_code", "channel_sku", "sku", "quantity", "pushed_quantity", "committed", "status", "due", "last_pushed_at", "updated_at"}, skus*stores, channel)
}

func bare(ctx context.Context, b *testing.B, url, table string, columns []string, n int, row func(int) []any) {
	b.Helper()
	if strings.HasPrefix(url, "postgres") {
		conn, err := pgx.Connect(ctx, url)
		if err == nil {
			_, err = conn.CopyFrom(ctx, pgx.Identifier{table}, columns, pgx.CopyFromSlice(n, func(i int) ([]any, error) { return row(i), nil }))
			err = errors.Join(err, conn.Close(ctx))
		}
		if err != nil {
			b.Fatal(err)
		}
		return
	}
	db := lite(b, url)
	defer db.Close()
	one := "(" + strings.TrimSuffix(strings.Repeat("?,", len(columns)), ",") + ")"
	for from := 0; from < n; from += 10_000 {
		tx, err := db.Begin()
		if err != nil {
			b.Fatal(err)
		}
		for i := from; i < min(from+10_000, n); i += 200 {
			var args []any
			for j := i; j < i+200; j++ {
				args = append(args, row(j)...)
			}
			if _, err := tx.Exec("INSERT INTO "+table+" ("+strings.Join(columns, ",")+") VALUES "+strings.TrimSuffix(strings.Repeat(one+",", 200), ","), args...); err != nil {
				b.Fatal(err)
			}
		}
		if err := tx.Commit(); err != nil {
			b.Fatal(err)
		}
	}
}

func lite(b *testing.B, url string) *sql.DB {
	b.Helper()
	db, err := sql.Open("sqlite", "file:"+strings.TrimPrefix(url, "sqlite://")+"?_pragma=busy_timeout(10000)&_pragma=synchronous(NORMAL)&_pragma=foreign_keys(1)&_txlock=immediate")
	if err != nil {
		b.Fatal(err)
	}
	return db
}

// naively upserts one row and makes one call per SKU, as a first version of every such bridge does.
func naively(ctx context.Context, b *testing.B, url string, merchant, warehouse int64, store string, n int) {
	b.Helper()
	var db *sql.DB
	query := `INSERT INTO warehouse_levels (merchant_id, warehouse_id, facility_code, sku, available, reported_at, updated_at) VALUES ($1, $2, 'naive', $3, $4, $5, $5)
		ON CONFLICT (warehouse_id, sku, facility_code) DO UPDATE SET available = excluded.available, updated_at = excluded.updated_at`
	if strings.HasPrefix(url, "postgres") {
		var err error
		if db, err = sql.Open("pgx", url); err != nil {
			b.Fatal(err)
		}
	} else {
		db = lite(b, url)
	}
	defer db.Close()
	for i := range n {
		if _, err := db.ExecContext(ctx, query, merchant, warehouse, fmt.Sprintf("SKU-%08d", i), i, time.Now().UTC()); err != nil {
			b.Fatal(err)
		}
		resp, err := http.Post(store, "application/json", strings.NewReader(fmt.Sprintf(`{"levels":[{"sku":"SKU-%08d","quantity":%d}]}`, i, i)))
		if err != nil {
			b.Fatal(err)
		}
		if err := resp.Body.Close(); err != nil {
			b.Fatal(err)
		}
	}
}

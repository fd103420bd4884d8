package database

import (
	"context"
	"embed"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"slices"
	"strings"

	"entgo.io/ent/dialect"
	entsql "entgo.io/ent/dialect/sql"
	"entgo.io/ent/dialect/sql/schema"
	"entgo.io/ent/schema/field"
	"github.com/pressly/goose/v3"
	"github.com/pressly/goose/v3/lock"

	"stockbridge/ent/migrate"
)

//go:embed migrations
var migrations embed.FS

// Migrate applies the migrations the database lacks, in order, under a lock, and says how many. A database newer
// than this binary is refused.
func (db *DB) Migrate(ctx context.Context) (applied int, err error) {
	dir, name := "sqlite", goose.DialectSQLite3
	opts := []goose.ProviderOption{goose.WithDisableGlobalRegistry(true)}
	if db.dialect == dialect.Postgres {
		dir, name = "postgres", goose.DialectPostgres
		locker, err := lock.NewPostgresSessionLocker()
		if err != nil {
			return 0, fmt.Errorf("migrate: %w", err)
		}
		opts = append(opts, goose.WithSessionLocker(locker))
	}
	files, err := fs.Sub(migrations, "migrations/"+dir)
	if err != nil {
		return 0, fmt.Errorf("migrate: %w", err)
	}
	p, err := goose.NewProvider(name, db.write, files, opts...)
	if errors.Is(err, goose.ErrNoMigrations) {
		return 0, nil
	}
	if err != nil {
		return 0, fmt.Errorf("migrate: %w", err)
	}
	current, newest, err := p.GetVersions(ctx)
	if err != nil {
		return 0, fmt.Errorf("migrate: %w", err)
	}
	if current > newest {
		return 0, fmt.Errorf("the database has schema version %d, this binary knows up to %d: start a newer stockbridge", current, newest)
	}
	if db.dialect == dialect.SQLite && db.unlock == nil && current < newest { // an older program may be at work
		unlock, busy := db.lockFile()
		if busy != nil {
			return 0, fmt.Errorf("migrate: %w", busy)
		}
		defer func() { err = errors.Join(err, unlock()) }()
	}
	done, err := p.Up(ctx)
	if err != nil {
		return 0, fmt.Errorf("migrate: %w", err)
	}
	return len(done), nil
}

// Drift writes the statements that would bring the database to the ent schema: nothing when the migrations are in step.
func (db *DB) Drift(ctx context.Context, w io.Writer) error {
	drv := entsql.OpenDB(db.dialect, db.write)
	s := migrate.NewSchema(&schema.WriteDriver{Writer: w, Driver: drv})
	return migrate.Create(ctx, s, db.tables(), schema.WithDropColumn(true), schema.WithDropIndex(true))
}

// tables is the ent schema as this dialect has it. Text compares bytewise everywhere (collation "C" on PostgreSQL, as
// SQLite does by itself), so that key order is the same in the database and in Go. The rows written by the million have
// no foreign key to their merchant, which their warehouse or store implies, and activities none at all, for they
// outlive what they name.
func (db *DB) tables() []*schema.Table {
	tables := clone(migrate.Tables)
	for _, t := range tables {
		t.ForeignKeys = slices.DeleteFunc(t.ForeignKeys, func(fk *schema.ForeignKey) bool {
			hot := t.Name == migrate.WarehouseLevelsTable.Name || t.Name == migrate.ChannelLevelsTable.Name
			return t.Name == migrate.ActivitiesTable.Name || hot && fk.RefTable.Name == migrate.MerchantsTable.Name
		})
		if db.dialect != dialect.Postgres {
			continue
		}
		for _, col := range t.Columns {
			if col.Type == field.TypeString || col.Type == field.TypeEnum {
				col.Collation = "C"
			}
		}
		for _, idx := range t.Indexes {
			if a := idx.Annotation; a != nil && strings.HasPrefix(a.Where, "status = ") {
				a := *a // spelled as PostgreSQL tells it back, else it would look changed every time
				a.Where = "((status)::text = " + strings.TrimPrefix(a.Where, "status = ") + "::text)"
				idx.Annotation = &a
			}
		}
	}
	return tables
}

// clone copies tables with all that they point to among each other: atlas writes into what it is given.
func clone(tables []*schema.Table) []*schema.Table {
	copies, columns := map[*schema.Table]*schema.Table{}, map[*schema.Column]*schema.Column{}
	out := make([]*schema.Table, len(tables))
	for i, t := range tables {
		c := *t
		out[i], copies[t] = &c, &c
		for _, col := range t.Columns {
			copied := *col
			columns[col] = &copied
		}
	}
	all := func(cols []*schema.Column) (out []*schema.Column) {
		for _, c := range cols {
			out = append(out, columns[c])
		}
		return out
	}
	for _, t := range out {
		t.Columns, t.PrimaryKey = all(t.Columns), all(t.PrimaryKey)
		indexes, keys := t.Indexes, t.ForeignKeys
		t.Indexes, t.ForeignKeys = nil, nil
		for _, idx := range indexes {
			c := *idx
			c.Columns = all(idx.Columns)
			t.Indexes = append(t.Indexes, &c)
		}
		for _, fk := range keys {
			c := *fk
			c.Columns, c.RefColumns, c.RefTable = all(fk.Columns), all(fk.RefColumns), copies[fk.RefTable]
			t.ForeignKeys = append(t.ForeignKeys, &c)
		}
	}
	return out
}

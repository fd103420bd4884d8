package database

import (
	"context"

	"entgo.io/ent/dialect"
)

// Tamper writes past the methods, for tests to set up what others write.
func (db *DB) Tamper(ctx context.Context, statement string, args ...any) error {
	return db.inTx(ctx, func(t *tx) error {
		_, err := t.ExecContext(ctx, db.rebind(statement), args...)
		return err
	})
}

// PlanOfPruning is how the database looks for activities to delete.
func (db *DB) PlanOfPruning(ctx context.Context) (plan string, err error) {
	explain, columns := "EXPLAIN ", 1
	if db.dialect == dialect.SQLite {
		explain, columns = "EXPLAIN QUERY PLAN ", 4
	}
	err = db.scan(ctx, explain+prunableActivities, []any{KeptPerSKU, KeptPerSKU, db.Now(), 0, pruneRows}, func(scan func(...any) error) error {
		cells, to := make([]string, columns), make([]any, columns)
		for i := range cells {
			to[i] = &cells[i]
		}
		err := scan(to...)
		plan += cells[columns-1] + "\n"
		return err
	})
	return plan, err
}

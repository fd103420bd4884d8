package database

import "context"

// Tamper writes past the methods, for tests to set up what others write.
func (db *DB) Tamper(ctx context.Context, statement string, args ...any) error {
	return db.inTx(ctx, func(t *tx) error {
		_, err := t.ExecContext(ctx, db.rebind(statement), args...)
		return err
	})
}

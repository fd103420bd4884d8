package database

import (
	"context"
	"database/sql"
	"fmt"

	entsql "entgo.io/ent/dialect/sql"
)

// Select reads by a statement that is not ent's, such as one with joins. The caller narrows it to what may be seen, builds it for Dialect, and closes the rows.
func (db *DB) Select(ctx context.Context, s *entsql.Selector) (*sql.Rows, error) {
	query, args := s.Query()
	rows, err := db.read.QueryContext(ctx, query, args...)
	if err != nil {
		return nil, fmt.Errorf("select: %w", err)
	}
	return rows, nil
}

// Package plan answers lists of levels by one statement with joins, whose rows are written as JSON as they come, where the
// resolvers take a statement for each edge, an object for each row and a look-up for each field. It answers only what it knows
// to answer exactly as they do, byte for byte, and leaves everything else to them, faults included. 50 channel levels with product and
// store take less than half of the time (BenchmarkInventoryList in internal/server). Object writes what was read already.
package plan

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"

	"entgo.io/ent/dialect/sql"
	"github.com/99designs/gqlgen/graphql"

	"stockbridge/graph/page"
	"stockbridge/internal/access"
	"stockbridge/internal/database"
)

// Reader answers lists. It is safe for concurrent use.
type Reader struct {
	db     *database.DB
	tables tables
}

// New makes a Reader of a database.
func New(db *database.DB) *Reader { return &Reader{db, newTables()} }

// List is the answer to a field that is a list of rows of a type: those that meet all conditions and that the viewer in ctx
// sees, cut to a page. It is nil where the field asks for something that no plan knows, or a row leads nowhere.
func (r *Reader) List(ctx context.Context, f graphql.CollectedField, typ string, where []func(*sql.Selector), cut *page.Cut) ([]byte, error) {
	p, ok := compile(r.tables, graphql.GetOperationContext(ctx), f, typ)
	if !ok {
		return nil, nil
	}
	a := &answer{cut: cut, id: p.column(0, "id")}
	if cut.Column() != "" {
		a.sortedBy = p.column(0, cut.Column())
	}
	s, err := r.statement(ctx, p, where, cut)
	if err != nil {
		return nil, err
	}
	if a.rows, err = r.read(ctx, s, len(p.columns)); err != nil {
		return nil, err
	}
	n, next, previous := cut.Fit(len(a.rows))
	a.rows, a.next, a.previous = a.rows[:n], next, previous
	if cut.Backward() {
		slices.Reverse(a.rows)
	}
	a.Grow(64 * (1 + len(a.rows)) * (1 + len(p.columns)/2))
	switch err := a.entries(p.page, nil); {
	case errors.Is(err, errNull):
		return nil, nil
	case err != nil:
		return nil, fmt.Errorf("write a page of %s: %w", typ, err)
	}
	return a.Bytes(), nil
}

// statement cuts the page out of the list's own table first, so that no more rows are joined than are shown. Each table is
// narrowed to what the viewer sees, as each query of the resolvers is.
func (r *Reader) statement(ctx context.Context, p *plan, where []func(*sql.Selector), cut *page.Cut) (*sql.Selector, error) {
	d := sql.Dialect(r.db.Dialect())
	inner := d.Select().From(sql.Table(r.tables[p.joins[0].typ].name)).Limit(cut.Limit())
	views := []*sql.SelectTable{sql.Table("t0")} // what inner gives
	s := d.Select().From(views[0])
	var columns []string // of inner
	use := func(name string) {
		if name = inner.C(name); !slices.Contains(columns, name) {
			columns = append(columns, name)
		}
	}
	for i, j := range p.joins {
		seen, err := access.Seen(ctx, j.typ)
		if err != nil {
			return nil, err
		}
		if i == 0 {
			if seen != nil {
				inner.Where(seen(inner))
			}
			continue
		}
		to := sql.Table(r.tables[j.typ].name).As("t" + strconv.Itoa(i))
		views = append(views, to)
		s.LeftJoin(to)
		for _, pair := range j.edge.on {
			if j.from == 0 {
				use(pair.own)
			}
			s.On(views[j.from].C(pair.own), to.C(pair.other))
		}
		if seen != nil {
			s.OnP(seen(to))
		}
	}
	read := make([]string, len(p.columns))
	for i, c := range p.columns {
		if c.join == 0 {
			use(c.name)
		}
		read[i] = views[c.join].C(c.name)
	}
	for _, narrow := range where {
		narrow(inner)
	}
	cut.Narrow(inner)
	cut.Sort(inner.Select(columns...))
	cut.Sort(s.Select(read...))
	return s.Prefix(d.With("t0").As(inner)), nil
}

// read takes all rows of a statement.
func (r *Reader) read(ctx context.Context, s *sql.Selector, columns int) (all [][]any, err error) {
	rows, err := r.db.Select(ctx, s)
	if err != nil {
		return nil, err
	}
	defer rows.Close() //nolint:errcheck // Err tells
	to := make([]any, columns)
	for rows.Next() {
		row := make([]any, columns)
		for i := range row {
			to[i] = &row[i]
		}
		if err := rows.Scan(to...); err != nil {
			return nil, fmt.Errorf("read a row: %w", err)
		}
		all = append(all, row)
	}
	return all, rows.Err()
}

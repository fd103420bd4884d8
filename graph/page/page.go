// Package page cuts pages out of lists by keyset: a cursor holds what a row is ordered by, and the next page is what lies
// beyond it. Rows that come or go in between shift nothing, and no page costs more than the first.
package page

import (
	"context"
	"slices"

	"entgo.io/ent/dialect/sql"
	"github.com/vektah/gqlparser/v2/ast"

	"stockbridge/graph/model"
	"stockbridge/internal/fault"
)

// Bounds of a page (spec section 5).
const (
	Default = 50
	Max     = 250
)

// Args are a list's arguments as they came, nil where they did not. Where neither First nor Last came, the first Default
// rows are meant.
type Args struct {
	First, Last   *int64
	After, Before *string
}

// Query is what a page needs of an ent query for rows of type T.
type Query[T any, P, O ~func(*sql.Selector), Q any] interface {
	Where(...P) Q
	Order(...O) Q
	Limit(int) Q
	Clone() Q
	Collect(context.Context, ast.SelectionSet) Q
	All(context.Context) ([]*T, error)
	Count(context.Context) (int, error)
}

// Of reads the page of a query's rows that the arguments ask for, with the edges that the selection of a node asks
// for. The query is neither ordered nor limited yet. Faults: PAGE_TOO_LARGE, OUT_OF_RANGE and INVALID of "first" or
// "last", INVALID_CURSOR of "after" or "before".
func Of[T any, P, O ~func(*sql.Selector), Q Query[T, P, O, Q]](ctx context.Context, q Q, args Args, order Order[T], selection ast.SelectionSet) (*model.Page[T], error) {
	cut, err := order.Cut(args)
	if err != nil {
		return nil, err
	}
	all := q.Clone()
	rows, err := q.Collect(ctx, selection).Where(cut.Narrow).Order(cut.Sort).Limit(cut.Limit()).All(ctx)
	if err != nil {
		return nil, err
	}
	n, next, previous := cut.Fit(len(rows))
	rows = rows[:n]
	if cut.Backward() {
		slices.Reverse(rows)
	}
	p := &model.Page[T]{
		Edges:    make([]*model.Edge[T], len(rows)),
		PageInfo: &model.PageInfo{HasNextPage: next, HasPreviousPage: previous},
		Count:    all.Count,
	}
	for i, row := range rows {
		p.Edges[i] = &model.Edge[T]{Cursor: order.write(row), Node: row}
	}
	if len(rows) > 0 {
		p.PageInfo.StartCursor, p.PageInfo.EndCursor = &p.Edges[0].Cursor, &p.Edges[len(rows)-1].Cursor
	}
	return p, nil
}

// Size is how many rows are asked for, and whether from the end of the list. Faults: PAGE_TOO_LARGE, OUT_OF_RANGE and
// INVALID of "first" or "last".
func (a Args) Size() (n int, backward bool, err error) {
	name, size := "first", a.First
	if a.Last != nil {
		if a.First != nil {
			return 0, false, fault.At("last", fault.Invalid, "first and last do not go together; leave one out")
		}
		name, size, backward = "last", a.Last, true
	}
	switch {
	case size == nil:
		return Default, false, nil
	case *size < 0:
		return 0, false, fault.At(name, fault.OutOfRange, "%d is out of range; write a number from 0 to %d", *size, Max)
	case *size > Max:
		return 0, false, fault.At(name, TooLarge, "%d is more than the %d that a page has at most; ask for fewer, and page on with a cursor", *size, Max)
	}
	return int(*size), backward, nil
}

// Codes of faults in a list's arguments.
const (
	TooLarge      fault.Code = "PAGE_TOO_LARGE"
	InvalidCursor fault.Code = "INVALID_CURSOR"
)

package graph

import (
	"context"
	"strings"
	"unicode/utf8"

	"entgo.io/ent/dialect"
	"entgo.io/ent/dialect/sql"
	"github.com/99designs/gqlgen/graphql"
	"github.com/vektah/gqlparser/v2/ast"

	"stockbridge/graph/model"
	"stockbridge/graph/page"
	"stockbridge/internal/fault"
	"stockbridge/internal/globalid"
)

// list reads the page of a query's rows that the caller asked for, narrowed by where.
func list[T any, P, O ~func(*sql.Selector), Q page.Query[T, P, O, Q]](ctx context.Context, q Q, where where, args page.Args, order page.Order[T]) (*model.Page[T], error) {
	if err := where.faults.Or(); err != nil {
		return nil, err
	}
	for _, p := range where.all {
		q = q.Where(P(p))
	}
	return page.Of(ctx, q, args, order, nodes(ctx))
}

// ordered is the order that the caller wants, or that of ids.
func ordered[T any, F comparable](id func(*T) int64, by *model.Order[F], columns map[F]*page.Column[T]) page.Order[T] {
	if by == nil {
		return page.Order[T]{ID: id}
	}
	return page.Order[T]{By: columns[by.Field], Desc: by.Direction == model.OrderDirectionDesc, ID: id}
}

// given is what a pointer points at, or the zero value.
func given[T any](p *T) (v T) {
	if p != nil {
		v = *p
	}
	return v
}

// nodes is what the document asks of each row on the page that is being resolved.
func nodes(ctx context.Context) ast.SelectionSet {
	var all ast.SelectionSet
	fc := graphql.GetFieldContext(ctx)
	for _, f := range selected(ctx, fc.Field.Selections, fc.Field.Definition) {
		switch f.Name {
		case "nodes":
			all = append(all, f.Selections...)
		case "edges":
			for _, f := range selected(ctx, f.Selections, f.Definition) {
				if f.Name == "node" {
					all = append(all, f.Selections...)
				}
			}
		}
	}
	return all
}

// selected are the fields that the document asks of an object, which is what a field gives.
func selected(ctx context.Context, selection ast.SelectionSet, of *ast.FieldDefinition) []graphql.CollectedField {
	return graphql.CollectFields(graphql.GetOperationContext(ctx), selection, []string{of.Type.Name(), "Node"})
}

// where gathers what a list is narrowed to.
type where struct {
	all    []func(*sql.Selector)
	faults fault.List
}

// id narrows to rows that refer to the object with a global id of the type.
func (w *where) id(field, column, typ string, id *string) {
	if id == nil {
		return
	}
	row, err := globalid.Of(typ, *id)
	if err != nil {
		w.faults = append(w.faults, fault.At("where."+field, fault.NotFound, "%s", fault.Message(err)))
		return
	}
	equal(w, column, &row)
}

// equal narrows to rows that have the value in the column.
func equal[V any](w *where, column string, value *V) {
	if value != nil {
		w.all = append(w.all, sql.FieldEQ(column, *value))
	}
}

// maxIn is how many values a filter may list.
const maxIn = 1000

// among narrows to rows that have one of the values in the column; nil is all of them, and none match no value.
func among[V any](w *where, field, column string, values []V) {
	w.few(field, len(values))
	if values != nil {
		w.all = append(w.all, sql.FieldIn(column, values...))
	}
}

// text narrows to rows whose text in the column matches.
func (w *where) text(field, column string, f *model.StringFilter) {
	if f != nil {
		w.few(field+".in", len(f.In))
		w.all = append(w.all, matches(column, *f)...)
	}
}

// few refuses lists that no statement takes.
func (w *where) few(field string, n int) {
	if n > maxIn {
		w.faults = append(w.faults, fault.At("where."+field, fault.TooMany, "%d values are listed; write at most %d", n, maxIn))
	}
}

// matches are the conditions of a filter on a column. Texts compare bytewise on both databases, so all that begins with
// a prefix lies between it and its successor, which an index answers where LIKE does not, or minds no case.
func matches(column string, f model.StringFilter) []func(*sql.Selector) {
	var all []func(*sql.Selector)
	if f.Eq != nil {
		all = append(all, stored(*f.Eq, sql.FieldEQ(column, *f.Eq)))
	}
	if f.In != nil {
		var in []string
		for _, s := range f.In {
			if storable(s) {
				in = append(in, s)
			}
		}
		all = append(all, sql.FieldIn(column, in...))
	}
	if p := f.Prefix; p != nil && *p != "" {
		all = append(all, stored(*p, sql.FieldGTE(column, *p)))
		if next, ok := successor(*p); ok {
			all = append(all, stored(*p, sql.FieldLT(column, next)))
		}
	}
	if c := f.Contains; c != nil && *c != "" {
		all = append(all, stored(*c, func(s *sql.Selector) {
			s.Where(sql.P(func(b *sql.Builder) {
				in := "instr("
				if b.Dialect() == dialect.Postgres {
					in = "strpos("
				}
				b.WriteString(in).Ident(s.C(column)).Comma().Arg(*c).WriteString(") > 0")
			}))
		}))
	}
	return all
}

// storable tells whether a database can hold the text at all: PostgreSQL fails on any other.
func storable(text string) bool { return utf8.ValidString(text) && !strings.ContainsRune(text, 0) }

// stored is the condition, or for a text that no row can have, one that no row meets.
func stored(text string, condition func(*sql.Selector)) func(*sql.Selector) {
	if storable(text) {
		return condition
	}
	return func(s *sql.Selector) { s.Where(sql.False()) }
}

// successor is the least text that comes after all that begin with a prefix; false where there is none.
func successor(prefix string) (string, bool) {
	runes := []rune(prefix)
	for i := len(runes) - 1; i >= 0; i-- {
		if runes[i] == utf8.MaxRune {
			continue
		}
		next := runes[i] + 1
		if next == 0xD800 { // surrogates are in no text
			next = 0xE000
		}
		return string(append(runes[:i:i], next)), true
	}
	return "", false
}

package graph

import (
	"context"
	"errors"
	"slices"
	"time"

	"entgo.io/ent/dialect/sql"
	"github.com/99designs/gqlgen/graphql"
	"github.com/vektah/gqlparser/v2/ast"

	"stockbridge/ent"
	"stockbridge/internal/access"
	"stockbridge/internal/database"
	"stockbridge/internal/fault"
	"stockbridge/internal/globalid"
)

// change runs a mutation for a viewer who may change things, and parts what came of it: faults that the caller can mend are
// user errors with paths from "input" down; any other error, and FORBIDDEN, fails the field.
func change(ctx context.Context, f func() error) (fault.List, error) {
	v, err := access.From(ctx)
	if err != nil {
		return nil, err
	}
	if v.Role != access.Admin && v.Role != access.Operator {
		return nil, fault.New(fault.Forbidden, "a %s may read and follow, and change nothing", v.Role)
	}
	return userErrors(f())
}

// administer is change for what an ADMIN alone may change.
func administer(ctx context.Context, f func() error) (fault.List, error) {
	v, err := access.From(ctx)
	if err != nil {
		return nil, err
	}
	if v.Role != access.Admin {
		return nil, fault.New(fault.Forbidden, "only an ADMIN may do this")
	}
	return userErrors(f())
}

func userErrors(err error) (fault.List, error) {
	faults := below(err, "input")
	if len(faults) == 0 {
		return nil, err
	}
	for _, f := range faults {
		if f.Code == fault.Forbidden || f.Code == fault.Unauthenticated {
			return nil, f
		}
	}
	return faults, nil
}

// below gives the faults in an error's chain with their fields below a path.
func below(err error, path ...string) fault.List {
	faults := faultsOf(err)
	out := make(fault.List, len(faults))
	for i, f := range faults {
		told := *f
		if len(f.Field) > 0 {
			told.Field = slices.Concat(path, f.Field)
		}
		out = append(out, &told)
	}
	return out
}

// find reads the object that an input field names by its global id. The error is a fault NOT_FOUND of the field where
// there is none, or it is none of the viewer's.
func find[T any](ctx context.Context, typ, field, id string, get func(context.Context, int64) (*T, error)) (*T, error) {
	row, err := globalid.Of(typ, id)
	if err != nil {
		return nil, fault.At(field, fault.NotFound, "%s", fault.Message(err))
	}
	found, err := get(ctx, row)
	if ent.IsNotFound(err) {
		return nil, fault.At(field, fault.NotFound, "no %s that you may see has the id %q", typ, id)
	}
	return found, err
}

// again reads an object that a mutation changed, with all that the document asks of the payload's field.
func again[T any, P ~func(*sql.Selector), Q interface {
	Where(...P) Q
	Collect(context.Context, ast.SelectionSet) Q
	Only(context.Context) (*T, error)
}](ctx context.Context, q Q, id int64, field string) (*T, error) {
	fc := graphql.GetFieldContext(ctx)
	for _, f := range selected(ctx, fc.Field.Selections, fc.Field.Definition) {
		if f.Name == field {
			q.Collect(ctx, f.Selections)
		}
	}
	return q.Where(P(sql.FieldEQ("id", id))).Only(ctx)
}

// replan works out what a change of settings bears on, and tells whether that goes on behind the answer. The change is
// made, so it is planned even if the caller has gone; should planning fail, it stays marked and is tried again later.
func (r *resolver) replan(ctx context.Context, merchantID int64) (behind bool) {
	behind, err := r.Pipeline.Replan(context.WithoutCancel(ctx), merchantID)
	if err != nil {
		r.Log.WarnContext(ctx, "planning after a change of settings failed; it stays marked", "merchant", merchantID, "error", err)
		return true
	}
	return behind
}

// reschedule makes the jobs of connections agree with what is stored. That is stored already: what fails is logged, and
// mended by the next start.
func (r *resolver) reschedule(ctx context.Context, connections ...int64) {
	for _, id := range connections {
		if err := r.Cron.Set(context.WithoutCancel(ctx), id); err != nil {
			r.Log.ErrorContext(ctx, "the schedules of a connection were not taken up", "connection", id, "error", err)
		}
	}
}

// tested is what a payload tells of a test. Not to answer in time is a fault like any other.
func tested(ctx context.Context, words string, took time.Duration, err error) (message *string, ms *int64, _ error) {
	if errors.Is(err, context.DeadlineExceeded) && ctx.Err() == nil {
		err = fault.Wrap(err, fault.Unreachable, "there was no answer within %s", took.Round(time.Second))
	}
	if err != nil {
		words = fault.Message(err)
	}
	return &words, new(took.Milliseconds()), err
}

// narrow is an integer of the API, which has 32 bits, as an int.
func narrow(n *int64) *int {
	if n == nil {
		return nil
	}
	return new(int(*n))
}

// opt is a field of an update that may be cleared.
func opt[T any](o graphql.Omittable[*T]) database.Opt[T] {
	return database.Opt[T]{Set: o.IsSet(), Value: o.Value()}
}

package graph

import (
	"context"
	"io"
	"log/slog"

	"github.com/99designs/gqlgen/graphql"
	"github.com/vektah/gqlparser/v2/ast"

	"stockbridge/graph/model"
	"stockbridge/graph/page"
)

// written is the answer to a field at the top of a query that a plan has written whole (graph/plan).
type written struct{ answer []byte }

type writtenKey struct{}

// letPlansAnswer puts what plans write into the answer of a query. Until then all goes its usual way, down to the resolver, which
// leaves an empty page where a plan has answered.
func letPlansAnswer(op *graphql.OperationContext) {
	if op.Operation.Operation != ast.Query {
		return
	}
	around := op.RootResolverMiddleware
	op.RootResolverMiddleware = func(ctx context.Context, next graphql.RootResolver) graphql.Marshaler {
		w := &written{}
		usual := around(context.WithValue(ctx, writtenKey{}, w), next)
		if w.answer == nil {
			return usual
		}
		return graphql.WriterFunc(func(to io.Writer) { _, _ = to.Write(w.answer) }) // to a buffer
	}
}

// planned tells whether a plan has answered the list of rows of a type that is being resolved. Where it fails the resolver
// meets the same fault, and tells.
func planned[T any](ctx context.Context, r *resolver, typ string, w where, args page.Args, order page.Order[T]) bool {
	to, _ := ctx.Value(writtenKey{}).(*written)
	fc := graphql.GetFieldContext(ctx)
	if to == nil || fc.Object != "Query" || w.faults != nil {
		return false
	}
	cut, err := order.Cut(args)
	if err != nil {
		return false
	}
	to.answer, err = r.plans.List(ctx, fc.Field, typ, w.all, cut)
	if err != nil {
		r.Log.LogAttrs(ctx, slog.LevelDebug, "a list is read without a plan", slog.String("type", typ), slog.Any("error", err))
	}
	return to.answer != nil
}

// nothing is what a resolver leaves of a page that a plan has answered.
func nothing[T any]() *model.Page[T] { return &model.Page[T]{PageInfo: &model.PageInfo{}} }

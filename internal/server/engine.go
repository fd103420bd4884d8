package server

import (
	"context"
	"fmt"
	"log/slog"
	"runtime/debug"
	"strings"

	"github.com/99designs/gqlgen/graphql"
	"github.com/99designs/gqlgen/graphql/executor"
	"github.com/vektah/gqlparser/v2/ast"
	"github.com/vektah/gqlparser/v2/gqlerror"
	"github.com/vektah/gqlparser/v2/parser"

	"stockbridge/internal/fault"
)

// Codes of top-level errors (spec section 5). Documents that do not parse or fit the schema have gqlgen's
// GRAPHQL_PARSE_FAILED and GRAPHQL_VALIDATION_FAILED.
const (
	internal   fault.Code = "INTERNAL"
	badRequest fault.Code = "BAD_REQUEST"
	timedOut   fault.Code = "TIMEOUT"
	tooComplex fault.Code = "TOO_COMPLEX"
	tooDeep    fault.Code = "TOO_DEEP"
	tooLarge   fault.Code = "TOO_LARGE"
)

// maxTokens of a document. Large input belongs into variables.
const maxTokens = 15000

// engine runs operations; all transports share it.
type engine struct {
	*executor.Executor
	docs    *documents
	budgets *budgets
	maxCost int64 // of one document
	log     *slog.Logger
}

func newEngine(c Config) *engine {
	e := &engine{Executor: executor.New(c.Schema), docs: newDocuments(), budgets: newBudgets(c.Budget), maxCost: maxCost, log: c.Log}
	if c.Budget.Max > 0 {
		e.maxCost = min(maxCost, c.Budget.Max) // more would never be there
	}
	e.SetQueryCache(e.docs)
	e.SetParserTokenLimit(maxTokens)
	e.SetDefaultRulesFn(newRules)
	e.SetDisableSuggestion(true)
	if c.Present != nil {
		e.SetErrorPresenter(c.Present)
	}
	e.SetRecoverFunc(func(ctx context.Context, p any) error { return e.broke(ctx, p) })
	return e
}

// broke logs a panic, where it happened, and tells the client no more than that there was one.
func (e *engine) broke(ctx context.Context, p any) *gqlerror.Error {
	e.log.LogAttrs(ctx, slog.LevelError, "panic", slog.Any("panic", p), slog.String("stack", string(debug.Stack())))
	return fail(internal, "internal error; the server's log says more")
}

// fail makes a top-level error.
func fail(code fault.Code, message string) *gqlerror.Error {
	return &gqlerror.Error{Message: message, Extensions: map[string]any{"code": string(code)}}
}

// prepare finds, parses, bounds, checks and charges what a client sent, for the viewer in ctx. On errors the response to
// give is returned instead. The context returned has what the operation was charged: end it by once, or for a
// subscription not at all, or with release where it is not run.
func (e *engine) prepare(ctx context.Context, params *graphql.RawParams) (context.Context, *graphql.OperationContext, *graphql.Response) {
	ctx = graphql.StartOperationTrace(ctx)
	remember, err := e.find(ctx, params)
	if err != nil {
		return ctx, nil, &graphql.Response{Errors: gqlerror.List{err}}
	}
	if errs := e.bound(ctx, params.Query); errs != nil {
		return ctx, nil, &graphql.Response{Errors: errs}
	}
	op, errs := e.CreateOperationContext(ctx, params)
	ctx = graphql.WithOperationContext(ctx, op)
	if errs != nil {
		return ctx, nil, e.DispatchError(ctx, errs)
	}
	cost, err := checkCost(op, e.maxCost)
	if err != nil {
		return ctx, nil, &graphql.Response{Errors: gqlerror.List{err}}
	}
	remember()
	ctx, refused := e.charge(ctx, cost)
	if refused != nil {
		return ctx, nil, refused
	}
	op.DisableIntrospection = false // nobody comes here who is not signed in
	return ctx, op, nil
}

// bound refuses a document that would be dear to validate, let alone to run: validation takes time that grows with the
// square of the fields (4,000 times one field took 4 s). Documents in the cache passed before.
func (e *engine) bound(ctx context.Context, query string) gqlerror.List {
	if _, ok := e.docs.Get(ctx, query); ok {
		return nil
	}
	if len(query) > maxText {
		return gqlerror.List{fail(tooComplex, fmt.Sprintf("the document is longer than %d bytes; send large values as variables, or split it", maxText))}
	}
	doc, err := parser.ParseQueryWithTokenLimit(&ast.Source{Input: query}, maxTokens)
	if err != nil {
		switch message := err.Error(); {
		case strings.Contains(message, "exceeded token limit"):
			return gqlerror.List{fail(tooComplex, fmt.Sprintf("the document has more than %d tokens; send large values as variables, or split it", maxTokens))}
		case strings.Contains(message, "exceeded maximum nesting depth"):
			return gqlerror.List{tooDeepError()}
		}
		return nil // told, with its place, by the executor
	}
	if err := checkBounds(doc); err != nil {
		return gqlerror.List{err}
	}
	return nil
}

package server

import (
	"context"
	"log/slog"
	"runtime/debug"
	"strings"
	"sync"

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
	docs documents
	log  *slog.Logger
}

func newEngine(c Config) *engine {
	e := &engine{Executor: executor.New(c.Schema), log: c.Log}
	e.SetQueryCache(&e.docs)
	e.SetParserTokenLimit(maxTokens)
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

// prepare parses, bounds and checks what a client sent. On errors the response to give is returned instead.
func (e *engine) prepare(ctx context.Context, params *graphql.RawParams) (context.Context, *graphql.OperationContext, *graphql.Response) {
	ctx = graphql.StartOperationTrace(ctx)
	if errs := e.bound(ctx, params.Query); errs != nil {
		return ctx, nil, &graphql.Response{Errors: errs}
	}
	op, errs := e.CreateOperationContext(ctx, params)
	ctx = graphql.WithOperationContext(ctx, op)
	if errs != nil {
		return ctx, nil, e.DispatchError(ctx, errs)
	}
	if err := checkCost(op); err != nil {
		return ctx, nil, &graphql.Response{Errors: gqlerror.List{err}}
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
	doc, err := parser.ParseQueryWithTokenLimit(&ast.Source{Input: query}, maxTokens)
	if err != nil {
		switch message := err.Error(); {
		case strings.Contains(message, "exceeded token limit"):
			return gqlerror.List{fail(tooComplex, "the document has more than 15000 tokens; send large values as variables, or split it")}
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

// documents remembers parsed and validated documents. When full it forgets all of them, which costs one round of parsing
// and no bookkeeping. The zero value is ready and safe for concurrent use.
type documents struct {
	mu    sync.RWMutex
	byKey map[string]*ast.QueryDocument
}

// Bounds of documents: memory stays below some 50 MB whatever is sent.
const (
	maxDocuments     = 1000
	maxDocumentBytes = 8 << 10
)

// Get implements graphql.Cache.
func (d *documents) Get(_ context.Context, query string) (*ast.QueryDocument, bool) {
	d.mu.RLock()
	defer d.mu.RUnlock()
	doc, ok := d.byKey[query]
	return doc, ok
}

// Add implements graphql.Cache.
func (d *documents) Add(_ context.Context, query string, doc *ast.QueryDocument) {
	if len(query) > maxDocumentBytes {
		return
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.byKey == nil || len(d.byKey) >= maxDocuments {
		d.byKey = make(map[string]*ast.QueryDocument)
	}
	d.byKey[strings.Clone(query)] = doc
}

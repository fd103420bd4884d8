package graph

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"

	"github.com/99designs/gqlgen/graphql"
	"github.com/vektah/gqlparser/v2/ast"
	"github.com/vektah/gqlparser/v2/gqlerror"

	"stockbridge/internal/fault"
)

// Codes of errors that are no faults of what the caller sent.
const (
	Internal = "INTERNAL" // extensions.reference is what the log has it under
	Canceled = "CANCELED" // the request ended before the answer was there
)

// ErrorPresenter makes errors fit for clients: every one has extensions.code, and extensions.field where a field of the
// request is at fault. What is no fault of the caller is logged in full, and told by a reference alone.
func ErrorPresenter(log *slog.Logger) graphql.ErrorPresenterFunc {
	return func(ctx context.Context, err error) *gqlerror.Error {
		out := &gqlerror.Error{Path: graphql.GetPath(ctx)}
		var told *gqlerror.Error
		var argument ast.Path
		if errors.As(err, &told) {
			out.Path, argument = split(ctx, told.Path)
			out.Locations = told.Locations
		}
		switch faults := faultsOf(err); {
		case len(faults) > 0:
			return presentFault(out, faults[0], argument)
		case told != nil && told.Extensions["code"] != nil:
			return presentRequest(told)
		case errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded):
			out.Message, out.Extensions = "the request ended before it was answered", map[string]any{"code": Canceled}
			return out
		}
		ref := rand.Text()[:12]
		log.ErrorContext(ctx, "a request failed", "reference", ref, "path", out.Path.String(), "error", err)
		out.Message, out.Extensions = "something went wrong on our side; tell us the reference "+ref, map[string]any{"code": Internal, "reference": ref}
		return out
	}
}

// faultsOf are the faults in an error's chain.
func faultsOf(err error) fault.List {
	var list fault.List
	var one *fault.Error
	if !errors.As(err, &list) && errors.As(err, &one) {
		list = fault.List{one}
	}
	return list
}

func presentFault(out *gqlerror.Error, f *fault.Error, argument ast.Path) *gqlerror.Error {
	out.Message = f.Message
	out.Extensions = map[string]any{"code": f.Code}
	if len(f.Field) > 0 {
		out.Extensions["field"] = f.Field
	} else if len(argument) > 0 {
		out.Extensions["field"] = texts(argument)
	}
	return out
}

// presentRequest names the field where a variable is at fault, which the validator tells by a path.
func presentRequest(told *gqlerror.Error) *gqlerror.Error {
	if len(told.Path) < 2 || told.Path[0] != ast.PathName("variable") {
		return told
	}
	out := *told
	out.Path = nil // clients look for one of the response there
	out.Message = told.Path[1:].String() + ": " + told.Message
	out.Extensions = maps.Clone(told.Extensions)
	out.Extensions["field"] = texts(told.Path[1:])
	return &out
}

// split parts the path of an error into that of the field it concerns and what follows: where an argument could not be
// read, gqlgen goes on with the path to its part that is at fault.
func split(ctx context.Context, path ast.Path) (field, argument ast.Path) {
	fc := graphql.GetFieldContext(ctx)
	if fc == nil {
		return path, nil
	}
	if field = fc.Path(); len(path) > len(field) && slices.Equal(path[:len(field)], field) {
		return field, path[len(field):]
	}
	return path, nil
}

func texts(path ast.Path) []string {
	out := make([]string, len(path))
	for i, p := range path {
		out[i] = fmt.Sprint(p)
	}
	return out
}

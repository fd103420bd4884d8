package server

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"strings"

	"github.com/99designs/gqlgen/graphql"
	"github.com/vektah/gqlparser/v2"
	"github.com/vektah/gqlparser/v2/ast"

	"stockbridge/graph"
	"stockbridge/internal/access"
)

// toy is the smallest schema that has what transports have to deal with.
type toy struct{ schema *ast.Schema }

var toySDL = `
type Query { who: String! late: String broken: String self: Query }
type Mutation { touch: String! read(files: [Upload]!): String! }
scalar Upload
type Subscription { ticks(n: Int!): Int! }
`

func newToy() toy { return toy{gqlparser.MustLoadSchema(&ast.Source{Input: toySDL})} }

func (t toy) Schema() *ast.Schema { return t.schema }

func (t toy) Complexity(context.Context, string, string, int, map[string]any) (int, bool) {
	return 0, false
}

// Sharing is a state's: what a toy tells has no positions.
func (t toy) Sharing(string) graph.Sharing { return graph.State }

// Newest is asked by nobody.
func (t toy) Newest(context.Context) (int64, error) { return 0, nil }

// Exec answers the first field of the operation. ticks counts to n and then waits for the client to leave; with n < 0 it
// ends at once.
func (t toy) Exec(ctx context.Context) graphql.ResponseHandler {
	op := graphql.GetOperationContext(ctx)
	field := op.Operation.SelectionSet[0].(*ast.Field)
	switch field.Name {
	case "late":
		return graphql.OneShot(t.late(ctx))
	case "read":
		var all strings.Builder
		for _, v := range field.ArgumentMap(op.Variables)["files"].([]any) {
			if u, ok := v.(graphql.Upload); ok {
				text, err := io.ReadAll(u.File)
				fmt.Fprint(&all, u.Filename, " ", u.Size, " ", len(text), " ", err, ";")
			}
		}
		return graphql.OneShot(&graphql.Response{Data: fmt.Appendf(nil, `{"read":%q}`, &all)})
	case "broken":
		panic("the plan is gone")
	case "ticks":
		n, _ := field.ArgumentMap(op.Variables)["n"].(json.Number)
		limit, err := n.Int64()
		if err != nil {
			limit, _ = field.ArgumentMap(op.Variables)["n"].(int64)
		}
		at := int64(0)
		var data []byte // one for all responses, as generated code has it
		return func(ctx context.Context) *graphql.Response {
			if limit < 0 {
				return nil
			}
			if at++; at > limit {
				<-ctx.Done()
				return nil
			}
			data = fmt.Appendf(data[:0], `{"ticks":%d}`, at)
			return &graphql.Response{Data: data}
		}
	case "__schema", "__typename":
		if op.DisableIntrospection {
			return graphql.OneShot(graphql.ErrorResponse(ctx, "introspection is off"))
		}
	}
	viewer, err := access.From(ctx)
	if err != nil {
		panic(err)
	}
	data, err := json.Marshal(map[string]any{field.Alias: viewer.Name})
	if err != nil {
		panic(err)
	}
	return graphql.OneShot(&graphql.Response{Data: data})
}

func (t toy) late(ctx context.Context) *graphql.Response {
	<-ctx.Done()
	return graphql.ErrorResponse(ctx, "%v", ctx.Err())
}

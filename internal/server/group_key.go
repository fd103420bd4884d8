package server

import (
	"crypto/sha256"
	"encoding/json"

	"github.com/99designs/gqlgen/graphql"
	"github.com/vektah/gqlparser/v2/ast"

	"stockbridge/internal/access"
)

// groupKey is who asks for what: only those whose answers cannot differ share one.
type groupKey [sha256.Size]byte

// keyOf is the key of what an operation asks for. The argument after of the subscription's field does not count: where to begin is
// each member's own affair.
func keyOf(v *access.Viewer, op *graphql.OperationContext) groupKey {
	variables := op.Variables
	if name := resumeVariable(op); name != "" {
		variables = make(map[string]any, len(op.Variables))
		for k, v := range op.Variables {
			if k != name {
				variables[k] = v
			}
		}
	}
	merchants := v.MerchantIDs
	if v.Role == access.Admin {
		merchants = nil
	}
	text, err := json.Marshal([]any{v.Role, merchants, op.RawQuery, op.OperationName, variables})
	if err != nil {
		panic(err) // variables came as JSON
	}
	return sha256.Sum256(text)
}

// rootField is the one field of a subscription. The rule singleRoot lets none pass that has not exactly one.
func rootField(op *graphql.OperationContext) *ast.Field {
	return graphql.CollectFields(op, op.Operation.SelectionSet, []string{"Subscription"})[0].Field
}

// resumeVariable is the variable that the argument after takes, if nothing else does.
func resumeVariable(op *graphql.OperationContext) string {
	after := rootField(op).Arguments.ForName("after")
	if after == nil || after.Value == nil || after.Value.Kind != ast.Variable {
		return ""
	}
	if uses(op.Operation.SelectionSet, after.Value.Raw) != 1 {
		return ""
	}
	return after.Value.Raw
}

// resumes tells whether a subscription asks for what was before.
func resumes(op *graphql.OperationContext) bool {
	return rootField(op).ArgumentMap(op.Variables)["after"] != nil
}

// uses counts how often a selection names a variable.
func uses(set ast.SelectionSet, variable string) (n int) {
	arguments := func(args ast.ArgumentList) {
		for _, a := range args {
			n += usesIn(a.Value, variable)
		}
	}
	directives := func(list ast.DirectiveList) {
		for _, d := range list {
			arguments(d.Arguments)
		}
	}
	for _, selection := range set {
		switch s := selection.(type) {
		case *ast.Field:
			arguments(s.Arguments)
			directives(s.Directives)
			n += uses(s.SelectionSet, variable)
		case *ast.InlineFragment:
			directives(s.Directives)
			n += uses(s.SelectionSet, variable)
		case *ast.FragmentSpread:
			directives(s.Directives)
			if s.Definition != nil {
				n += uses(s.Definition.SelectionSet, variable)
			}
		}
	}
	return n
}

func usesIn(v *ast.Value, variable string) (n int) {
	if v == nil {
		return 0
	}
	if v.Kind == ast.Variable && v.Raw == variable {
		return 1
	}
	for _, c := range v.Children {
		n += usesIn(c.Value, variable)
	}
	return n
}

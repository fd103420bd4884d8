package server

import (
	"strings"

	"github.com/vektah/gqlparser/v2/ast"
	"github.com/vektah/gqlparser/v2/validator/core"
)

// singleRoot is the rule SingleFieldSubscriptions as the edition of September 2025 has it (https://spec.graphql.org, 5.2.3.1
// Single Root Field): one name in the answer, no field of introspection, and neither @skip nor @include at the top.
// gqlparser's counts fields by their own names, so that two aliases of one pass, and knows nothing of directives.
func singleRoot() core.Rule {
	return core.Rule{Name: "SingleFieldSubscriptions", RuleFunc: func(observers *core.Events, add core.AddErrFunc) {
		observers.OnOperation(func(_ *core.Walker, op *ast.OperationDefinition) {
			if op.Operation != ast.Subscription {
				return
			}
			r := roots{spread: make(map[*ast.FragmentDefinition]bool)}
			r.gather(op.SelectionSet)
			refuse := func(at *ast.Position, format string, args ...any) {
				add(core.Message("Single Root Field: "+format, args...), core.At(at))
			}
			if len(r.names) > 1 {
				refuse(r.second, `a subscription has one field at its top, and this has "%s". Write a subscription for each.`, strings.Join(r.names, `" and "`))
			}
			if f := r.introspects; f != nil {
				refuse(f.Position, `"%s" cannot be subscribed to. Ask for it in a query.`, f.Name)
			}
			if d := r.directive; d != nil {
				refuse(d.Position, `@%s may not stand at the top of a subscription. Subscribe only to what you want, or put it on the fields below.`, d.Name)
			}
		})
	}}
}

// roots is what stands at the top of an operation, fragments spread.
type roots struct {
	names       []string       // in the answer: the first two that differ
	second      *ast.Position  // of the last of these
	introspects *ast.Field     // the first of them
	directive   *ast.Directive // the first @skip or @include
	spread      map[*ast.FragmentDefinition]bool
}

func (r *roots) gather(set ast.SelectionSet) {
	for _, selection := range set {
		switch s := selection.(type) {
		case *ast.Field:
			r.directives(s.Directives)
			r.name(s)
		case *ast.InlineFragment:
			r.directives(s.Directives)
			r.gather(s.SelectionSet)
		case *ast.FragmentSpread:
			r.directives(s.Directives)
			if s.Definition != nil && !r.spread[s.Definition] {
				r.spread[s.Definition] = true
				r.gather(s.Definition.SelectionSet)
			}
		}
	}
}

func (r *roots) name(f *ast.Field) {
	if r.introspects == nil && strings.HasPrefix(f.Name, "__") {
		r.introspects = f
	}
	if len(r.names) < 2 && (len(r.names) == 0 || r.names[0] != f.Alias) {
		r.names, r.second = append(r.names, f.Alias), f.Position
	}
}

func (r *roots) directives(list ast.DirectiveList) {
	for _, d := range list {
		if r.directive == nil && (d.Name == "skip" || d.Name == "include") {
			r.directive = d
		}
	}
}

package shopifytest

import "github.com/vektah/gqlparser/v2/ast"

// What Shopify documents: a scalar costs nothing, an object 1, a connection 2 and what its first objects cost, a mutation 10. The
// requested cost takes connections for full and objects for there; the actual one goes by what came. Inside a mutation and for pageInfo nothing is
// counted. The real Shopify asks less for large pages than this, by a formula that it does not tell.
const (
	objectCost     = 1
	connectionCost = 2
	mutationCost   = 10
)

// asks is the requested cost.
func asks(a asked) float64 {
	if a.operation.Operation == ast.Mutation {
		return float64(mutationCost * len(fields(a.operation.SelectionSet)))
	}
	return requested(a.operation.SelectionSet, a.variables)
}

func requested(set ast.SelectionSet, variables map[string]any) (sum float64) {
	for _, f := range fields(set) {
		nodes := f.SelectionSet
		switch {
		case len(f.SelectionSet) == 0 || f.Name == "pageInfo":
			continue
		case f.Arguments.ForName("first") != nil:
			for _, inner := range fields(f.SelectionSet) {
				if inner.Name == "nodes" {
					nodes = inner.SelectionSet
				}
			}
			sum += connectionCost + float64(whole(argument(f.Arguments, "first", variables)))*(objectCost+requested(nodes, variables))
		default:
			sum += objectCost + requested(f.SelectionSet, variables)
		}
	}
	return sum
}

// costs is the actual cost of what came.
func costs(a asked, data map[string]any) float64 {
	if a.operation.Operation == ast.Mutation {
		return asks(a)
	}
	return actual(a.operation.SelectionSet, data)
}

func actual(set ast.SelectionSet, v map[string]any) (sum float64) {
	for _, f := range fields(set) {
		if f.Name == "pageInfo" || len(f.SelectionSet) == 0 {
			continue
		}
		switch child := v[f.Name].(type) {
		case map[string]any:
			if child == nil {
				continue
			}
			sum += objectCost + actual(f.SelectionSet, child)
			if _, ok := child["nodes"]; ok {
				sum += connectionCost - objectCost
			}
		case []any:
			for _, n := range child {
				if m, ok := n.(map[string]any); ok {
					sum += objectCost + actual(f.SelectionSet, m)
				}
			}
		}
	}
	return sum
}

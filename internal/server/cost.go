package server

import (
	"fmt"
	"strings"

	"github.com/99designs/gqlgen/graphql"
	"github.com/vektah/gqlparser/v2/ast"
	"github.com/vektah/gqlparser/v2/gqlerror"
)

// Bounds of what one document may bring about. A page counts as many objects as it may have, a list without pages as
// ten, and lists multiply along a path: what looks small may ask for millions of objects.
const (
	maxObjects  = 20_000
	maxLists    = 3 // lists without pages inside each other
	pageObjects = 50
	listObjects = 10
	// explainedObjects is how many parts a part of an explanation has.
	explainedObjects = 2
)

// checkCost refuses an operation that may answer too many objects (TOO_COMPLEX). It works on validated documents, whose
// fields are bounded.
func checkCost(op *graphql.OperationContext) *gqlerror.Error {
	c := cost{variables: op.Variables}
	c.selections(op.Operation.SelectionSet, 1, 0)
	if c.lists > maxLists {
		return fail(tooComplex, fmt.Sprintf("%d lists without pages stand inside each other, at most %d may: ask for less at once, or start from the inner objects", c.lists, maxLists))
	}
	if c.objects > maxObjects {
		return fail(tooComplex, fmt.Sprintf("the document may answer more than %d objects (a page counts what first or last says, or %d; a list without pages %d): ask for smaller pages or less nesting", maxObjects, pageObjects, listObjects))
	}
	return nil
}

type cost struct {
	variables map[string]any
	objects   int64
	lists     int
}

// selections adds up a selection of which there are times, below a number of lists without pages.
func (c *cost) selections(set ast.SelectionSet, times int64, lists int) {
	for _, selection := range set {
		switch s := selection.(type) {
		case *ast.Field:
			c.field(s, times, lists)
		case *ast.InlineFragment:
			c.selections(s.SelectionSet, times, lists)
		case *ast.FragmentSpread:
			if s.Definition != nil {
				c.selections(s.Definition.SelectionSet, times, lists)
			}
		}
	}
}

func (c *cost) field(f *ast.Field, times int64, lists int) {
	if len(f.SelectionSet) == 0 || f.Definition == nil || strings.HasPrefix(f.Name, "__") { // introspection is bounded by the schema
		return
	}
	switch paged := f.Definition.Arguments.ForName("first") != nil; {
	case paged:
		times *= c.page(f)
	case f.Definition.Type.Elem != nil && strings.HasPrefix(f.Definition.Type.Name(), "Explained"): // of one level, and worked out with it
		times *= explainedObjects
	case f.Definition.Type.Elem != nil && f.Name != "edges" && f.Name != "nodes": // those of a page were counted with it
		times, lists = times*listObjects, lists+1
	}
	c.lists = max(c.lists, lists)
	if c.objects += times; c.objects <= maxObjects {
		c.selections(f.SelectionSet, times, lists)
	}
}

// page is how many objects a page has at most.
func (c *cost) page(f *ast.Field) int64 {
	args := f.ArgumentMap(c.variables)
	for _, name := range []string{"first", "last"} {
		switch n := args[name].(type) {
		case int64:
			return max(1, min(n, 1000))
		case int:
			return max(1, min(int64(n), 1000))
		case fmt.Stringer: // a variable's json.Number
			var v int64
			if _, err := fmt.Sscan(n.String(), &v); err == nil {
				return max(1, min(v, 1000))
			}
		}
	}
	return pageObjects
}

package server

import (
	"fmt"
	"strings"

	"github.com/99designs/gqlgen/graphql"
	"github.com/vektah/gqlparser/v2/ast"
	"github.com/vektah/gqlparser/v2/gqlerror"
)

// What parts of a document cost, in Shopify's units: a scalar nothing, an object 1, a page 2 and its rows, a mutation 10.
// What a list may hold multiplies what is asked of each. docs/guide/limits.md tells it to clients.
const (
	maxCost       = 20_000 // of one document
	pageRows      = 50     // where neither first nor last says
	pageCost      = 2
	countCost     = 10  // totalCount reads all rows that match
	listRows      = 10  // of a list without pages
	explainedRows = 2   // of the lists of an explanation, which is of one level
	changeCost    = 10  // a mutation's or subscription's field
	askCost       = 500 // a request at a platform, which may take 30 s: 8 a second with the refill by default
	schemaCost    = 100
	maxLists      = 3 // lists without pages inside each other
)

// enough is where costs stop growing: far above any bound, far below an overflow.
const enough = 1 << 40

// checkCost works out what an operation may cost, or refuses it (TOO_COMPLEX) above max. It works on validated documents,
// and looks at every part of the text once.
func checkCost(op *graphql.OperationContext, most int64) (int64, *gqlerror.Error) {
	c := costs{variables: op.Variables, fragments: make(map[*ast.FragmentDefinition]weight)}
	w := c.selections(op.Operation.SelectionSet)
	if w.lists > maxLists {
		return 0, fail(tooComplex, fmt.Sprintf("%d lists without pages stand inside each other, at most %d may: ask for less at once, or start from the inner objects", w.lists, maxLists))
	}
	requested := max(1, w.fixed)
	if requested > most {
		err := fail(tooComplex, fmt.Sprintf("the document may cost %d, at most %d may be (a page counts as many rows as first or last says, or %d; a list without pages %d): ask for smaller pages or less nesting", requested, most, pageRows, listRows))
		err.Extensions["cost"], err.Extensions["maxCost"] = requested, most
		return requested, err
	}
	return requested, nil
}

// weight of a selection: what it costs once, what each row of a page costs where it is of a page's type, and how many
// lists without pages stand inside each other.
type weight struct {
	fixed, row int64
	lists      int
}

func (w *weight) add(o weight) {
	w.fixed, w.row, w.lists = min(w.fixed+o.fixed, enough), min(w.row+o.row, enough), max(w.lists, o.lists)
}

// costs remembers the weight of each fragment, so that none is walked twice.
type costs struct {
	variables map[string]any
	fragments map[*ast.FragmentDefinition]weight
	visited   int
}

func (c *costs) selections(set ast.SelectionSet) weight {
	var all weight
	for _, selection := range set {
		c.visited++
		switch s := selection.(type) {
		case *ast.Field:
			all.add(c.field(s))
		case *ast.InlineFragment:
			all.add(c.selections(s.SelectionSet))
		case *ast.FragmentSpread:
			if s.Definition == nil {
				continue
			}
			w, known := c.fragments[s.Definition]
			if !known {
				w = c.selections(s.Definition.SelectionSet)
				c.fragments[s.Definition] = w
			}
			all.add(w)
		}
	}
	return all
}

func (c *costs) field(f *ast.Field) weight {
	k := kindOf(f)
	var in weight
	if k.descends {
		in = c.selections(f.SelectionSet)
	}
	each := min(k.each+in.fixed, enough)
	switch {
	case k.paged:
		return weight{fixed: min(each+c.rows(f)*in.row, enough), lists: in.lists}
	case k.row:
		return weight{row: each, lists: in.lists}
	case k.list > 0:
		if f.Definition.Arguments.ForName("first") != nil {
			k.list, k.nests = c.rows(f), 0
		}
		return weight{fixed: min(k.once+k.list*each, enough), lists: in.lists + k.nests}
	}
	return weight{fixed: k.once + each, lists: in.lists}
}

// kind says how a field counts.
type kind struct {
	once, each int64 // what the field costs, and each object in its answer
	list       int64 // how many objects a list without pages counts as; 0 is no list
	nests      int   // 1 for a list that counts as one inside another
	paged, row bool  // a page; what a page has once for each row
	descends   bool  // what is below counts
	asks       bool  // it asks a platform, which is paid for whatever comes of it
}

func kindOf(f *ast.Field) kind {
	parent, typ := "", ""
	if f.ObjectDefinition != nil {
		parent = f.ObjectDefinition.Name
	}
	if f.Definition != nil {
		typ = f.Definition.Type.Name()
	}
	page := parent != "Connection" && strings.HasSuffix(parent, "Connection") // Connection is a type of ours
	switch {
	case f.Name == "__schema" || f.Name == "__type": // what nests inside is bounded by validation
		return kind{once: schemaCost}
	case page && f.Name == "totalCount":
		return kind{once: countCost}
	case (parent == "Mutation" || parent == "Subscription") && f.Name != "__typename":
		return kind{once: changeCost, descends: true}
	case len(f.SelectionSet) == 0 || f.Definition == nil:
		return kind{}
	case page && (f.Name == "edges" || f.Name == "nodes"):
		return kind{each: 1, row: true, descends: true}
	case typ == "PageInfo" || typ == "UserError" || f.Name == "node" && strings.HasSuffix(parent, "Edge"): // counted with what they belong to
		return kind{descends: true}
	case f.Definition.Arguments.ForName("first") != nil && f.Definition.Type.Elem == nil:
		return kind{each: pageCost, paged: true, descends: true}
	case f.Definition.Type.Elem != nil && strings.HasPrefix(typ, "Explained"):
		return kind{each: 1, list: explainedRows, descends: true}
	case parent == "Store" && f.Name == "remoteLocations":
		return kind{once: askCost, each: 1, list: listRows, nests: 1, descends: true, asks: true}
	case f.Definition.Type.Elem != nil:
		return kind{each: 1, list: listRows, nests: 1, descends: true}
	}
	return kind{each: 1, descends: true}
}

// rows is how many rows a page has at most.
func (c *costs) rows(f *ast.Field) int64 {
	for _, name := range []string{"first", "last"} {
		a := f.Arguments.ForName(name)
		if a == nil {
			continue
		}
		v, err := a.Value.Value(c.variables)
		if err != nil {
			continue // told when it runs
		}
		switch n := v.(type) {
		case int64:
			return max(1, min(n, 1000))
		case int:
			return max(1, min(int64(n), 1000))
		case fmt.Stringer: // a variable's json.Number
			var rows int64
			if _, err := fmt.Sscan(n.String(), &rows); err == nil {
				return max(1, min(rows, 1000))
			}
		}
	}
	return pageRows
}

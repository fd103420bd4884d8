package server

import (
	"github.com/vektah/gqlparser/v2/ast"
	"github.com/vektah/gqlparser/v2/gqlerror"
)

// Bounds of one document, fragments expanded. The introspection query of common tools is 15 deep and under 300 fields.
const (
	maxDepth  = 20
	maxFields = 1000
)

// checkBounds refuses a document that is too deep (TOO_DEEP) or has too many fields (TOO_COMPLEX), counting all its
// operations and fragments, aliases included. It takes time in proportion to the document's text, also for fragments
// that spread each other twofold at every level, and works on documents that are not validated.
func checkBounds(doc *ast.QueryDocument) *gqlerror.Error {
	m := measure{doc: doc, fragments: make(map[string]extent)}
	all := extent{}
	for _, op := range doc.Operations {
		all.add(m.selections(op.SelectionSet))
	}
	for _, f := range doc.Fragments {
		all.add(m.selections(f.SelectionSet)) // not by name, which another one may have too
	}
	if all.depth > maxDepth {
		return tooDeepError()
	}
	if all.fields > maxFields {
		return fail(tooComplex, "the document has more than 1000 fields, fragments expanded; ask for less at once")
	}
	return nil
}

func tooDeepError() *gqlerror.Error {
	return fail(tooDeep, "fields nest deeper than 20 levels; ask for less at once")
}

// extent of a selection: levels of nested fields, and fields. Both stop counting just above their bounds.
type extent struct{ depth, fields int }

func (e *extent) add(o extent) {
	e.depth = max(e.depth, o.depth)
	e.fields = min(e.fields+o.fields, maxFields+1)
}

// measure remembers the extent of each fragment, so that none is walked twice.
type measure struct {
	doc       *ast.QueryDocument
	fragments map[string]extent
}

func (m measure) selections(set ast.SelectionSet) extent {
	var all extent
	for _, selection := range set {
		switch s := selection.(type) {
		case *ast.Field:
			e := m.selections(s.SelectionSet)
			all.add(extent{depth: min(e.depth, maxDepth) + 1, fields: e.fields + 1})
		case *ast.InlineFragment:
			all.add(m.selections(s.SelectionSet))
		case *ast.FragmentSpread:
			all.add(m.fragment(s.Name))
		}
	}
	return all
}

// fragment is empty for one that is not there, and for one that is being measured: a cycle. Validation tells of both.
func (m measure) fragment(name string) extent {
	e, known := m.fragments[name]
	if f := m.doc.Fragments.ForName(name); !known && f != nil {
		m.fragments[name] = extent{}
		e = m.selections(f.SelectionSet)
		m.fragments[name] = e
	}
	return e
}

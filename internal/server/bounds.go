package server

import (
	"fmt"

	"github.com/99designs/gqlgen/graphql/errcode"
	"github.com/vektah/gqlparser/v2/ast"
	"github.com/vektah/gqlparser/v2/gqlerror"

	"stockbridge/internal/fault"
)

// Bounds of one document. Fields, aliases and depth are counted with fragments expanded. The introspection query of
// common tools is 15 deep and under 300 fields. Validation comes to a fragment anew from each operation and fragment that
// spreads it: maxSpreads and maxValues are for documents that multiply by that, none that spreads each once comes near them.
const (
	maxDepth        = 20
	maxInputDepth   = 20 // lists and objects inside each other in an argument
	maxFields       = 1000
	maxAliases      = 200
	maxRootFields   = 50 // of one operation
	maxFragments    = 100
	maxSpreads      = 1000      // of fragments, and inline ones, expanded
	maxText         = 256 << 10 // bytes of the document
	maxValues       = 2 << 20   // bytes of the values in arguments, expanded; each counts 64 more
	maxRequests     = 50        // operations of one document, of which one runs
	maxDirectives   = 200
	maxDirectivesAt = 10 // on one field, fragment or operation
)

// Codes of documents that are refused for their form (TOO_DEEP and TOO_COMPLEX apart).
const (
	tooManyAliases    fault.Code = "TOO_MANY_ALIASES"
	tooManyRootFields fault.Code = "TOO_MANY_ROOT_FIELDS"
	tooManyFragments  fault.Code = "TOO_MANY_FRAGMENTS"
	tooManyOperations fault.Code = "TOO_MANY_OPERATIONS"
	tooManyDirectives fault.Code = "TOO_MANY_DIRECTIVES"
)

// checkBounds refuses a document that is too deep or has too much of anything, counting all its operations and
// fragments, also those that are not run. It looks at every part of the document's text once, also for fragments that
// spread each other twofold at every level, and works on documents that are not validated.
func checkBounds(doc *ast.QueryDocument) *gqlerror.Error {
	_, err := measured(doc)
	return err
}

// measured also tells what was found, for tests.
func measured(doc *ast.QueryDocument) (*measure, *gqlerror.Error) {
	m := &measure{doc: doc, fragments: make(map[string]*extent)}
	switch { // first, for what follows looks fragments up by name
	case len(doc.Operations) > maxRequests:
		return m, fail(tooManyOperations, fmt.Sprintf("the document has %d operations, at most %d may be: send only those that are run", len(doc.Operations), maxRequests))
	case len(doc.Fragments) > maxFragments:
		return m, fail(tooManyFragments, fmt.Sprintf("the document has %d fragments, at most %d may be: write out what is used once", len(doc.Fragments), maxFragments))
	}
	var all extent
	roots := 0
	for _, op := range doc.Operations {
		m.directives(op.Directives)
		for _, v := range op.VariableDefinitions {
			m.value(v.DefaultValue, 1)
			m.directives(v.Directives)
		}
		e := m.selections(op.SelectionSet)
		roots = max(roots, e.top)
		all.add(e)
	}
	for _, f := range doc.Fragments {
		m.directives(f.Directives)
		all.add(m.selections(f.SelectionSet)) // not by name, which another one may have too
	}
	return m, m.judge(all, roots)
}

// judge compares what was found with the bounds.
func (m *measure) judge(all extent, roots int) *gqlerror.Error {
	switch {
	case m.cycle != nil: // the rest was not counted to its end
		return cycleError(m.cycle)
	case all.depth > maxDepth:
		return tooDeepError()
	case m.inputDepth > maxInputDepth:
		return fail(tooDeep, fmt.Sprintf("lists and objects nest deeper than %d levels in an argument; no input has so many", maxInputDepth))
	case all.fields > maxFields:
		return fail(tooComplex, fmt.Sprintf("the document has more than %d fields, fragments expanded; ask for less at once", maxFields))
	case all.aliases > maxAliases:
		return fail(tooManyAliases, fmt.Sprintf("the document has more than %d aliases, fragments expanded; ask for a list, or for less at once", maxAliases))
	case roots > maxRootFields:
		return fail(tooManyRootFields, fmt.Sprintf("an operation has more than %d fields at its top, fragments expanded; ask for lists, or send several requests", maxRootFields))
	case all.spreads > maxSpreads:
		return fail(tooManyFragments, fmt.Sprintf("fragments are spread more than %d times, inline ones and those in fragments counted; write out what is small", maxSpreads))
	case all.values > maxValues:
		return fail(tooComplex, fmt.Sprintf("the values in arguments come to more than %d bytes, fragments expanded; send large values as variables", maxValues))
	case m.most > maxDirectivesAt:
		return fail(tooManyDirectives, fmt.Sprintf("%d directives stand in one place, at most %d may; @include and @skip are enough", m.most, maxDirectivesAt))
	case m.count > maxDirectives:
		return fail(tooManyDirectives, fmt.Sprintf("the document has %d directives, at most %d may be; include or skip a fragment in place of each of its fields", m.count, maxDirectives))
	}
	return nil
}

func tooDeepError() *gqlerror.Error {
	return fail(tooDeep, fmt.Sprintf("fields nest deeper than %d levels; ask for less at once", maxDepth))
}

// cycleError is told here, and not by validation, which would walk the cycle from each fragment and operation, and tell of
// each spread in it.
func cycleError(s *ast.FragmentSpread) *gqlerror.Error {
	err := fail(errcode.ValidationFailed, fmt.Sprintf("Cannot spread fragment %q within itself.", s.Name))
	if s.Position != nil {
		err.Locations = []gqlerror.Location{{Line: s.Position.Line, Column: s.Position.Column}}
	}
	return err
}

// extent of a selection, fragments expanded: levels of nested fields, fields, those that have an alias, those at its
// top, fragments, and bytes of values. All stop counting just above their bounds.
type extent struct{ depth, fields, aliases, top, spreads, values int }

func (e *extent) add(o extent) {
	e.depth = max(e.depth, o.depth)
	e.fields = min(e.fields+o.fields, maxFields+1)
	e.aliases = min(e.aliases+o.aliases, maxAliases+1)
	e.top = min(e.top+o.top, maxFields+1)
	e.spreads = min(e.spreads+o.spreads, maxSpreads+1)
	e.values = min(e.values+o.values, maxValues+1)
}

// measure of a document. It remembers the extent of each fragment, so that none is walked anew for each spread.
type measure struct {
	doc        *ast.QueryDocument
	fragments  map[string]*extent  // nil while it is measured
	cycle      *ast.FragmentSpread // of a fragment that is spread within itself
	values     int                 // bytes of those looked at so far
	count      int                 // of directives
	most       int                 // directives in one place
	inputDepth int
	visited    int // parts of the document that were looked at
}

func (m *measure) selections(set ast.SelectionSet) extent {
	var all extent
	for _, selection := range set {
		m.visited++
		before := m.values
		switch s := selection.(type) {
		case *ast.Field:
			m.directives(s.Directives)
			m.arguments(s.Arguments)
			all.add(extent{values: m.values - before})
			e := m.selections(s.SelectionSet)
			e.depth, e.fields, e.top = min(e.depth, maxDepth)+1, e.fields+1, 1
			if s.Alias != s.Name {
				e.aliases++
			}
			all.add(e)
		case *ast.InlineFragment:
			m.directives(s.Directives)
			all.add(extent{spreads: 1, values: m.values - before})
			all.add(m.selections(s.SelectionSet))
		case *ast.FragmentSpread:
			m.directives(s.Directives)
			all.add(extent{spreads: 1, values: m.values - before})
			all.add(m.fragment(s))
		}
	}
	return all
}

// fragment is empty for one that is not there, of which validation tells, and for one that is being measured: a cycle.
func (m *measure) fragment(s *ast.FragmentSpread) extent {
	if e, known := m.fragments[s.Name]; known {
		if e != nil {
			return *e
		}
		if m.cycle == nil {
			m.cycle = s
		}
		return extent{}
	}
	f := m.doc.Fragments.ForName(s.Name)
	if f == nil {
		return extent{}
	}
	m.fragments[s.Name] = nil
	e := m.selections(f.SelectionSet)
	m.fragments[s.Name] = &e
	return e
}

// directives counts those of one place. A fragment's own may be counted twice: where it stands, and where it is spread first.
func (m *measure) directives(list ast.DirectiveList) {
	m.visited += len(list)
	m.count += len(list)
	m.most = max(m.most, len(list))
	for _, d := range list {
		m.arguments(d.Arguments)
	}
}

func (m *measure) arguments(list ast.ArgumentList) {
	for _, a := range list {
		m.value(a.Value, 1)
	}
}

// value looks how deep a value nests. What is deeper than may be is not followed further.
func (m *measure) value(v *ast.Value, depth int) {
	if v == nil {
		return
	}
	m.visited++
	m.values += len(v.Raw) + 64
	if len(v.Children) == 0 {
		return
	}
	m.inputDepth = max(m.inputDepth, depth)
	if depth > maxInputDepth {
		return
	}
	for _, c := range v.Children {
		m.value(c.Value, depth+1)
	}
}

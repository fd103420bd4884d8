package server

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/vektah/gqlparser/v2/ast"
	"github.com/vektah/gqlparser/v2/validator/core"
)

// maxMerging is how many parts of a document are looked at to merge its fields. Those within the other bounds need some
// 5,000; only many types of one interface, inside each other many times, need more.
const maxMerging = 50_000

// overlappingFields is the rule OverlappingFieldsCanBeMerged (https://spec.graphql.org, 5.3.2 Field Selection Merging). It
// refuses the same documents as gqlparser's, which compares all pairs of fields of one name, and gives an error for each. This
// one compares each field with the first of its name, and gives one error for each operation. Fragments that no operation
// uses are refused by another rule.
func overlappingFields() core.Rule {
	return core.Rule{Name: "OverlappingFieldsCanBeMerged", RuleFunc: func(observers *core.Events, add core.AddErrFunc) {
		looked := 0 // of the whole document
		observers.OnOperation(func(walker *core.Walker, op *ast.OperationDefinition) {
			m := &merging{schema: walker.Schema, looked: looked}
			all := m.collect([]ast.SelectionSet{op.SelectionSet})
			m.fields(all) // first, for what it tells is plainer
			m.shapes(all)
			looked = m.looked
			if m.conflict != nil {
				add(m.conflict...)
			}
		})
	}}
}

// merging is how the fields of one operation are put together.
type merging struct {
	schema   *ast.Schema
	looked   int                // parts of the document, each as often as it was come to
	conflict []core.ErrorOption // the first; nothing is looked at after it
}

// namesakes are fields that have one name in the answer, in one place of it.
type namesakes []*ast.Field

// collect is what selections that are merged ask for, by name in the answer, in the document's order. Fields that are not
// known are left out: they are refused by another rule.
func (m *merging) collect(sets []ast.SelectionSet) (all []namesakes) {
	at := make(map[string]int)
	spread := make(map[*ast.FragmentDefinition]bool)
	var walk func(ast.SelectionSet)
	walk = func(set ast.SelectionSet) {
		for _, selection := range set {
			if m.looked++; m.looked > maxMerging {
				m.stop(core.Message("Too many fields of one name have to be compared. Use different aliases on fields of different types."))
				return
			}
			switch s := selection.(type) {
			case *ast.Field:
				if s.Definition == nil || s.ObjectDefinition == nil {
					continue
				}
				i, known := at[s.Alias]
				if !known {
					i = len(all)
					at[s.Alias] = i
					all = append(all, nil)
				}
				all[i] = append(all[i], s)
			case *ast.InlineFragment:
				walk(s.SelectionSet)
			case *ast.FragmentSpread:
				if s.Definition != nil && !spread[s.Definition] {
					spread[s.Definition] = true
					walk(s.Definition.SelectionSet)
				}
			}
		}
	}
	for _, set := range sets {
		walk(set)
	}
	return all
}

// below is what fields that are merged ask for.
func (m *merging) below(fields namesakes) []namesakes {
	sets := make([]ast.SelectionSet, 0, len(fields))
	for _, f := range fields {
		if len(f.SelectionSet) > 0 {
			sets = append(sets, f.SelectionSet)
		}
	}
	if sets == nil || m.conflict != nil {
		return nil
	}
	return m.collect(sets)
}

func (m *merging) stop(why ...core.ErrorOption) {
	if m.conflict == nil {
		m.conflict = why
	}
}

func (m *merging) refuse(a, b *ast.Field, why string) {
	m.stop(core.Message(`Fields "%s" conflict because %s. Use different aliases on the fields to fetch both if this was intentional.`, a.Alias, why),
		core.At(a.Position), core.At(b.Position))
}

// shapes refuses fields of one name that answer things of different form, also where no object has both.
func (m *merging) shapes(all []namesakes) {
	for _, fields := range all {
		first := fields[0]
		for _, f := range fields[1:] {
			if m.conflict == nil && !m.alike(first.Definition.Type, f.Definition.Type) {
				m.refuse(first, f, fmt.Sprintf(`they return conflicting types "%s" and "%s"`, first.Definition.Type, f.Definition.Type))
			}
		}
		m.shapes(m.below(fields))
	}
}

// alike tells whether two types differ at most in which object they are.
func (m *merging) alike(a, b *ast.Type) bool {
	if a.NonNull != b.NonNull || (a.Elem == nil) != (b.Elem == nil) {
		return false
	}
	if a.Elem != nil {
		return m.alike(a.Elem, b.Elem)
	}
	if a.NamedType == b.NamedType {
		return true
	}
	one, other := m.schema.Types[a.NamedType], m.schema.Types[b.NamedType]
	return one == nil || other == nil || !one.IsLeafType() && !other.IsLeafType()
}

// fields refuses what asks for different fields, or with different arguments, by one name of one object.
func (m *merging) fields(all []namesakes) {
	for _, fields := range all {
		for _, together := range apart(fields) {
			if len(together) > 1 {
				m.same(together)
			}
			m.fields(m.below(together))
		}
	}
}

func (m *merging) same(fields namesakes) {
	first, asks := fields[0], ""
	for i, f := range fields[1:] {
		if m.conflict != nil {
			return
		}
		if f.Name != first.Name {
			m.refuse(first, f, fmt.Sprintf(`"%s" and "%s" are different fields`, first.Name, f.Name))
			return
		}
		if i == 0 {
			asks = written(first.Arguments)
		}
		if written(f.Arguments) != asks {
			m.refuse(first, f, "they have differing arguments")
			return
		}
	}
}

// apart sets fields apart that no object has both of, for they are of different object types. What is of an interface
// belongs to each.
func apart(fields namesakes) []namesakes {
	var types []string
	for _, f := range fields {
		if d := f.ObjectDefinition; d.Kind == ast.Object && !slices.Contains(types, d.Name) {
			types = append(types, d.Name)
		}
	}
	if len(types) < 2 {
		return []namesakes{fields}
	}
	all := make([]namesakes, len(types))
	for i, typ := range types {
		for _, f := range fields {
			if d := f.ObjectDefinition; d.Kind != ast.Object || d.Name == typ {
				all[i] = append(all[i], f)
			}
		}
	}
	return all
}

// written is a text that two lists of arguments share if they are the same. The order of names means nothing.
func written(arguments ast.ArgumentList) string {
	if len(arguments) == 0 {
		return ""
	}
	var b strings.Builder
	sorted := slices.Clone(arguments)
	slices.SortStableFunc(sorted, func(a, b *ast.Argument) int { return strings.Compare(a.Name, b.Name) })
	for _, a := range sorted {
		b.WriteString(a.Name)
		b.WriteByte(':')
		writeValue(&b, a.Value)
	}
	return b.String()
}

func writeValue(b *strings.Builder, v *ast.Value) {
	b.WriteString(strconv.Itoa(int(v.Kind)))
	b.WriteString(strconv.Quote(v.Raw))
	children := v.Children
	if v.Kind == ast.ObjectValue {
		children = slices.Clone(children)
		slices.SortStableFunc(children, func(a, b *ast.ChildValue) int { return strings.Compare(a.Name, b.Name) })
	}
	b.WriteByte('(')
	for _, c := range children {
		b.WriteString(c.Name)
		b.WriteByte(':')
		writeValue(b, c.Value)
	}
	b.WriteByte(')')
}

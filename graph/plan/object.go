package plan

import (
	"github.com/99designs/gqlgen/graphql"
)

// Object is how an object that was read already is written as the whole answer of an operation with one field. It is safe for
// concurrent use.
type Object struct {
	key     string
	columns []string // fields of the API
	entries []entry
}

// Object plans what a field that is an object of a type asks for. It is nil where that is more than the object holds itself.
func (r *Reader) Object(op *graphql.OperationContext, f graphql.CollectedField, typ string) *Object {
	t, known := r.tables[typ]
	p := &plan{tables: r.tables, op: op, fits: known, joins: []join{{typ: typ}}}
	o := &Object{key: `{"` + f.Alias + `":`, entries: p.object(f, 0)}
	if !p.fits || len(p.joins) > 1 {
		return nil
	}
	fields := make(map[string]string, len(t.fields))
	for name, column := range t.fields {
		fields[column] = name
	}
	for _, c := range p.columns {
		o.columns = append(o.columns, fields[c.name])
	}
	return o
}

// Write writes an object with what it holds: of a field of the API a string, an int64, a bool, a time or, for null, nil.
func (o *Object) Write(held func(field string) any) ([]byte, error) {
	a := &answer{}
	a.Grow(64 * (1 + len(o.entries)))
	row := make([]any, len(o.columns))
	for i, field := range o.columns {
		row[i] = held(field)
	}
	a.WriteString(o.key)
	if err := a.entries(o.entries, row); err != nil {
		return nil, err
	}
	a.WriteByte('}')
	return a.Bytes(), nil
}

package plan

import (
	"slices"

	"github.com/99designs/gqlgen/graphql"
)

// maxJoins of one statement. SQLite takes 64 tables, but a planner's time grows with their number.
const maxJoins = 8

// plan is how a page is read and written: joins, the columns of a row, and the shape of the answer.
type plan struct {
	tables  tables
	op      *graphql.OperationContext
	joins   []join   // the list's own table is the first
	columns []column // of a row, as it is read
	page    []entry
	fits    bool // false once something is asked for that plans do not know
}

// join is a table of the statement, by a name of its own. The first has no edge.
type join struct {
	typ  string
	from int // the join whose row leads here
	edge edge
}

type column struct {
	join int
	name string
}

// kind is how an entry of an object is written.
type kind int

const (
	text            kind = iota // as it stands in entry.text
	scalar                      // a text or a number of a row
	id                          // a row's number, as a global id
	moment                      // a time of a row
	flag                        // a boolean of a row
	one                         // the object of a join, or null
	self                        // the row of the list
	cursor                      // its cursor
	rows                        // all rows of the page
	info                        // where the page stands
	hasNextPage                 // and so on, as the API names them
	hasPreviousPage             //
	startCursor                 //
	endCursor                   //
)

// entry is one of an object: its key, and what it is.
type entry struct {
	key    string // with quotes and colon
	kind   kind
	text   string
	column int     // in a row; of an object, that of its id
	must   bool    // null is no answer
	below  []entry // of an object
}

// compile plans what a field that is a list of a type asks for. It fails for all that is not known to be read rightly by a plan.
func compile(t tables, op *graphql.OperationContext, f graphql.CollectedField, typ string) (*plan, bool) {
	_, known := t[typ]
	p := &plan{tables: t, op: op, fits: known, joins: []join{{typ: typ}}}
	p.page = p.entries(f, func(f graphql.CollectedField) (entry, bool) {
		switch f.Name {
		case "edges":
			return entry{kind: rows, below: p.entries(f, p.edge)}, true
		case "nodes":
			return entry{kind: rows, below: p.object(f, 0)}, true
		case "pageInfo":
			return entry{kind: info, below: p.entries(f, func(f graphql.CollectedField) (entry, bool) {
				k, ok := map[string]kind{"hasNextPage": hasNextPage, "hasPreviousPage": hasPreviousPage, "startCursor": startCursor, "endCursor": endCursor}[f.Name]
				return entry{kind: k}, ok
			})}, true
		}
		return entry{}, false
	})
	return p, p.fits
}

func (p *plan) edge(f graphql.CollectedField) (entry, bool) {
	switch f.Name {
	case "cursor":
		return entry{kind: cursor}, true
	case "node":
		return entry{kind: self, below: p.object(f, 0)}, true
	}
	return entry{}, false
}

// entries are what is asked of an object, in the order of the answer.
func (p *plan) entries(of graphql.CollectedField, known func(graphql.CollectedField) (entry, bool)) []entry {
	typ := of.Definition.Type.Name()
	fields := graphql.CollectFields(p.op, of.Selections, []string{typ, "Node"})
	all := make([]entry, 0, len(fields))
	for _, f := range fields {
		e, ok := entry{kind: text, text: `"` + typ + `"`}, len(f.Deferrables) == 0
		if f.Name != "__typename" && ok {
			e, ok = known(f)
		}
		if !ok {
			p.fits = false
			return nil
		}
		e.key = `"` + f.Alias + `":`
		all = append(all, e)
	}
	return all
}

// object is what is asked of the row of a join.
func (p *plan) object(of graphql.CollectedField, at int) []entry {
	typ := of.Definition.Type.Name()
	t := p.tables[typ]
	return p.entries(of, func(f graphql.CollectedField) (entry, bool) {
		must := f.Definition.Type.NonNull
		if name, ok := t.fields[f.Name]; ok {
			e := entry{kind: scalar, column: p.column(at, name), must: must}
			switch f.Definition.Type.NamedType {
			case "ID":
				e.kind, e.text = id, typ
			case "Time":
				e.kind = moment
			case "Boolean":
				e.kind = flag
			}
			return e, true
		}
		leads, ok := t.edges[f.Name]
		if !ok || len(p.joins) > maxJoins {
			return entry{}, false
		}
		p.joins = append(p.joins, join{leads.to, at, leads})
		to := len(p.joins) - 1
		return entry{kind: one, column: p.column(to, "id"), must: must, below: p.object(f, to)}, true
	})
}

// column is where a column of a join stands in a row.
func (p *plan) column(join int, name string) int {
	c := column{join, name}
	i := slices.Index(p.columns, c)
	if i < 0 {
		i, p.columns = len(p.columns), append(p.columns, c)
	}
	return i
}

package page

import (
	"entgo.io/ent/dialect/sql"

	"stockbridge/internal/fault"
)

// Cut is the part of an ordered list that arguments ask for, whatever its rows are read into.
type Cut struct {
	size          int
	backward      bool // from the end of the list
	after, before bool // whether there is such a cursor
	column        string
	beyond        []func(*sql.Selector)
	by            func(*sql.Selector)
}

// Cut takes the part of the list that the arguments ask for. Faults are those of Of.
func (o Order[T]) Cut(args Args) (*Cut, error) {
	size, backward, err := args.Size()
	if err != nil {
		return nil, err
	}
	cut := &Cut{size: size, backward: backward, after: args.After != nil, before: args.Before != nil, by: o.by(o.Desc != backward)}
	if o.By != nil {
		cut.column = o.By.name
	}
	for _, c := range []struct {
		name   string
		cursor *string
		desc   bool
	}{{"after", args.After, o.Desc}, {"before", args.Before, !o.Desc}} {
		if c.cursor == nil {
			continue
		}
		at, ok := o.read(*c.cursor)
		if !ok {
			return nil, fault.At(c.name, InvalidCursor, "%.40q is no cursor of this list in this order; use one that a page of it gave", *c.cursor)
		}
		cut.beyond = append(cut.beyond, o.beyond(at, c.desc))
	}
	return cut, nil
}

// Narrow leaves what lies beyond the cursors.
func (c *Cut) Narrow(s *sql.Selector) {
	for _, beyond := range c.beyond {
		beyond(s)
	}
}

// Sort orders as rows are to be read: of a page from the end of the list, the last comes first.
func (c *Cut) Sort(s *sql.Selector) { c.by(s) }

// Limit is how many rows to read: one more than the page has tells whether there are more.
func (c *Cut) Limit() int { return c.size + 1 }

// Backward tells whether the rows that were read have to be reversed.
func (c *Cut) Backward() bool { return c.backward }

// Fit tells how many of the rows that were read are the page, and whether there are others after and before it.
func (c *Cut) Fit(read int) (rows int, next, previous bool) {
	more := read > c.size
	return min(read, c.size), !c.backward && more || c.backward && c.before, c.backward && more || !c.backward && c.after
}

// Column is what the list is ordered by, "" for ids alone.
func (c *Cut) Column() string { return c.column }

// Cursor is that of the row with an id that has a value in Column: a text, an int64, a time in UTC, or nil for none.
func (c *Cut) Cursor(value any, id int64) string { return cursor(c.column, value, id) }

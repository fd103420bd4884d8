package plan

import (
	"bytes"
	"encoding/base64"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/99designs/gqlgen/graphql"

	"stockbridge/graph/page"
)

// errNull is a row that has nothing where something must be: the resolvers know how to tell.
var errNull = errors.New("a row leads nowhere")

// answer writes a page of rows that were read.
type answer struct {
	bytes.Buffer
	rows           [][]any // as the page has them
	id, sortedBy   int     // columns
	cut            *page.Cut
	next, previous bool
}

func (a *answer) entries(all []entry, row []any) error {
	a.WriteByte('{')
	for i := range all {
		if i > 0 {
			a.WriteByte(',')
		}
		a.WriteString(all[i].key)
		if err := a.entry(&all[i], row); err != nil {
			return err
		}
	}
	a.WriteByte('}')
	return nil
}

func (a *answer) entry(e *entry, row []any) error {
	switch e.kind {
	case text:
		a.WriteString(e.text)
	case info:
		return a.entries(e.below, nil)
	case rows:
		return a.list(e)
	case self:
		return a.entries(e.below, row)
	case cursor:
		return a.cursor(row)
	case hasNextPage:
		a.Write(strconv.AppendBool(a.AvailableBuffer(), a.next))
	case hasPreviousPage:
		a.Write(strconv.AppendBool(a.AvailableBuffer(), a.previous))
	case startCursor, endCursor:
		switch {
		case len(a.rows) == 0:
			a.WriteString("null")
		case e.kind == startCursor:
			return a.cursor(a.rows[0])
		default:
			return a.cursor(a.rows[len(a.rows)-1])
		}
	default:
		return a.value(e, row)
	}
	return nil
}

// list writes all rows of the page.
func (a *answer) list(e *entry) error {
	a.WriteByte('[')
	for i, row := range a.rows {
		if i > 0 {
			a.WriteByte(',')
		}
		if err := a.entries(e.below, row); err != nil {
			return err
		}
	}
	a.WriteByte(']')
	return nil
}

func (a *answer) cursor(row []any) error {
	id, ok := row[a.id].(int64)
	if !ok {
		return fmt.Errorf("an id is read as %T", row[a.id])
	}
	var by any
	if a.cut.Column() != "" {
		by = row[a.sortedBy]
		if t, ok := by.(time.Time); ok {
			by = t.UTC()
		}
	}
	a.WriteByte('"')
	a.WriteString(a.cut.Cursor(by, id))
	a.WriteByte('"')
	return nil
}

// value writes what a row has in a column.
func (a *answer) value(e *entry, row []any) error {
	v := row[e.column]
	if v == nil {
		if e.must {
			return errNull
		}
		a.WriteString("null")
		return nil
	}
	switch v := v.(type) {
	case int64:
		switch e.kind {
		case one:
			return a.entries(e.below, row)
		case id:
			b := append(a.AvailableBuffer(), '"')
			b = base64.RawURLEncoding.AppendEncode(b, strconv.AppendInt([]byte(e.text+":"), v, 10))
			a.Write(append(b, '"'))
			return nil
		case scalar:
			a.Write(strconv.AppendInt(a.AvailableBuffer(), v, 10))
			return nil
		case flag: // SQLite has no booleans
			a.Write(strconv.AppendBool(a.AvailableBuffer(), v != 0))
			return nil
		}
	case string:
		if e.kind == scalar {
			a.text(v)
			return nil
		}
	case time.Time:
		if e.kind == moment {
			b := append(a.AvailableBuffer(), '"')
			a.Write(append(v.UTC().AppendFormat(b, time.RFC3339Nano), '"'))
			return nil
		}
	case bool:
		if e.kind == flag {
			a.Write(strconv.AppendBool(a.AvailableBuffer(), v))
			return nil
		}
	}
	return fmt.Errorf("%s is read as %T", e.key, v)
}

// text writes a text as gqlgen does: what needs no escape as it is.
func (a *answer) text(s string) {
	if slices.ContainsFunc([]byte(s), func(c byte) bool { return c < ' ' || c == '"' || c == '\\' }) {
		graphql.MarshalString(s).MarshalGQL(a)
		return
	}
	a.WriteByte('"')
	a.WriteString(s)
	a.WriteByte('"')
}

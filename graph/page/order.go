package page

import (
	"encoding/base64"
	"encoding/json"
	"strings"
	"time"
	"unicode/utf8"

	"entgo.io/ent/dialect/sql"
)

// Order is how a list is ordered: by a column, where one is named, and always by id in the end, the same way.
type Order[T any] struct {
	By   *Column[T] // nil for id alone
	Desc bool
	ID   func(*T) int64
}

// Column is what a list can be ordered by.
type Column[T any] struct {
	name     string
	value    func(*T) any // nil where the row has none
	parse    func(json.RawMessage) (any, bool)
	nullable bool // rows without a value come first, and last in descending order
}

// Text is a column of text.
func Text[T any](name string, value func(*T) string) *Column[T] {
	return &Column[T]{name, func(row *T) any { return value(row) }, text, false}
}

// Number is a column of integers.
func Number[T any](name string, value func(*T) int64) *Column[T] {
	return &Column[T]{name, func(row *T) any { return value(row) }, parsed[int64], false}
}

// Moment is a column of times.
func Moment[T any](name string, value func(*T) time.Time) *Column[T] {
	return &Column[T]{name, func(row *T) any { return value(row).UTC() }, parsed[time.Time], false}
}

// MaybeNumber is a column of integers that may be missing.
func MaybeNumber[T any](name string, value func(*T) *int64) *Column[T] {
	return &Column[T]{name, func(row *T) any { return maybe(value(row)) }, parsed[int64], true}
}

// MaybeMoment is a column of times that may be missing.
func MaybeMoment[T any](name string, value func(*T) *time.Time) *Column[T] {
	return &Column[T]{name, func(row *T) any { return maybe(value(row)) }, parsed[time.Time], true}
}

func maybe[V any](v *V) any {
	if v == nil {
		return nil
	}
	return *v
}

func parsed[V any](raw json.RawMessage) (any, bool) {
	var v V
	err := json.Unmarshal(raw, &v)
	return v, err == nil
}

// text refuses what no database holds.
func text(raw json.RawMessage) (any, bool) {
	s, ok := parsed[string](raw)
	return s, ok && utf8.ValidString(s.(string)) && !strings.ContainsRune(s.(string), 0)
}

// position is where a row stands in an order.
type position struct {
	value any // nil where the order is by id alone, or the row has no value
	id    int64
}

// write makes the cursor of a row.
func (o Order[T]) write(row *T) string {
	if o.By == nil {
		return cursor("", nil, o.ID(row))
	}
	return cursor(o.By.name, o.By.value(row), o.ID(row))
}

// cursor is a position as JSON, [column, value, id], in unpadded URL-safe base64.
func cursor(column string, value any, id int64) string {
	raw, err := json.Marshal([]any{column, value, id})
	if err != nil {
		panic(err) // texts, numbers and times of four-digit years have a JSON
	}
	return base64.RawURLEncoding.EncodeToString(raw)
}

// read takes a cursor apart; false for one that write did not make for the same column.
func (o Order[T]) read(cursor string) (p position, ok bool) {
	raw, err := base64.RawURLEncoding.DecodeString(cursor)
	if err != nil {
		return p, false
	}
	var parts []json.RawMessage
	if json.Unmarshal(raw, &parts) != nil || len(parts) != 3 || json.Unmarshal(parts[2], &p.id) != nil || p.id <= 0 {
		return p, false
	}
	column, none := "", string(parts[1]) == "null"
	if o.By != nil {
		column = o.By.name
	}
	if got, ok := parsed[string](parts[0]); !ok || got != column {
		return p, false
	}
	if o.By == nil || none {
		return p, none && (o.By == nil || o.By.nullable)
	}
	p.value, ok = o.By.parse(parts[1])
	return p, ok
}

// by orders a query.
func (o Order[T]) by(desc bool) func(*sql.Selector) {
	return func(s *sql.Selector) {
		direction, nulls := sql.Asc, " NULLS FIRST" // as SQLite has it by itself
		if desc {
			direction, nulls = sql.Desc, " NULLS LAST"
		}
		switch {
		case o.By == nil:
		case o.By.nullable:
			s.OrderExprFunc(func(b *sql.Builder) { b.WriteString(direction(s.C(o.By.name)) + nulls) })
		default:
			s.OrderBy(direction(s.C(o.By.name)))
		}
		s.OrderBy(direction(s.C("id")))
	}
}

// beyond narrows a query to what comes after a position in ascending order, or where desc in descending order.
func (o Order[T]) beyond(p position, desc bool) func(*sql.Selector) {
	return func(s *sql.Selector) {
		past, rowPast := sql.GT, sql.CompositeGT
		if desc {
			past, rowPast = sql.LT, sql.CompositeLT
		}
		id := s.C("id")
		if o.By == nil {
			s.Where(past(id, p.id))
			return
		}
		column := s.C(o.By.name)
		switch {
		case !o.By.nullable: // a comparison of rows, which an index answers
			s.Where(rowPast([]string{column, id}, p.value, p.id))
		case p.value == nil && desc:
			s.Where(sql.And(sql.IsNull(column), past(id, p.id)))
		case p.value == nil:
			s.Where(sql.Or(sql.NotNull(column), sql.And(sql.IsNull(column), past(id, p.id))))
		case desc:
			s.Where(sql.Or(past(column, p.value), sql.And(sql.EQ(column, p.value), past(id, p.id)), sql.IsNull(column)))
		default:
			s.Where(sql.Or(past(column, p.value), sql.And(sql.EQ(column, p.value), past(id, p.id))))
		}
	}
}

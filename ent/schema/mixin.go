// Package schema describes the tables. It imports nothing of ours but the value sets.
package schema

import (
	"time"

	"entgo.io/ent"
	"entgo.io/ent/dialect/entsql"
	"entgo.io/ent/schema/edge"
	"entgo.io/ent/schema/field"
	"entgo.io/ent/schema/mixin"
)

func now() time.Time { return time.Now().UTC() }

// row is what every table has.
type row struct{ mixin.Schema }

// Fields of every table.
func (row) Fields() []ent.Field { return []ent.Field{field.Int64("id")} }

// settings is what everything has that people set: when, and which version of it
// an update was made against.
type settings struct{ mixin.Schema }

// Fields of everything people set.
func (settings) Fields() []ent.Field {
	return []ent.Field{
		field.Time("created_at").Immutable().Default(now),
		field.Time("updated_at").Default(now).UpdateDefault(now),
		field.Int64("version").Default(1),
	}
}

// owned ties a row to its merchant. Every table below merchants has the column, so that
// one rule can narrow every query to what the viewer may see.
type owned struct{ mixin.Schema }

// Fields of what a merchant owns.
func (owned) Fields() []ent.Field { return []ent.Field{field.Int64("merchant_id").Immutable()} }

// Edges of what a merchant owns.
func (owned) Edges() []ent.Edge {
	return []ent.Edge{
		edge.To("merchant", Merchant.Type).Field("merchant_id").Required().Unique().Immutable().Annotations(cascade),
	}
}

// What belongs to a row goes with it.
var cascade = entsql.OnDelete(entsql.Cascade)

func owner(name string, t any) ent.Edge {
	return edge.To(name, t).Field(name + "_id").Required().Unique().Immutable().Annotations(cascade)
}

// apiName is what the API calls an edge whose own name is another.
type apiName string

// Name of the annotation, by which the template of graph.go finds it.
func (apiName) Name() string { return "APIName" }

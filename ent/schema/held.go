package schema

import (
	"entgo.io/ent"
	"entgo.io/ent/schema/edge"
	"entgo.io/ent/schema/field"
	"entgo.io/ent/schema/index"
)

// HeldReport is a complete report that waits for an operator's word (spec 3.10); at most one per warehouse.
type HeldReport struct{ ent.Schema }

// Mixin of HeldReport.
func (HeldReport) Mixin() []ent.Mixin { return []ent.Mixin{row{}, owned{}} }

// Fields of HeldReport.
func (HeldReport) Fields() []ent.Field {
	return []ent.Field{
		field.Int64("warehouse_id").Immutable(),
		field.Int64("run_id").Optional().Nillable().Immutable().Comment("the run that ended HELD for it; none for levels a warehouse reported itself"),
		field.String("name").Immutable(),
		field.String("stamp").Default("").Immutable().Comment("tells this very report apart from a later one of its name"),
		field.Text("reason").Immutable(),
		field.JSON("rejected", []string{}).Optional().Immutable().Comment("SKUs that are named though their row could not be used"),
		field.Int64("levels").Immutable(),
		field.Bool("released").Default(false).Comment("an operator let it through: the next pull records it"),
		field.Time("created_at").Immutable().Default(now),
	}
}

// Edges of HeldReport.
func (HeldReport) Edges() []ent.Edge {
	return []ent.Edge{
		edge.From("warehouse", Warehouse.Type).Ref("held_report").Field("warehouse_id").Required().Unique().Immutable(),
		edge.To("run", SyncRun.Type).Field("run_id").Unique().Immutable().Annotations(cascade),
	}
}

// HeldLevel is one level of a held report.
type HeldLevel struct{ ent.Schema }

// Mixin of HeldLevel.
func (HeldLevel) Mixin() []ent.Mixin { return []ent.Mixin{row{}, owned{}} }

// Fields of HeldLevel.
func (HeldLevel) Fields() []ent.Field {
	return []ent.Field{
		field.Int64("report_id").Immutable(),
		field.String("sku").Immutable(),
		field.String("facility_code").Default("").Immutable(),
		field.Int64("available").Optional().Nillable().Immutable(),
		field.Int64("on_hand").Optional().Nillable().Immutable(),
		field.Int64("committed").Optional().Nillable().Immutable(),
		field.Time("reported_at").Optional().Nillable().Immutable(),
	}
}

// Edges of HeldLevel.
func (HeldLevel) Edges() []ent.Edge { return []ent.Edge{owner("report", HeldReport.Type)} }

// Indexes of HeldLevel.
func (HeldLevel) Indexes() []ent.Index {
	return []ent.Index{index.Fields("report_id", "sku", "facility_code").Unique()}
}

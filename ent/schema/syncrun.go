package schema

import (
	"entgo.io/ent"
	"entgo.io/ent/dialect/entsql"
	"entgo.io/ent/schema/edge"
	"entgo.io/ent/schema/field"
	"entgo.io/ent/schema/index"

	"stockbridge/ent/schema/enum"
)

// SyncRun is one Smart or Full Sync of a connection.
type SyncRun struct{ ent.Schema }

// Mixin of SyncRun.
func (SyncRun) Mixin() []ent.Mixin { return []ent.Mixin{row{}, owned{}} }

// Fields of SyncRun.
func (SyncRun) Fields() []ent.Field {
	fields := []ent.Field{
		field.Int64("connection_id").Immutable(),
		field.Enum("mode").GoType(enum.SyncMode("")).Immutable(),
		field.Enum("trigger").GoType(enum.SyncTrigger("")).Immutable(),
		field.Enum("status").GoType(enum.SyncStatus("")).Default(string(enum.Queued)),
		field.Enum("step").GoType(enum.SyncStep("")).Default(string(enum.Waiting)),
		field.Time("created_at").Immutable().Default(now),
		field.Time("started_at").Optional().Nillable(),
		field.Time("finished_at").Optional().Nillable(),
		field.Bool("cancel_requested").Default(false),
		field.String("error").Optional().Nillable(),
		field.String("error_code").Optional().Nillable(),
		field.Int64("replica_id").Optional().Nillable().Comment("of the replica that runs it, or ran it last; none where there is but one process"),
	}
	for _, count := range []string{"reported", "changed", "rejected", "planned", "pushed", "unchanged", "failed", "excluded", "problem_count"} {
		fields = append(fields, field.Int64(count).Default(0))
	}
	return fields
}

// Edges of SyncRun.
func (SyncRun) Edges() []ent.Edge {
	return []ent.Edge{owner("connection", Connection.Type)}
}

// Indexes of SyncRun.
func (SyncRun) Indexes() []ent.Index {
	return []ent.Index{
		index.Fields("merchant_id"),
		index.Fields("connection_id"),
		index.Fields("connection_id").Unique().StorageKey("syncrun_one_running").Annotations(entsql.IndexWhere("status = 'RUNNING'")),
		index.Fields("connection_id", "mode").Unique().StorageKey("syncrun_one_queued").Annotations(entsql.IndexWhere("status = 'QUEUED'")),
	}
}

// RunProblem names a row, level or report of a run that did not come through, and why.
type RunProblem struct{ ent.Schema }

// Mixin of RunProblem.
func (RunProblem) Mixin() []ent.Mixin { return []ent.Mixin{row{}, owned{}} }

// Fields of RunProblem.
func (RunProblem) Fields() []ent.Field {
	return []ent.Field{
		field.Int64("run_id").Immutable(),
		field.Enum("kind").GoType(enum.ProblemKind("")).Immutable(),
		field.String("report").Default("").Immutable(),
		field.Int("line").Optional().Nillable().Immutable(),
		field.String("sku").Default("").Immutable(),
		field.String("code").Default("").Immutable(),
		field.Text("message").Immutable(),
	}
}

// Edges of RunProblem.
func (RunProblem) Edges() []ent.Edge { return []ent.Edge{owner("run", SyncRun.Type)} }

// Indexes of RunProblem.
func (RunProblem) Indexes() []ent.Index { return []ent.Index{index.Fields("run_id")} }

// Activity is one fact about one SKU. Ids are in the order of the commits. What it names is kept by number
// alone, for the fact outlives it.
type Activity struct{ ent.Schema }

// Mixin of Activity.
func (Activity) Mixin() []ent.Mixin { return []ent.Mixin{row{}, owned{}} }

// Fields of Activity.
func (Activity) Fields() []ent.Field {
	fields := []ent.Field{
		field.Time("at").Immutable().Default(now),
		field.Enum("kind").GoType(enum.ActivityKind("")).Immutable(),
		field.String("sku").NotEmpty().MaxLen(255).Immutable(),
		field.String("channel_sku").Optional().Nillable().Immutable(),
	}
	for _, ref := range []string{"warehouse_id", "facility_id", "store_id", "location_id", "run_id", "before", "after"} {
		fields = append(fields, field.Int64(ref).Optional().Nillable().Immutable())
	}
	return append(fields, field.String("message").Optional().Nillable().Immutable())
}

// Edges of Activity.
func (Activity) Edges() []ent.Edge {
	return []ent.Edge{
		edge.To("warehouse", Warehouse.Type).Field("warehouse_id").Unique().Immutable(),
		edge.To("facility", Facility.Type).Field("facility_id").Unique().Immutable(),
		edge.To("store", Store.Type).Field("store_id").Unique().Immutable(),
		edge.To("location", StoreLocation.Type).Field("location_id").Unique().Immutable(),
		edge.To("run", SyncRun.Type).Field("run_id").Unique().Immutable(),
	}
}

// Indexes of Activity.
func (Activity) Indexes() []ent.Index {
	return []ent.Index{index.Fields("merchant_id", "sku"), index.Fields("merchant_id", "id")}
}

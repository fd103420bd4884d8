package schema

import (
	"encoding/json"

	"entgo.io/ent"
	"entgo.io/ent/schema/edge"
	"entgo.io/ent/schema/field"
	"entgo.io/ent/schema/index"

	"stockbridge/ent/schema/enum"
)

// Connection is one warehouse feeding one store.
type Connection struct{ ent.Schema }

// Mixin of Connection.
func (Connection) Mixin() []ent.Mixin { return []ent.Mixin{row{}, settings{}, owned{}} }

// Fields of Connection.
func (Connection) Fields() []ent.Field {
	return []ent.Field{
		field.String("name").NotEmpty().MaxLen(255),
		field.Int64("warehouse_id").Immutable(),
		field.Int64("store_id").Immutable(),
		field.Int("priority").Default(0),
		field.String("time_zone").Default("UTC"),
		field.Bool("enabled").Default(false),
		field.Bool("inventory_enabled").Default(false),
		field.Bool("push_on_change").Default(false),
	}
}

// Edges of Connection.
func (Connection) Edges() []ent.Edge {
	return []ent.Edge{
		owner("warehouse", Warehouse.Type),
		owner("store", Store.Type),
		edge.From("location_links", LocationLink.Type).Ref("connection"),
		edge.From("schedules", Schedule.Type).Ref("connection"),
	}
}

// Indexes of Connection.
func (Connection) Indexes() []ent.Index {
	return []ent.Index{
		index.Fields("warehouse_id", "store_id").Unique(),
		index.Fields("merchant_id"),
		index.Fields("store_id"),
	}
}

// LocationLink lets a facility feed a store location.
type LocationLink struct{ ent.Schema }

// Mixin of LocationLink.
func (LocationLink) Mixin() []ent.Mixin { return []ent.Mixin{row{}, owned{}} }

// Fields of LocationLink.
func (LocationLink) Fields() []ent.Field {
	return []ent.Field{
		field.Int64("connection_id").Immutable(),
		field.Int64("facility_id").Immutable(),
		field.Int64("location_id").Immutable(),
	}
}

// Edges of LocationLink.
func (LocationLink) Edges() []ent.Edge {
	return []ent.Edge{
		owner("connection", Connection.Type),
		owner("facility", Facility.Type),
		owner("location", StoreLocation.Type),
	}
}

// Indexes of LocationLink.
func (LocationLink) Indexes() []ent.Index {
	return []ent.Index{index.Fields("connection_id", "facility_id").Unique()}
}

// Schedule says when a connection syncs in one mode.
type Schedule struct{ ent.Schema }

// Mixin of Schedule.
func (Schedule) Mixin() []ent.Mixin { return []ent.Mixin{row{}, settings{}, owned{}} }

// Fields of Schedule.
func (Schedule) Fields() []ent.Field {
	return []ent.Field{
		field.Int64("connection_id").Immutable(),
		field.Enum("mode").GoType(enum.SyncMode("")).Immutable(),
		field.JSON("rules", json.RawMessage{}).Comment("a list of rules as package schedule writes them"),
		field.Time("anchor_at").Default(now).Comment("what MINUTELY counts from: when the schedule was saved"),
		field.Time("next_run_at").Optional().Nillable().Comment("when the run after the last one is due; past due at start means one was missed"),
	}
}

// Edges of Schedule.
func (Schedule) Edges() []ent.Edge { return []ent.Edge{owner("connection", Connection.Type)} }

// Indexes of Schedule.
func (Schedule) Indexes() []ent.Index {
	return []ent.Index{index.Fields("connection_id", "mode").Unique(), index.Fields("next_run_at")}
}

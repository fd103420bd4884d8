package schema

import (
	"encoding/json"

	"entgo.io/ent"
	"entgo.io/ent/schema/edge"
	"entgo.io/ent/schema/field"
	"entgo.io/ent/schema/index"

	"stockbridge/ent/schema/enum"
)

// Warehouse is a fulfilment system that reports stock.
type Warehouse struct{ ent.Schema }

// Mixin of Warehouse.
func (Warehouse) Mixin() []ent.Mixin { return []ent.Mixin{row{}, settings{}, owned{}} }

// Fields of Warehouse.
func (Warehouse) Fields() []ent.Field {
	return append(platform(),
		field.String("name").NotEmpty().MaxLen(255),
		field.Enum("quantity_source").GoType(enum.QuantitySource("")).Default(string(enum.Available)),
		field.Enum("missing_sku_policy").GoType(enum.MissingSKUPolicy("")).Default(string(enum.Keep)),
		field.Int("max_drop_percent").Default(50).Range(0, 100),
	)
}

// Edges of Warehouse.
func (Warehouse) Edges() []ent.Edge {
	return []ent.Edge{
		edge.From("facilities", Facility.Type).Ref("warehouse"),
		edge.From("connections", Connection.Type).Ref("warehouse"),
		edge.From("partition_strategies", PartitionStrategy.Type).Ref("warehouse"),
		edge.To("held_report", HeldReport.Type).Unique().Annotations(cascade),
	}
}

// Indexes of Warehouse.
func (Warehouse) Indexes() []ent.Index {
	return []ent.Index{index.Fields("merchant_id", "name").Unique()}
}

// platform is what warehouses and stores need to be reached: settings in the open, secrets sealed.
func platform() []ent.Field {
	return []ent.Field{
		field.Enum("platform").GoType(enum.Platform("")),
		field.JSON("settings", json.RawMessage{}),
		field.Bytes("secrets").Optional().Sensitive(),
	}
}

// Facility is one location inside a warehouse.
type Facility struct{ ent.Schema }

// Mixin of Facility.
func (Facility) Mixin() []ent.Mixin { return []ent.Mixin{row{}, owned{}} }

// Fields of Facility.
func (Facility) Fields() []ent.Field {
	return []ent.Field{
		field.Int64("warehouse_id").Immutable(),
		field.String("code").NotEmpty().MaxLen(255).Immutable(),
		field.Time("created_at").Immutable().Default(now),
	}
}

// Edges of Facility.
func (Facility) Edges() []ent.Edge { return []ent.Edge{owner("warehouse", Warehouse.Type)} }

// Indexes of Facility.
func (Facility) Indexes() []ent.Index {
	return []ent.Index{index.Fields("warehouse_id", "code").Unique()}
}

// WarehouseLevel is the last report for a warehouse, a facility and a SKU.
type WarehouseLevel struct{ ent.Schema }

// Mixin of WarehouseLevel.
func (WarehouseLevel) Mixin() []ent.Mixin { return []ent.Mixin{row{}, owned{}} }

// Fields of WarehouseLevel.
func (WarehouseLevel) Fields() []ent.Field {
	return []ent.Field{
		field.Int64("warehouse_id").Immutable(),
		field.Int64("facility_id").Optional().Nillable().Immutable(),
		field.String("facility_code").Default("").Immutable().Comment("the facility's code, '' for none, so that one unique index covers both"),
		field.String("sku").NotEmpty().MaxLen(255).Immutable(),
		field.Int64("available").Optional().Nillable(),
		field.Int64("on_hand").Optional().Nillable(),
		field.Int64("committed").Optional().Nillable(),
		field.Time("reported_at").Default(now),
		field.Time("updated_at").Default(now),
	}
}

// Edges of WarehouseLevel.
func (WarehouseLevel) Edges() []ent.Edge {
	return []ent.Edge{
		owner("warehouse", Warehouse.Type),
		edge.To("facility", Facility.Type).Field("facility_id").Unique().Immutable().Annotations(cascade),
	}
}

// Indexes of WarehouseLevel.
func (WarehouseLevel) Indexes() []ent.Index {
	return []ent.Index{
		index.Fields("warehouse_id", "sku", "facility_code").Unique(),
		index.Fields("merchant_id", "sku"),
	}
}

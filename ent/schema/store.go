package schema

import (
	"entgo.io/ent"
	"entgo.io/ent/dialect/entsql"
	"entgo.io/ent/schema/edge"
	"entgo.io/ent/schema/field"
	"entgo.io/ent/schema/index"

	"stockbridge/ent/schema/enum"
)

// Store is a sales channel.
type Store struct{ ent.Schema }

// Mixin of Store.
func (Store) Mixin() []ent.Mixin { return []ent.Mixin{row{}, settings{}, owned{}} }

// Fields of Store.
func (Store) Fields() []ent.Field {
	return append(platform(),
		field.String("name").NotEmpty().MaxLen(255),
		field.Enum("scope").GoType(enum.StoreScope("")).Default(string(enum.AllSKUs)),
		field.Enum("on_exclude").GoType(enum.OnExclude("")).Default(string(enum.LeaveExcluded)),
		field.Bool("pushing").Default(false).Comment("levels may be on their way: set before the first batch leaves, cleared when all outcomes are marked"),
	)
}

// Edges of Store.
func (Store) Edges() []ent.Edge {
	return []ent.Edge{
		edge.From("locations", StoreLocation.Type).Ref("store"),
		edge.From("limits", StoreLimit.Type).Ref("store"),
		edge.From("connections", Connection.Type).Ref("store"),
	}
}

// Indexes of Store.
func (Store) Indexes() []ent.Index { return []ent.Index{index.Fields("merchant_id", "name").Unique()} }

// StoreLocation is one place of a store that shows stock of its own.
type StoreLocation struct{ ent.Schema }

// Mixin of StoreLocation.
func (StoreLocation) Mixin() []ent.Mixin { return []ent.Mixin{row{}, owned{}} }

// Fields of StoreLocation.
func (StoreLocation) Fields() []ent.Field {
	return []ent.Field{
		field.Int64("store_id").Immutable(),
		field.String("code").NotEmpty().MaxLen(255).Immutable(),
		field.String("name").NotEmpty().MaxLen(255),
	}
}

// Edges of StoreLocation.
func (StoreLocation) Edges() []ent.Edge { return []ent.Edge{owner("store", Store.Type)} }

// Indexes of StoreLocation.
func (StoreLocation) Indexes() []ent.Index {
	return []ent.Index{index.Fields("store_id", "code").Unique()}
}

// StoreLimit is one line of a store's ordered list of which SKUs it receives.
type StoreLimit struct{ ent.Schema }

// Mixin of StoreLimit.
func (StoreLimit) Mixin() []ent.Mixin { return []ent.Mixin{row{}, owned{}} }

// Fields of StoreLimit.
func (StoreLimit) Fields() []ent.Field {
	return []ent.Field{
		field.Int64("store_id").Immutable(),
		field.Int("position").NonNegative(),
		field.String("pattern").NotEmpty().MaxLen(255),
		field.Enum("action").GoType(enum.LimitAction("")),
	}
}

// Edges of StoreLimit.
func (StoreLimit) Edges() []ent.Edge { return []ent.Edge{owner("store", Store.Type)} }

// Indexes of StoreLimit.
func (StoreLimit) Indexes() []ent.Index {
	return []ent.Index{index.Fields("store_id", "position").Unique()}
}

// ChannelLevel is what a store should show, and what it last acknowledged.
type ChannelLevel struct{ ent.Schema }

// Mixin of ChannelLevel.
func (ChannelLevel) Mixin() []ent.Mixin { return []ent.Mixin{row{}, owned{}} }

// Fields of ChannelLevel.
func (ChannelLevel) Fields() []ent.Field {
	return []ent.Field{
		field.Int64("store_id").Immutable(),
		field.Int64("location_id").Optional().Nillable().Immutable(),
		field.String("location_code").Default("").Immutable().Comment("the location's code, '' for none, so that one unique index covers both"),
		field.String("channel_sku").NotEmpty().MaxLen(255).Immutable(),
		field.String("sku").NotEmpty().MaxLen(255),
		field.Int64("listing_id").Optional().Nillable(),
		field.Int64("quantity").NonNegative(),
		field.Int64("pushed_quantity").Optional().Nillable(),
		field.Int64("committed").Optional().Nillable(),
		field.Enum("status").GoType(enum.LevelStatus("")),
		field.Bool("due").Default(false).Comment("to be sent at the next push whatever pushed_quantity says: the store may show something else, or is to show 0 once"),
		field.String("last_error").Optional().Nillable(),
		field.Time("last_pushed_at").Optional().Nillable(),
		field.Time("updated_at").Default(now),
	}
}

// Edges of ChannelLevel.
func (ChannelLevel) Edges() []ent.Edge {
	return []ent.Edge{
		owner("store", Store.Type),
		edge.To("location", StoreLocation.Type).Field("location_id").Unique().Immutable().Annotations(cascade),
		edge.To("listing", Listing.Type).Field("listing_id").Unique().Annotations(entsql.OnDelete(entsql.SetNull)),
	}
}

// Indexes of ChannelLevel.
func (ChannelLevel) Indexes() []ent.Index {
	return []ent.Index{
		index.Fields("store_id", "channel_sku", "location_code").Unique(),
		index.Fields("merchant_id", "sku"),
		index.Fields("listing_id"),
	}
}

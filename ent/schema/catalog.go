package schema

import (
	"entgo.io/ent"
	"entgo.io/ent/dialect/entsql"
	"entgo.io/ent/schema/edge"
	"entgo.io/ent/schema/field"
	"entgo.io/ent/schema/index"

	"stockbridge/ent/schema/enum"
)

// Product is a catalog record.
type Product struct{ ent.Schema }

// Mixin of Product.
func (Product) Mixin() []ent.Mixin { return []ent.Mixin{row{}, settings{}, owned{}} }

// Fields of Product.
func (Product) Fields() []ent.Field {
	return []ent.Field{
		field.String("sku").NotEmpty().MaxLen(255),
		field.String("name").Default("").MaxLen(255),
		field.String("upc").Optional().Nillable().MaxLen(64),
		field.String("image_url").Optional().Nillable().MaxLen(2048),
	}
}

// Edges of Product.
func (Product) Edges() []ent.Edge {
	return []ent.Edge{
		edge.From("components", BundleComponent.Type).Ref("bundle"),
		edge.From("bundles", BundleComponent.Type).Ref("component"),
		edge.From("listings", Listing.Type).Ref("product"),
	}
}

// Indexes of Product.
func (Product) Indexes() []ent.Index { return []ent.Index{index.Fields("merchant_id", "sku").Unique()} }

// BundleComponent is one part of a bundle.
type BundleComponent struct{ ent.Schema }

// Mixin of BundleComponent.
func (BundleComponent) Mixin() []ent.Mixin { return []ent.Mixin{row{}, owned{}} }

// Fields of BundleComponent.
func (BundleComponent) Fields() []ent.Field {
	return []ent.Field{
		field.Int64("bundle_id").Immutable(),
		field.Int64("component_id").Immutable(),
		field.Int64("quantity").Positive(),
	}
}

// Edges of BundleComponent.
func (BundleComponent) Edges() []ent.Edge {
	return []ent.Edge{
		owner("bundle", Product.Type),
		edge.To("component", Product.Type).Field("component_id").Required().Unique().Immutable().
			Annotations(entsql.OnDelete(entsql.NoAction), apiName("product")),
	}
}

// Indexes of BundleComponent.
func (BundleComponent) Indexes() []ent.Index {
	return []ent.Index{index.Fields("bundle_id", "component_id").Unique(), index.Fields("component_id")}
}

// Listing ties a product to a store under a channel SKU.
type Listing struct{ ent.Schema }

// Mixin of Listing.
func (Listing) Mixin() []ent.Mixin { return []ent.Mixin{row{}, settings{}, owned{}} }

// Fields of Listing.
func (Listing) Fields() []ent.Field {
	return []ent.Field{
		field.Int64("store_id").Immutable(),
		field.Int64("product_id"),
		field.String("channel_sku").NotEmpty().MaxLen(255),
		field.Bool("inventory_enabled").Default(true),
		field.Int64("max_quantity").Optional().Nillable().NonNegative(),
		field.String("name").Optional().Nillable().MaxLen(255),
		field.String("price").Optional().Nillable().MaxLen(32).Comment("a decimal in the store's currency"),
		field.String("weight").Optional().Nillable().MaxLen(32).Comment("a decimal with its unit"),
		field.String("image_url").Optional().Nillable().MaxLen(2048),
		field.Text("description").Optional().Nillable().MaxLen(65535),
	}
}

// Edges of Listing.
func (Listing) Edges() []ent.Edge {
	return []ent.Edge{
		owner("store", Store.Type),
		edge.To("product", Product.Type).Field("product_id").Required().Unique().Annotations(cascade),
	}
}

// Indexes of Listing.
func (Listing) Indexes() []ent.Index {
	return []ent.Index{
		index.Fields("store_id", "channel_sku").Unique(),
		index.Fields("product_id"),
		index.Fields("merchant_id", "channel_sku"),
	}
}

// PartitionStrategy says how one warehouse's stock is split among its stores.
type PartitionStrategy struct{ ent.Schema }

// Mixin of PartitionStrategy.
func (PartitionStrategy) Mixin() []ent.Mixin { return []ent.Mixin{row{}, settings{}, owned{}} }

// Fields of PartitionStrategy.
func (PartitionStrategy) Fields() []ent.Field {
	return []ent.Field{
		field.Int64("warehouse_id").Immutable(),
		field.String("name").NotEmpty().MaxLen(255),
		field.Enum("buffer_type").GoType(enum.BufferType("")).Default(string(enum.NoBuffer)),
		field.Int64("buffer_basis_points").Default(0).Range(0, 10000).Comment("hundredths of a per cent"),
		field.Int64("buffer_quantity").Default(0).NonNegative(),
		field.Int64("minimum_distributable").Default(0).NonNegative(),
		field.Enum("distribution").GoType(enum.Distribution("")),
		field.Enum("remainder").GoType(enum.Remainder("")).Default(string(enum.Spread)),
		field.Bool("active").Default(false),
	}
}

// Edges of PartitionStrategy.
func (PartitionStrategy) Edges() []ent.Edge {
	return []ent.Edge{
		owner("warehouse", Warehouse.Type),
		edge.From("shares", PartitionShare.Type).Ref("strategy"),
	}
}

// Indexes of PartitionStrategy.
func (PartitionStrategy) Indexes() []ent.Index {
	return []ent.Index{
		index.Fields("warehouse_id", "name").Unique(),
		index.Fields("warehouse_id").Unique().StorageKey("partitionstrategy_one_active").Annotations(entsql.IndexWhere("active")),
	}
}

// PartitionShare is what a strategy says of one store.
type PartitionShare struct{ ent.Schema }

// Mixin of PartitionShare.
func (PartitionShare) Mixin() []ent.Mixin { return []ent.Mixin{row{}, owned{}} }

// Fields of PartitionShare.
func (PartitionShare) Fields() []ent.Field {
	return []ent.Field{
		field.Int64("strategy_id").Immutable(),
		field.Int64("store_id").Immutable(),
		field.Int64("weight").Optional().Nillable().NonNegative(),
		field.Int64("cap").Optional().Nillable().NonNegative(),
		field.Int64("quantity").Optional().Nillable().NonNegative(),
	}
}

// Edges of PartitionShare.
func (PartitionShare) Edges() []ent.Edge {
	return []ent.Edge{owner("strategy", PartitionStrategy.Type), owner("store", Store.Type)}
}

// Indexes of PartitionShare.
func (PartitionShare) Indexes() []ent.Index {
	return []ent.Index{index.Fields("strategy_id", "store_id").Unique()}
}

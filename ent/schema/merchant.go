package schema

import (
	"entgo.io/ent"
	"entgo.io/ent/schema/edge"
	"entgo.io/ent/schema/field"
	"entgo.io/ent/schema/index"

	"stockbridge/ent/schema/enum"
)

// Merchant is the tenant: the brand that owns the inventory.
type Merchant struct{ ent.Schema }

// Mixin of Merchant.
func (Merchant) Mixin() []ent.Mixin { return []ent.Mixin{row{}, settings{}} }

// Fields of Merchant.
func (Merchant) Fields() []ent.Field {
	return []ent.Field{field.String("name").NotEmpty().MaxLen(255).Unique()}
}

// Edges of Merchant.
func (Merchant) Edges() []ent.Edge {
	return []ent.Edge{edge.From("tokens", Token.Type).Ref("merchants")}
}

// Token lets its bearer in. Only a hash of its secret is kept.
type Token struct{ ent.Schema }

// Mixin of Token.
func (Token) Mixin() []ent.Mixin { return []ent.Mixin{row{}} }

// Fields of Token.
func (Token) Fields() []ent.Field {
	return []ent.Field{
		field.String("name").NotEmpty().MaxLen(255),
		field.Enum("role").GoType(enum.Role("")),
		field.Bytes("hash").Unique().Immutable().Sensitive(),
		field.String("hint").Immutable().Comment("the last characters of the secret, to tell tokens apart"),
		field.Time("created_at").Immutable().Default(now),
		field.Time("expires_at").Optional().Nillable(),
		field.Time("revoked_at").Optional().Nillable(),
		field.Time("last_used_at").Optional().Nillable(),
		field.Bytes("documents").Optional().Immutable().Comment("SHA-256 of the GraphQL documents that it may run, 32 bytes each, ascending; NULL is any"),
	}
}

// Edges of Token.
func (Token) Edges() []ent.Edge {
	return []ent.Edge{edge.To("merchants", Merchant.Type)}
}

// PlanMark says durably that channel levels have to be worked out anew: those that a SKU bears on, or, where no SKU is
// named, all that a warehouse feeds. It is set in the transaction that made it necessary and goes with the one that met it.
type PlanMark struct{ ent.Schema }

// Mixin of PlanMark.
func (PlanMark) Mixin() []ent.Mixin { return []ent.Mixin{row{}, owned{}} }

// Fields of PlanMark.
func (PlanMark) Fields() []ent.Field {
	return []ent.Field{
		field.String("sku").Default("").Immutable(),
		field.Int64("warehouse_id").Optional().Nillable().Immutable(),
		field.Int64("replica_id").Optional().Nillable().Comment("of the replica whose recording under way will meet it; none: whoever comes first"),
	}
}

// Indexes of PlanMark.
func (PlanMark) Indexes() []ent.Index { return []ent.Index{index.Fields("merchant_id")} }

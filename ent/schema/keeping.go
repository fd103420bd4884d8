package schema

import (
	"entgo.io/ent"
	"entgo.io/ent/schema/field"
	"entgo.io/ent/schema/index"
)

// IdempotencyKey remembers the answer to a mutation, so that the same request sent again gets the same answer.
type IdempotencyKey struct{ ent.Schema }

// Mixin of IdempotencyKey.
func (IdempotencyKey) Mixin() []ent.Mixin { return []ent.Mixin{row{}} }

// Fields of IdempotencyKey.
func (IdempotencyKey) Fields() []ent.Field {
	return []ent.Field{
		field.Int64("token_id").Immutable(),
		field.String("key").NotEmpty().MaxLen(255).Immutable(),
		field.Bytes("request").Immutable().Comment("a hash of what was asked"),
		field.Bytes("answer").Optional().Comment("none while the request is under way"),
		field.Time("created_at").Immutable().Default(now),
	}
}

// Indexes of IdempotencyKey.
func (IdempotencyKey) Indexes() []ent.Index {
	return []ent.Index{index.Fields("token_id", "key").Unique(), index.Fields("created_at")}
}

// FeedHorizon is how far a merchant's activities are pruned: a cursor at or before it has expired.
type FeedHorizon struct{ ent.Schema }

// Mixin of FeedHorizon.
func (FeedHorizon) Mixin() []ent.Mixin { return []ent.Mixin{row{}, owned{}} }

// Fields of FeedHorizon.
func (FeedHorizon) Fields() []ent.Field {
	return []ent.Field{field.Int64("activity_id")}
}

// Indexes of FeedHorizon.
func (FeedHorizon) Indexes() []ent.Index { return []ent.Index{index.Fields("merchant_id").Unique()} }

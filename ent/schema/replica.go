package schema

import (
	"entgo.io/ent"
	"entgo.io/ent/schema/field"
	"entgo.io/ent/schema/index"
)

// Replica is a process that works on this database now. Its session on PostgreSQL holds an advisory lock for as long as it
// lives; the row goes when another one finds that lock free. SQLite has one process and no rows.
type Replica struct{ ent.Schema }

// Mixin of Replica.
func (Replica) Mixin() []ent.Mixin { return []ent.Mixin{row{}} }

// Fields of Replica.
func (Replica) Fields() []ent.Field {
	return []ent.Field{
		field.String("version").Immutable().Comment("of the program"),
		field.Time("started_at").Immutable().Default(now).Comment("when its session began"),
	}
}

// Lease is a right to work on something alone. The session that holds it has an advisory lock; this row tells its working
// transactions from those of an earlier holder that does not know yet that it lost it.
type Lease struct{ ent.Schema }

// Mixin of Lease.
func (Lease) Mixin() []ent.Mixin { return []ent.Mixin{row{}} }

// Fields of Lease.
func (Lease) Fields() []ent.Field {
	return []ent.Field{
		field.Int("kind").Immutable().Comment("what the key is an id of"),
		field.Int64("key").Immutable(),
		field.Int64("epoch").Comment("one more with every holder"),
		field.Int64("replica_id").Comment("the last holder"),
	}
}

// Indexes of Lease.
func (Lease) Indexes() []ent.Index { return []ent.Index{index.Fields("kind", "key").Unique()} }

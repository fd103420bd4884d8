package schema

import (
	"entgo.io/ent"
	"entgo.io/ent/schema/edge"
	"entgo.io/ent/schema/field"
	"entgo.io/ent/schema/index"

	"stockbridge/ent/schema/enum"
)

// CatalogImport is one import of products, bundle components or listings.
type CatalogImport struct{ ent.Schema }

// Mixin of CatalogImport.
func (CatalogImport) Mixin() []ent.Mixin { return []ent.Mixin{row{}, owned{}} }

// Fields of CatalogImport.
func (CatalogImport) Fields() []ent.Field {
	fields := []ent.Field{
		field.Enum("kind").GoType(enum.ImportKind("")).Immutable(),
		field.Enum("format").GoType(enum.ImportFormat("")).Immutable(),
		field.Enum("on_error").GoType(enum.ImportOnError("")).Immutable(),
		field.Bool("dry_run").Immutable(),
		field.Enum("status").GoType(enum.ImportStatus("")),
		field.String("error").Optional().Nillable(),
		field.String("error_code").Optional().Nillable(),
		field.Time("created_at").Immutable().Default(now),
		field.Time("finished_at").Optional().Nillable(),
		field.Int64("replica_id").Optional().Nillable().Immutable().Comment("of the replica that works on it; none where there is but one process"),
	}
	for _, count := range []string{"rows", "created", "updated", "unchanged", "failed"} {
		fields = append(fields, field.Int64(count).Default(0))
	}
	return fields
}

// Edges of CatalogImport.
func (CatalogImport) Edges() []ent.Edge {
	return []ent.Edge{edge.From("problems", ImportProblem.Type).Ref("catalog_import")}
}

// Indexes of CatalogImport.
func (CatalogImport) Indexes() []ent.Index { return []ent.Index{index.Fields("merchant_id")} }

// ImportProblem names a row of an import that did not come through, and why.
type ImportProblem struct{ ent.Schema }

// Mixin of ImportProblem.
func (ImportProblem) Mixin() []ent.Mixin { return []ent.Mixin{row{}, owned{}} }

// Fields of ImportProblem.
func (ImportProblem) Fields() []ent.Field {
	return []ent.Field{
		field.Int64("catalog_import_id").Immutable(),
		field.Int64("line").Immutable(),
		field.String("sku").Default("").Immutable(),
		field.String("field").Default("").Immutable(),
		field.String("code").Immutable(),
		field.Text("message").Immutable(),
	}
}

// Edges of ImportProblem.
func (ImportProblem) Edges() []ent.Edge {
	return []ent.Edge{owner("catalog_import", CatalogImport.Type)}
}

// Indexes of ImportProblem.
func (ImportProblem) Indexes() []ent.Index { return []ent.Index{index.Fields("catalog_import_id")} }

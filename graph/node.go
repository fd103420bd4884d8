package graph

import (
	"context"

	"entgo.io/ent/dialect/sql"
	"github.com/99designs/gqlgen/graphql"
	"github.com/vektah/gqlparser/v2/ast"

	"stockbridge/ent"
	"stockbridge/graph/model"
	"stockbridge/internal/access"
	"stockbridge/internal/fault"
	"stockbridge/internal/globalid"
)

// Node finds any object. What the viewer may not see is not found; a text that is no id of this API is a fault.
func (q query) Node(ctx context.Context, id string) (model.Node, error) {
	typ, row, err := globalid.Split(id)
	if err != nil {
		return nil, fault.At("id", fault.NotFound, "%s", fault.Message(err))
	}
	switch r := q.Reader; typ {
	case "Activity":
		return node(ctx, r.Activity.Query(), row)
	case "CatalogImport":
		progress := q.Imports.Progress()
		found, err := node(ctx, r.CatalogImport.Query(), row)
		if i, ok := found.(*ent.CatalogImport); ok {
			progress.Show(i)
		}
		return found, err
	case "ChannelLevel":
		return node(ctx, r.ChannelLevel.Query(), row)
	case "Connection":
		return node(ctx, r.Connection.Query(), row)
	case "Facility":
		return node(ctx, r.Facility.Query(), row)
	case "HeldReport":
		return node(ctx, r.HeldReport.Query(), row)
	case "Listing":
		return node(ctx, r.Listing.Query(), row)
	case "Merchant":
		return node(ctx, r.Merchant.Query(), row)
	case "PartitionStrategy":
		return node(ctx, r.PartitionStrategy.Query(), row)
	case "Product":
		return node(ctx, r.Product.Query(), row)
	case "Store":
		return node(ctx, r.Store.Query(), row)
	case "StoreLocation":
		return node(ctx, r.StoreLocation.Query(), row)
	case "SyncRun":
		return node(ctx, r.SyncRun.Query(), row)
	case "Token":
		if v, err := access.From(ctx); err != nil || v.Role != access.Admin {
			return nil, err
		}
		return node(ctx, r.Token.Query(), row)
	case "Warehouse":
		return node(ctx, r.Warehouse.Query(), row)
	case "WarehouseLevel":
		return node(ctx, r.WarehouseLevel.Query(), row)
	}
	return nil, fault.At("id", fault.NotFound, "no object has the id %.80q; ids are opaque, use them exactly as the API gave them", id)
}

func node[T any, P ~func(*sql.Selector), Q interface {
	Where(...P) Q
	Collect(context.Context, ast.SelectionSet) Q
	Only(context.Context) (*T, error)
}](ctx context.Context, q Q, id int64) (model.Node, error) {
	row, err := q.Where(P(sql.FieldEQ("id", id))).Collect(ctx, graphql.GetFieldContext(ctx).Field.Selections).Only(ctx)
	if err != nil {
		return nil, ent.MaskNotFound(err)
	}
	return any(row).(model.Node), nil
}

package model

import (
	"context"

	"stockbridge/ent"
	"stockbridge/internal/database"
)

// Page is one page of a list of rows (Relay: a connection).
type Page[T any] struct {
	Edges    []*Edge[T]
	PageInfo *PageInfo
	// Count counts the rows of all pages.
	Count func(context.Context) (int, error)
}

// Edge is a row on a page.
type Edge[T any] struct {
	Cursor string
	Node   *T
}

// Nodes are the rows alone.
func (p *Page[T]) Nodes() []*T {
	nodes := make([]*T, len(p.Edges))
	for i, e := range p.Edges {
		nodes[i] = e.Node
	}
	return nodes
}

// TotalCount counts the rows of all pages. It costs a statement, made only where the document asks for it.
func (p *Page[T]) TotalCount(ctx context.Context) (int, error) { return p.Count(ctx) }

// Node is what node(id:) finds: any row.
type Node interface {
	Value(column string) (ent.Value, error)
}

// The lists of the API, and what stands on their pages.
type (
	ActivityConnection      = Page[ent.Activity]
	ActivityEdge            = Edge[ent.Activity]
	CatalogImportConnection = Page[ent.CatalogImport]
	CatalogImportEdge       = Edge[ent.CatalogImport]
	ChannelLevelConnection  = Page[ent.ChannelLevel]
	ChannelLevelEdge        = Edge[ent.ChannelLevel]
	ConnectionConnection    = Page[ent.Connection]
	ConnectionEdge          = Edge[ent.Connection]
	LevelChangeConnection   = Page[database.LevelChange]
	LevelChangeEdge         = Edge[database.LevelChange]

	ImportProblemConnection     = Page[ent.ImportProblem]
	ImportProblemEdge           = Edge[ent.ImportProblem]
	ListingConnection           = Page[ent.Listing]
	ListingEdge                 = Edge[ent.Listing]
	MerchantConnection          = Page[ent.Merchant]
	MerchantEdge                = Edge[ent.Merchant]
	PartitionStrategyConnection = Page[ent.PartitionStrategy]
	PartitionStrategyEdge       = Edge[ent.PartitionStrategy]
	ProductConnection           = Page[ent.Product]
	ProductEdge                 = Edge[ent.Product]
	RunProblemConnection        = Page[ent.RunProblem]
	RunProblemEdge              = Edge[ent.RunProblem]
	StoreConnection             = Page[ent.Store]
	StoreEdge                   = Edge[ent.Store]
	SyncRunConnection           = Page[ent.SyncRun]
	SyncRunEdge                 = Edge[ent.SyncRun]
	TokenConnection             = Page[ent.Token]
	TokenEdge                   = Edge[ent.Token]
	WarehouseConnection         = Page[ent.Warehouse]
	WarehouseEdge               = Edge[ent.Warehouse]
	WarehouseLevelConnection    = Page[ent.WarehouseLevel]
	WarehouseLevelEdge          = Edge[ent.WarehouseLevel]
)

// Order is how the caller wants a list ordered.
type Order[F any] struct {
	Field     F
	Direction OrderDirection
}

// The orders of the lists.
type (
	ActivityOrder          = Order[ActivityOrderField]
	CatalogImportOrder     = Order[CatalogImportOrderField]
	ChannelLevelOrder      = Order[ChannelLevelOrderField]
	ConnectionOrder        = Order[ConnectionOrderField]
	ListingOrder           = Order[ListingOrderField]
	MerchantOrder          = Order[MerchantOrderField]
	PartitionStrategyOrder = Order[PartitionStrategyOrderField]
	ProductOrder           = Order[ProductOrderField]
	StoreOrder             = Order[StoreOrderField]
	SyncRunOrder           = Order[SyncRunOrderField]
	TokenOrder             = Order[TokenOrderField]
	WarehouseLevelOrder    = Order[WarehouseLevelOrderField]
	WarehouseOrder         = Order[WarehouseOrderField]
)

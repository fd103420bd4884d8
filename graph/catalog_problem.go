package graph

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"

	"stockbridge/ent"
	"stockbridge/ent/listing"
	"stockbridge/ent/partitionstrategy"
	"stockbridge/ent/product"
	"stockbridge/ent/store"
	"stockbridge/ent/warehouse"
	"stockbridge/graph/model"
	"stockbridge/graph/page"
	"stockbridge/internal/database"
	"stockbridge/internal/fault"
)

// CatalogProblems lists what in a merchant's settings is about to go wrong.
func (q query) CatalogProblems(ctx context.Context, merchantID string, kinds []database.CatalogProblemKind, first *int64, after *string) (*model.CatalogProblemConnection, error) {
	merchant, err := find(ctx, "Merchant", "merchantId", merchantID, q.Reader.Merchant.Get)
	if err != nil {
		return nil, err
	}
	size, _, err := page.Args{First: first}.Size()
	if err != nil {
		return nil, err
	}
	if kinds == nil {
		kinds = database.CatalogProblemKinds()
	}
	var at database.CatalogProblem
	if after != nil {
		var ok bool
		if at, ok = readProblemCursor(*after); !ok {
			return nil, fault.At("after", page.InvalidCursor, "%.40q is no cursor of this list; use one that a page of it gave", *after)
		}
	}
	rows, err := q.DB.CatalogProblems(ctx, merchant.ID, kinds, at, size+1)
	if err != nil {
		return nil, err
	}
	more := len(rows) > size
	rows = rows[:min(size, len(rows))]
	out := &model.CatalogProblemConnection{
		Edges:    make([]*model.CatalogProblemEdge, len(rows)),
		PageInfo: &model.PageInfo{HasNextPage: more, HasPreviousPage: after != nil},
		Count:    func(ctx context.Context) (int, error) { return q.DB.CountCatalogProblems(ctx, merchant.ID, kinds) },
	}
	for i, row := range rows {
		out.Edges[i] = &model.CatalogProblemEdge{Cursor: problemCursor(row), Node: &model.CatalogProblem{Kind: row.Kind}}
	}
	if len(rows) > 0 {
		out.PageInfo.StartCursor, out.PageInfo.EndCursor = &out.Edges[0].Cursor, &out.Edges[len(rows)-1].Cursor
	}
	return out, q.linkProblems(ctx, rows, out.Nodes())
}

// linkProblems reads what problems concern, each type at once, and puts it into words. What went in between is null.
func (q query) linkProblems(ctx context.Context, rows []database.CatalogProblem, nodes []*model.CatalogProblem) error {
	var products, listings, stores, warehouses, strategies []int64
	add := func(to *[]int64, id database.Int) {
		if id.Valid {
			*to = append(*to, id.Int64)
		}
	}
	for _, row := range rows {
		add(&products, row.Product)
		add(&products, row.Bundle)
		add(&listings, row.Listing)
		add(&stores, row.Store)
		add(&warehouses, row.Warehouse)
		add(&strategies, row.Strategy)
	}
	productRows, listingRows := q.Reader.Product.Query(), q.Reader.Listing.Query()
	storeRows, warehouseRows, strategyRows := q.Reader.Store.Query(), q.Reader.Warehouse.Query(), q.Reader.PartitionStrategy.Query()
	collect(ctx, productRows, "CatalogProblem", "product")
	collect(ctx, productRows, "CatalogProblem", "bundle")
	collect(ctx, listingRows, "CatalogProblem", "listing")
	collect(ctx, storeRows, "CatalogProblem", "store")
	collect(ctx, warehouseRows, "CatalogProblem", "warehouse")
	collect(ctx, strategyRows, "CatalogProblem", "partitionStrategy")
	product, err1 := byID(ctx, distinct(products), productRows.Where(product.IDIn(products...)).All, func(p *ent.Product) int64 { return p.ID })
	listing, err2 := byID(ctx, distinct(listings), listingRows.Where(listing.IDIn(listings...)).All, func(l *ent.Listing) int64 { return l.ID })
	store, err3 := byID(ctx, distinct(stores), storeRows.Where(store.IDIn(stores...)).All, func(s *ent.Store) int64 { return s.ID })
	warehouse, err4 := byID(ctx, distinct(warehouses), warehouseRows.Where(warehouse.IDIn(warehouses...)).All, func(w *ent.Warehouse) int64 { return w.ID })
	strategy, err5 := byID(ctx, distinct(strategies), strategyRows.Where(partitionstrategy.IDIn(strategies...)).All, func(s *ent.PartitionStrategy) int64 { return s.ID })
	for _, err := range []error{err1, err2, err3, err4, err5} {
		if err != nil {
			return fmt.Errorf("read what catalog problems concern: %w", err)
		}
	}
	for i, row := range rows {
		n := nodes[i]
		n.Product, n.Bundle, n.Listing = product[row.Product.Int64], product[row.Bundle.Int64], listing[row.Listing.Int64]
		n.Store, n.Warehouse, n.PartitionStrategy = store[row.Store.Int64], warehouse[row.Warehouse.Int64], strategy[row.Strategy.Int64]
		if row.SKU != "" {
			n.SKU = &row.SKU
		}
		if row.OtherSKU != "" {
			n.OtherSKU = &row.OtherSKU
		}
		n.Message = mend(n)
	}
	return nil
}

// byID reads rows, none without asking, and finds them by id.
func byID[T any](ctx context.Context, ids []int64, all func(context.Context) ([]*T, error), id func(*T) int64) (map[int64]*T, error) {
	if len(ids) == 0 {
		return nil, nil
	}
	rows, err := all(ctx)
	if err != nil {
		return nil, err
	}
	found := make(map[int64]*T, len(rows))
	for _, row := range rows {
		found[id(row)] = row
	}
	return found, nil
}

// mend says what is wrong and what to do about it.
func mend(p *model.CatalogProblem) string {
	sku, store := given(p.SKU), given(p.Store).Name
	switch p.Kind {
	case database.ComponentNotReported:
		return fmt.Sprintf("no warehouse reports %q, so the bundle %q shows 0: correct the component's SKU, let a warehouse report it, or take it out of the bundle", sku, given(p.Bundle).Sku)
	case database.ListingNotReported:
		return fmt.Sprintf("%q is listed on %q as %q, and no warehouse reports it: correct the product's SKU to the one that the warehouse uses, or delete the listing",
			sku, store, given(p.Listing).ChannelSku)
	case database.ChannelSKUShadows:
		return fmt.Sprintf("on %q the channel SKU %q is that of the product %q, while a warehouse reports another thing as %q, which is therefore not sent there: choose another channel SKU, or list %q under one of its own",
			store, sku, given(p.Product).Sku, sku, sku)
	case database.SKULooksAlike:
		return fmt.Sprintf("%q and %q differ only in case or spaces, and count as two SKUs: if they are one thing, write it the same way in the catalog and at the warehouse", sku, given(p.OtherSKU))
	case database.ShareWithoutPart:
		return fmt.Sprintf("the strategy %q of %q has a share for %q, which takes no part: enable the connection between them, and its inventory, or take the share out",
			given(p.PartitionStrategy).Name, given(p.Warehouse).Name, store)
	}
	return string(p.Kind)
}

// problemCursor is a problem's place in the list as JSON, [kind, sku, id], in unpadded URL-safe base64.
func problemCursor(p database.CatalogProblem) string {
	raw, err := json.Marshal([]any{p.Kind, p.SKU, p.ID})
	if err != nil {
		panic(err) // texts and a number have a JSON
	}
	return base64.RawURLEncoding.EncodeToString(raw)
}

func readProblemCursor(cursor string) (p database.CatalogProblem, ok bool) {
	raw, err := base64.RawURLEncoding.DecodeString(cursor)
	if err != nil {
		return p, false
	}
	to := []any{&p.Kind, &p.SKU, &p.ID}
	return p, json.Unmarshal(raw, &to) == nil && len(to) == 3 && storable(p.SKU) && problemCursor(p) == cursor
}

package saleor

import (
	"cmp"
	"context"
	"fmt"
	"math"
	"strings"

	"stockbridge/internal/channel"
	"stockbridge/internal/channel/onhand"
	"stockbridge/internal/fault"
)

// shop is a Store as onhand.Platform.
type shop struct{ *Store }

var _ onhand.Platform = shop{}

const (
	pageSize = 100 // the most that Saleor's lists take as first
	maxPages = 100 // of a list, after which the shop is taken to repeat itself
)

// stock is what Saleor keeps of a variant in a warehouse.
type stock struct {
	Warehouse         struct{ ID string }
	Quantity          int64
	QuantityAllocated *int64 // nil when it was not asked for
}

func (s stock) shelf() onhand.Shelf {
	shelf := onhand.Shelf{Location: s.Warehouse.ID, OnHand: s.Quantity}
	if s.QuantityAllocated != nil {
		shelf.Allocated = *s.QuantityAllocated
	}
	return shelf
}

// fields are those of a stock.
func (s shop) fields() string {
	if s.semantics == channel.Available {
		return "{warehouse{id} quantity}"
	}
	return "{warehouse{id} quantity quantityAllocated}"
}

type connection[T any] struct {
	Edges    []struct{ Node T }
	PageInfo *struct {
		HasNextPage bool
		EndCursor   string
	}
}

// pages calls ask for page after page of a list.
func pages[T any](ask func(after *string) (*connection[T], error)) (all []T, err error) {
	var after *string
	for range maxPages {
		page, err := ask(after)
		switch {
		case err != nil:
			return nil, err
		case page == nil || page.PageInfo == nil:
			return nil, &onhand.Failed{Err: fault.New(fault.BadReply, "the shop's reply holds no list")}
		}
		for _, e := range page.Edges {
			all = append(all, e.Node)
		}
		if !page.PageInfo.HasNextPage {
			return all, nil
		}
		after = &page.PageInfo.EndCursor
	}
	return nil, &onhand.Failed{Err: fault.New(fault.BadReply, "a list of the shop does not end after %d pages", maxPages)}
}

// Find implements onhand.Platform. Without a channel, an app sees variants that no channel sells, too.
func (s shop) Find(ctx context.Context, skus []string) ([]onhand.Item, error) {
	type variant struct {
		ID, SKU string
		Stocks  []stock
	}
	found, err := pages(func(after *string) (*connection[variant], error) {
		var got struct{ ProductVariants *connection[variant] }
		err := s.ask(ctx, `query($skus:[String!],$first:Int!,$after:String){productVariants(filter:{sku:$skus},first:$first,after:$after){`+
			`edges{node{id sku stocks`+s.fields()+`}} pageInfo{hasNextPage endCursor}}}`, map[string]any{"skus": skus, "first": pageSize, "after": after}, &got)
		return got.ProductVariants, err
	})
	items := make([]onhand.Item, len(found))
	for i, v := range found {
		items[i] = onhand.Item{ID: v.ID, SKU: v.SKU}
		for _, st := range v.Stocks {
			items[i].Shelves = append(items[i].Shelves, st.shelf())
		}
	}
	return items, err
}

// Locations implements onhand.Platform.
func (s shop) Locations(ctx context.Context) ([]channel.Location, error) {
	type warehouse struct{ ID, Name string }
	found, err := pages(func(after *string) (*connection[warehouse], error) {
		var got struct{ Warehouses *connection[warehouse] }
		err := s.ask(ctx, `query($first:Int!,$after:String){warehouses(first:$first,after:$after){edges{node{id name}} pageInfo{hasNextPage endCursor}}}`,
			map[string]any{"first": pageSize, "after": after}, &got)
		return got.Warehouses, err
	})
	locations := make([]channel.Location, len(found))
	for i, w := range found {
		locations[i] = channel.Location{Code: w.ID, Name: w.Name}
	}
	return locations, err
}

// rowError is what Saleor says of a row.
type rowError struct {
	Code, Message string
	Field         string
}

func (s shop) refusal(e rowError) *onhand.Refusal {
	words := s.peer.Hide(e.Message)
	if e.Field != "" {
		words = s.peer.Hide(e.Field) + ": " + words
	}
	return &onhand.Refusal{Code: cmp.Or(s.peer.Hide(e.Code), "GRAPHQL_ERROR"), Message: words}
}

// answer is what a stock that was written makes of a row.
func (s shop) answer(st *stock) onhand.Answer {
	shelf := st.shelf()
	if st.QuantityAllocated == nil { // not asked for, and so not known to have fallen
		shelf.Allocated = math.MaxInt64
	}
	return onhand.Answer{Shelf: shelf}
}

// Write implements onhand.Platform. stockBulkUpdate writes only stocks that are there; the others are created.
func (s shop) Write(ctx context.Context, rows []onhand.Row) ([]onhand.Answer, error) {
	answers := make([]onhand.Answer, len(rows))
	var there, missing []int
	for i, r := range rows {
		if r.Stocked {
			there = append(there, i)
		} else {
			missing = append(missing, i)
		}
	}
	if len(there) > 0 {
		if err := s.update(ctx, rows, there, answers); err != nil {
			return nil, err
		}
	}
	if len(missing) > 0 {
		if err := s.create(ctx, rows, missing, answers); err != nil {
			return nil, err
		}
	}
	return answers, nil
}

// update writes the rows at which, and fills in their answers. Results come in the order of the stocks sent.
func (s shop) update(ctx context.Context, rows []onhand.Row, which []int, answers []onhand.Answer) error {
	type input struct {
		Variant   string `json:"variantId"`
		Warehouse string `json:"warehouseId"`
		Quantity  int64  `json:"quantity"`
	}
	stocks := make([]input, len(which))
	for n, i := range which {
		stocks[n] = input{rows[i].Item, rows[i].Location, rows[i].OnHand}
	}
	var got struct {
		StockBulkUpdate *struct {
			Results []struct {
				Stock  *stock
				Errors []rowError
			}
			Errors []rowError
		}
	}
	err := s.ask(ctx, `mutation($stocks:[StockBulkUpdateInput!]!){stockBulkUpdate(errorPolicy:IGNORE_FAILED,stocks:$stocks){`+
		`results{stock`+s.fields()+` errors{code field message}} errors{code field message}}}`, map[string]any{"stocks": stocks}, &got)
	switch r := got.StockBulkUpdate; {
	case err != nil:
		return err
	case r == nil:
		return &onhand.Failed{Err: fault.New(fault.BadReply, "the shop's reply holds no stockBulkUpdate")}
	case len(r.Results) != len(stocks) && len(r.Errors) > 0:
		return s.refusal(r.Errors[0])
	case len(r.Results) != len(stocks):
		return &onhand.Failed{Err: fault.New(fault.BadReply, "the shop gives %d results for %d stocks", len(r.Results), len(stocks))}
	}
	for n, i := range which {
		switch result := got.StockBulkUpdate.Results[n]; {
		case len(result.Errors) > 0:
			answers[i].Refusal = s.refusal(result.Errors[0])
		case result.Stock == nil || result.Stock.Warehouse.ID != rows[i].Location:
			return &onhand.Failed{Err: fault.New(fault.BadReply, "the shop gives neither stock nor errors for variant %s", rows[i].Item)}
		default:
			answers[i] = s.answer(result.Stock)
		}
	}
	return nil
}

// create puts variants into warehouses that they are not stocked in, a field of one mutation for each of the rows at which.
func (s shop) create(ctx context.Context, rows []onhand.Row, which []int, answers []onhand.Answer) error {
	type input struct {
		Warehouse string `json:"warehouse"`
		Quantity  int64  `json:"quantity"`
	}
	var args, fields strings.Builder
	variables := map[string]any{}
	for n, i := range which {
		fmt.Fprintf(&args, "$v%d:ID!,$s%d:[StockInput!]!,", n, n)
		fmt.Fprintf(&fields, "r%d:productVariantStocksCreate(variantId:$v%d,stocks:$s%d){productVariant{stocks%s} errors{code field message}} ", n, n, n, s.fields())
		variables[fmt.Sprintf("v%d", n)] = rows[i].Item
		variables[fmt.Sprintf("s%d", n)] = []input{{rows[i].Location, rows[i].OnHand}}
	}
	var got map[string]*struct {
		ProductVariant *struct{ Stocks []stock }
		Errors         []rowError
	}
	if err := s.ask(ctx, "mutation("+args.String()+"){"+fields.String()+"}", variables, &got); err != nil {
		return err
	}
	for n, i := range which {
		made := got[fmt.Sprintf("r%d", n)]
		if made != nil && len(made.Errors) > 0 {
			answers[i].Refusal = s.refusal(made.Errors[0])
			continue
		}
		found := false
		if made != nil && made.ProductVariant != nil {
			for _, st := range made.ProductVariant.Stocks {
				if st.Warehouse.ID == rows[i].Location {
					answers[i], found = s.answer(&st), true
				}
			}
		}
		if !found {
			return &onhand.Failed{Err: fault.New(fault.BadReply, "the shop does not tell what variant %s has in warehouse %s now", rows[i].Item, rows[i].Location)}
		}
	}
	return nil
}

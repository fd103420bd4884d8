package shiphero

import (
	"context"
	"encoding/json"

	"stockbridge/internal/fault"
	"stockbridge/internal/warehouse"
	"stockbridge/internal/warehouse/paged"
)

const pagesQuery = `query Stock($warehouse: String, $first: Int, $after: String) {
  warehouse_products(warehouse_id: $warehouse) {
    request_id
    complexity
    data(first: $first, after: $after) {
      pageInfo { hasNextPage endCursor }
      edges { node { sku warehouse_id on_hand allocated available } }
    }
  }
}`

type page struct {
	Info struct {
		More bool   `json:"hasNextPage"`
		End  string `json:"endCursor"`
	} `json:"pageInfo"`
	Edges paged.List `json:"edges"`
}

// product is what a warehouse has of a SKU: a node of a page, and a part of a snapshot.
type product struct {
	SKU       paged.Text `json:"sku"`
	Warehouse paged.Text `json:"warehouse_id"`
	OnHand    paged.Text `json:"on_hand"`
	Allocated paged.Text `json:"allocated"`
	Available paged.Text `json:"available"`
}

// row is the product as a row of a report.
func (p product) row() warehouse.Row {
	return warehouse.Row{SKU: p.SKU.S, Facility: p.Warehouse.S, Available: p.Available.S, OnHand: p.OnHand.S, Committed: p.Allocated.S}
}

// page asks for the products after a cursor, "" for the first.
func (s *Source) page(ctx context.Context, after string, size int, untried bool) (page, error) {
	variables := map[string]any{"first": size}
	if s.warehouse != "" {
		variables["warehouse"] = s.warehouse
	}
	if after != "" {
		variables["after"] = after
	}
	var got struct {
		Products *struct {
			Complexity float64 `json:"complexity"`
			Page       *page   `json:"data"`
		} `json:"warehouse_products"`
	}
	if err := s.query(ctx, pagesQuery, variables, &got, untried); err != nil {
		return page{}, err
	}
	if got.Products == nil || got.Products.Page == nil || !got.Products.Page.Edges.There {
		return page{}, fault.New(fault.BadReply, "%s: the reply holds no page of warehouse products", name)
	}
	s.budget.spent(got.Products.Complexity)
	return *got.Products.Page, nil
}

// pages pulls page by page, no faster than the credits come in.
func (s *Source) pages(ctx context.Context, rows *paged.Rows) error {
	after, places := "", paged.Cursors{}
	for range maxPages {
		p, err := s.page(ctx, after, pageSize, false)
		if err != nil {
			return err
		}
		for _, raw := range p.Edges.Items {
			if err := addEdge(raw, rows); err != nil {
				return err
			}
		}
		switch {
		case !p.Info.More:
			return nil
		case p.Info.End == "":
			return fault.New(fault.BadReply, "%s tells of more pages, but not where the next one is", name)
		}
		if err := places.Take(name, p.Info.End); err != nil {
			return err
		}
		after = p.Info.End
	}
	return fault.New(fault.BadReply, "%s has more than %d pages: they have no end", name, maxPages)
}

func addEdge(raw json.RawMessage, rows *paged.Rows) error {
	var e struct {
		Node product `json:"node"`
	}
	if err := json.Unmarshal(raw, &e); err != nil {
		return rows.Refuse("", "the warehouse product is not as documented: "+err.Error())
	}
	return add(e.Node, rows)
}

// add passes a product on. One without warehouse would be taken for a facility of its own beside those that have a name.
func add(p product, rows *paged.Rows) error {
	if p.SKU.Odd || p.Warehouse.Odd || p.Warehouse.S == "" {
		return rows.Refuse(p.SKU.S, "the product needs a sku and a warehouse_id, both text")
	}
	return rows.Add(p.row(), nil)
}

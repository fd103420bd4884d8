package tryton

import (
	"context"
	"fmt"
	"strconv"
	"strings"

	"stockbridge/internal/fault"
	"stockbridge/internal/warehouse"
	"stockbridge/internal/warehouse/paged"
)

// place is a location that is a facility.
type place struct {
	id       int
	facility string // its code, or its id where it has none
}

// facilities looks the locations up.
func (s *Source) facilities(ctx context.Context, untried bool) ([]place, error) {
	domain := []any{[]any{"type", "=", "warehouse"}}
	if len(s.locations) > 0 {
		domain = []any{[]any{"id", "in", s.locations}}
	}
	var got []struct {
		ID   int        `json:"id"`
		Code paged.Text `json:"code"`
		Type string     `json:"type"`
	}
	params := []any{domain, 0, nil, []any{[]any{"id", "ASC"}}, []string{"code", "type"}, map[string]any{}}
	if err := call(ctx, s.client, s.address, "model.stock.location.search_read", params, &got, untried); err != nil {
		return nil, err
	}
	var places []place
	taken := map[string]int{}
	for _, l := range got {
		p := place{id: l.ID, facility: strings.TrimSpace(l.Code.S)}
		if p.facility == "" {
			p.facility = strconv.Itoa(l.ID)
		}
		if other, ok := taken[p.facility]; ok {
			return nil, fault.New(fault.BadReply, "%s: locations %d and %d are both known as %s: give them codes that differ", name, other, l.ID, warehouse.Excerpt(p.facility))
		}
		if l.Type != "warehouse" && l.Type != "storage" && l.Type != "view" {
			return nil, fault.New(fault.BadReply, "%s: location %d (%s) is of type %s: what is there is not stock; name warehouses, storage locations or views", name, l.ID, p.facility, l.Type)
		}
		taken[p.facility] = l.ID
		places = append(places, p)
	}
	for _, id := range s.locations {
		if !containsID(places, id) {
			return nil, fault.New(fault.BadReply, "%s has no location %d, or the user may not see it: correct locationIds", name, id)
		}
	}
	if len(places) == 0 {
		return nil, fault.New(fault.BadReply, "%s has no warehouse that the user may see", name)
	}
	return places, nil
}

func containsID(places []place, id int) bool {
	for _, p := range places {
		if p.id == id {
			return true
		}
	}
	return false
}

// product is a page's item, and the second look at its stock.
type product struct {
	ID       int        `json:"id"`
	Code     paged.Text `json:"code"`
	Quantity number     `json:"quantity"`
}

// pull goes through the products of each location, a page at a time. A page begins behind the last id of the one before it: unlike
// an offset, that misses nothing where products come and go meanwhile.
func (s *Source) pull(ctx context.Context, rows *paged.Rows) error {
	places, err := s.facilities(ctx, false)
	if err != nil {
		return err
	}
	for _, p := range places {
		for last, more := 0, true; more; {
			page, err := s.page(ctx, p, last)
			if err != nil {
				return err
			}
			free, err := s.free(ctx, p, page)
			if err != nil {
				return err
			}
			for _, it := range page {
				if it.ID <= last {
					return fault.New(fault.BadReply, "%s lists product %d behind product %d, though asked for those after it: its pages go in a circle", name, it.ID, last)
				}
				last = it.ID
				if err := add(it, p, free[it.ID], rows); err != nil {
					return err
				}
			}
			more = len(page) >= pageSize
		}
	}
	return nil
}

// at is the context in which Tryton computes stock. With stock_assign it takes off what is assigned to leave. A warehouse stands
// for its storage zone alone: what is still in its input zone is not put away, and what is in its output zone is picked.
func at(p place, assigned bool) map[string]any {
	return map[string]any{"locations": []int{p.id}, "with_childs": true, "stock_skip_warehouse": true, "stock_date_end": nil, "stock_assign": assigned}
}

// page asks for goods after an id, with what is on hand of each.
func (s *Source) page(ctx context.Context, p place, after int) ([]product, error) {
	domain := []any{[]any{"type", "in", []string{"goods", "assets"}}, []any{"id", ">", after}}
	params := []any{domain, 0, pageSize, []any{[]any{"id", "ASC"}}, []string{"code", "quantity"}, at(p, false)}
	var got []product
	err := call(ctx, s.client, s.address, "model.product.product.search_read", params, &got, false)
	return got, err
}

// free asks for what is not assigned of each product of a page.
func (s *Source) free(ctx context.Context, p place, page []product) (map[int]number, error) {
	if len(page) == 0 {
		return nil, nil
	}
	ids := make([]int, len(page))
	for i, it := range page {
		ids[i] = it.ID
	}
	var got []product
	if err := call(ctx, s.client, s.address, "model.product.product.read", []any{ids, []string{"quantity"}, at(p, true)}, &got, false); err != nil {
		return nil, err
	}
	free := make(map[int]number, len(got))
	for _, it := range got {
		free[it.ID] = it.Quantity
	}
	for _, id := range ids {
		if _, ok := free[id]; !ok {
			return nil, fault.New(fault.BadReply, "%s tells nothing of product %d, which it listed before: the next pull begins anew", name, id)
		}
	}
	return free, nil
}

// add passes a product on. One without code is told of where it has stock, which nobody can sell until it has one; the others are
// of no interest, as every catalog has templates without code.
func add(it product, p place, free number, rows *paged.Rows) error {
	if !it.Code.Odd && strings.TrimSpace(it.Code.S) == "" {
		if q, _, err := warehouse.ParseQuantity(it.Quantity.s); err == nil && q.Units == 0 {
			return nil
		}
		return rows.Refuse("", fmt.Sprintf("product %d has stock at %s but no code: give it one in Tryton, which is its SKU", it.ID, p.facility))
	}
	return rows.Add(warehouse.Row{SKU: it.Code.S, Facility: p.facility, Available: free.s, OnHand: it.Quantity.s}, func(l *warehouse.Level) {
		if n := l.OnHand.Units - l.Available.Units; l.OnHand.Known && l.Available.Known && n >= warehouse.MinQuantity && n <= warehouse.MaxQuantity {
			l.Committed = warehouse.Units(n)
		}
	})
}

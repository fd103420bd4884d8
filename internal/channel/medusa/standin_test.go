package medusa_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"testing"

	"stockbridge/internal/channel/onhand/onhandtest"
)

const key = "sk_0123456789abcdef"

// standIn is a Medusa v2 as its API reference and source have it. It validates strictly what comes: unknown parameters and
// fields, lists of more than 20 in a query, and negative figures are 400 invalid_data, and fail the test.
type standIn struct {
	t        *testing.T
	shop     *onhandtest.Shop
	mostPage int // what limit is cut to
}

func kind(r *http.Request, _ []byte) onhandtest.Kind {
	switch r.URL.Path {
	case "/admin/inventory-items/location-levels/batch":
		return onhandtest.Write
	case "/admin/inventory-items":
		return onhandtest.LookUp
	}
	return onhandtest.Other
}

type object = map[string]any

func (s *standIn) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	status, reply := s.answer(r)
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	if err := json.NewEncoder(w).Encode(reply); err != nil {
		s.t.Log(err) // the client may have gone
	}
}

func (s *standIn) invalid(format string, args ...any) (int, any) {
	s.t.Errorf(format, args...)
	return 400, object{"type": "invalid_data", "message": fmt.Sprintf(format, args...)}
}

func (s *standIn) answer(r *http.Request) (int, any) {
	user, password, ok := r.BasicAuth()
	if !ok || user != key || password != "" {
		return 401, object{"message": "Unauthorized"}
	}
	switch r.Method + " " + r.URL.Path {
	case "GET /admin/stock-locations":
		var all []object
		for _, id := range s.shop.Locations() {
			all = append(all, object{"id": id, "name": "Shelf"})
		}
		return s.list("stock_locations", all, r.URL.Query(), "id,name")
	case "GET /admin/inventory-items":
		q := r.URL.Query()
		if n := len(q["sku[]"]); n < 1 || n > 20 {
			return s.invalid("Invalid request: Expected type: 'string, array' for field 'sku', got: 'object' (%d)", n)
		}
		var all []object
		for _, it := range s.shop.Find(q["sku[]"]) {
			levels := []any{}
			for location := range it.Shelves {
				levels = append(levels, level(it, location))
			}
			all = append(all, object{"id": it.ID, "sku": it.SKU, "location_levels": levels})
		}
		q.Del("sku[]")
		return s.list("inventory_items", all, q, "id,sku,*location_levels")
	case "POST /admin/inventory-items/location-levels/batch":
		return s.batch(r)
	}
	return s.invalid("%s %s is not to be asked", r.Method, r.URL.Path)
}

func level(it onhandtest.Item, location string) object {
	return object{"id": "iilev_" + it.ID, "inventory_item_id": it.ID, "location_id": location, "stocked_quantity": it.Shelves[location].OnHand, "reserved_quantity": it.Shelves[location].Allocated}
}

// list cuts a list to limit and offset.
func (s *standIn) list(name string, all []object, q url.Values, fields string) (int, any) {
	limit, err1 := strconv.Atoi(q.Get("limit"))
	offset, err2 := strconv.Atoi(q.Get("offset"))
	if err1 != nil || err2 != nil || q.Get("fields") != fields || len(q) != 3 {
		return s.invalid("query %v", q)
	}
	page := all[min(offset, len(all)):min(offset+min(limit, s.mostPage), len(all))]
	return 200, object{name: append([]object{}, page...), "count": len(all), "offset": offset, "limit": limit}
}

// batch sets all or nothing.
func (s *standIn) batch(r *http.Request) (int, any) {
	type row struct {
		Item     string   `json:"inventory_item_id"`
		Location string   `json:"location_id"`
		Stocked  *float64 `json:"stocked_quantity"`
	}
	var in struct{ Create, Update []row }
	body, err := io.ReadAll(r.Body)
	if err != nil || len(body) > 100<<10 {
		return 413, object{"type": "unknown_error", "message": "request entity too large"}
	}
	d := json.NewDecoder(bytes.NewReader(body))
	d.DisallowUnknownFields()
	if err := d.Decode(&in); err != nil || !strings.HasPrefix(r.Header.Get("Content-Type"), "application/json") {
		return s.invalid("%s: %v", body, err)
	}
	for n, l := range append(slices.Clone(in.Create), in.Update...) {
		if l.Item == "" || l.Location == "" || l.Stocked == nil || *l.Stocked < 0 {
			return s.invalid("row %d of %s", n, body)
		}
		there := false
		_, found := s.shop.Change(l.Item, func(it *onhandtest.Item) { _, there = it.Shelves[l.Location] })
		switch {
		case n < len(in.Create) && !found:
			return 404, object{"type": "not_found", "message": fmt.Sprintf("Inventory item with id: %s was not found", l.Item)}
		case n < len(in.Create) && there:
			return 422, object{"type": "duplicate_error", "code": "invalid_request_error", "message": fmt.Sprintf("Inventory level with item_id: %s, location_id: %s, already exists.", l.Item, l.Location)}
		case n >= len(in.Create) && !there:
			return 404, object{"type": "not_found", "message": fmt.Sprintf("Item %s is not stocked at location %s", l.Item, l.Location)}
		}
	}
	set := func(rows []row) []any {
		levels := []any{}
		for _, l := range rows {
			it, _ := s.shop.Set(l.Item, l.Location, int64(*l.Stocked))
			levels = append(levels, level(it, l.Location))
		}
		return levels
	}
	return 200, object{"created": set(in.Create), "updated": set(in.Update), "deleted": nil}
}

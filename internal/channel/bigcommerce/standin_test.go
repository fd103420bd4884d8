package bigcommerce_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"stockbridge/internal/channel/onhand/onhandtest"
)

const (
	token = "token-0123456789"
	hash  = "abc123"
	v3    = "/stores/" + hash + "/v3"
	// variant and product are the ids of item-0; items count up from them.
	variant, product = 1000, 5000
)

// standIn is a BigCommerce store as its API reference has it, on a shop whose locations are "place-<id>". It validates strictly what comes:
// parameters, fields, types and limits that are not documented fail the test, and so do calls that overlap.
type standIn struct {
	t     *testing.T
	shop  *onhandtest.Shop
	page  int    // items of a page at most; 0: 1,000
	style string // how 422 names bad items: "title", "sku", "index" or "" for not at all
	busy  atomic.Int32

	mu       sync.Mutex      // guards all below
	byNumber map[string]bool // SKUs that are tracked by product: adjusting them is 422
	writes   []string        // location and SKUs of adjustments that came, "1 SKU-0 SKU-1"
	lookUps  int
}

func newStandIn(t *testing.T, shop *onhandtest.Shop) *standIn {
	return &standIn{t: t, shop: shop, byNumber: map[string]bool{}}
}

func kind(r *http.Request, _ []byte) onhandtest.Kind {
	switch {
	case strings.HasSuffix(r.URL.Path, "/inventory/adjustments/absolute"):
		return onhandtest.Write
	case strings.HasSuffix(r.URL.Path, "/inventory/items"):
		return onhandtest.LookUp
	}
	return onhandtest.Other
}

type object = map[string]any

func wrong(status int, title string, errors object) (int, any) {
	if errors == nil {
		errors = object{}
	}
	return status, object{"status": status, "title": title, "type": "https://developer.bigcommerce.com/api-docs/getting-started/api-status-codes", "errors": errors}
}

func (s *standIn) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if s.busy.Add(1) > 1 {
		s.t.Error("two calls at a time")
	}
	defer s.busy.Add(-1)
	status, reply := s.answer(r)
	w.Header().Set("Content-Type", "application/json")
	if status > 299 {
		w.Header().Set("Content-Type", "application/problem+json")
	}
	w.WriteHeader(status)
	if err := json.NewEncoder(w).Encode(reply); err != nil {
		s.t.Log(err) // the client may have gone
	}
}

func (s *standIn) answer(r *http.Request) (int, any) {
	if r.Header.Get("X-Auth-Token") != token || r.Header.Get("Accept") != "application/json" {
		return wrong(401, "Unauthorized", nil)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	switch r.Method + " " + r.URL.Path {
	case "GET " + v3 + "/inventory/locations":
		all := []object{}
		for _, id := range s.shop.Locations() {
			n := place(id)
			all = append(all, object{"id": n, "code": fmt.Sprintf("BC-LOCATION-%d", n), "label": "Shelf " + strconv.Itoa(n), "enabled": true, "type_id": "PHYSICAL"})
		}
		return s.list(r, all, 250)
	case "GET " + v3 + "/inventory/items":
		return s.items(r)
	case "PUT " + v3 + "/inventory/adjustments/absolute":
		return s.adjust(r)
	}
	s.t.Errorf("%s %s is not to be asked", r.Method, r.URL.Path)
	return wrong(404, "The requested resource was not found.", nil)
}

// place is the number of "place-1".
func place(id string) int {
	n, err := strconv.Atoi(strings.TrimPrefix(id, "place-"))
	if err != nil {
		panic(err)
	}
	return n
}

func number(id string) int {
	n, err := strconv.Atoi(strings.TrimPrefix(id, "item-"))
	if err != nil {
		panic(err)
	}
	return n
}

func (s *standIn) list(r *http.Request, all []object, most int) (int, any) {
	q := r.URL.Query()
	page, err1 := strconv.Atoi(q.Get("page"))
	limit, err2 := strconv.Atoi(q.Get("limit"))
	if err1 != nil || err2 != nil || page < 1 || limit < 1 || limit > most || len(r.URL.RawQuery) > 8000 {
		s.t.Errorf("query %s", r.URL.RawQuery)
		return wrong(422, "Invalid query parameters", nil)
	}
	if s.page > 0 {
		limit = s.page
	}
	from := min(limit*(page-1), len(all))
	some := all[from:min(from+limit, len(all))]
	return 200, object{"data": append([]object{}, some...), "meta": object{"pagination": object{
		"total": len(all), "count": len(some), "per_page": limit, "current_page": page, "total_pages": (len(all) + limit - 1) / limit,
	}}}
}

func (s *standIn) items(r *http.Request) (int, any) {
	s.lookUps++
	q := r.URL.Query()
	for name := range q {
		if !slices.Contains([]string{"sku:in", "page", "limit"}, name) {
			s.t.Errorf("parameter %s", name)
		}
	}
	all := []object{}
	for _, it := range s.shop.Find(strings.Split(q.Get("sku:in"), ",")) {
		n := number(it.ID)
		locations := []object{}
		for id, shelf := range it.Shelves {
			locations = append(locations, object{
				"location_id": place(id), "location_code": "BC-LOCATION-1", "location_name": "Shelf", "location_enabled": true,
				"available_to_sell": shelf.OnHand - shelf.Allocated, "total_inventory_onhand": shelf.OnHand,
				"settings": object{"safety_stock": shelf.Allocated, "is_in_stock": true, "warning_level": 0, "bin_picking_number": ""},
			})
		}
		all = append(all, object{"identity": object{"sku": it.SKU, "variant_id": variant + n, "product_id": product + n, "sku_id": nil}, "locations": locations})
	}
	return s.list(r, all, 1000)
}

// adjust takes all or nothing.
func (s *standIn) adjust(r *http.Request) (int, any) {
	var in struct {
		Reason *string `json:"reason"`
		Items  []struct {
			Location *int64  `json:"location_id"`
			SKU      *string `json:"sku"`
			Quantity *int64  `json:"quantity"`
		} `json:"items"`
	}
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return wrong(400, "Bad Request", nil)
	}
	d := json.NewDecoder(bytes.NewReader(body))
	d.DisallowUnknownFields()
	if err := d.Decode(&in); err != nil || in.Reason == nil || len(in.Items) < 1 || len(in.Items) > 2000 || r.Header.Get("Content-Type") != "application/json" {
		s.t.Errorf("adjustment %.300s with %d items: %v", body, len(in.Items), err)
		return wrong(422, "Payload contains invalid fields", nil)
	}
	came := fmt.Sprint(*in.Items[0].Location)
	var bad []string
	errors := object{}
	for i, it := range in.Items {
		if it.Location == nil || it.SKU == nil || it.Quantity == nil || *it.Quantity < 0 || *it.Quantity > math.MaxInt32 || *it.Location != *in.Items[0].Location {
			s.t.Errorf("item %d of %.300s", i, body)
			return wrong(422, "Payload contains invalid fields", nil)
		}
		came += " " + *it.SKU
		found := s.shop.Find([]string{*it.SKU})
		switch {
		case len(found) == 1 && !s.byNumber[*it.SKU]:
			continue
		case s.style == "index":
			errors[fmt.Sprintf("items.%d.sku", i)] = "The item cannot be adjusted"
		case s.style == "sku" || len(found) == 0:
			bad = append(bad, "sku "+*it.SKU)
		case s.style == "title":
			bad = append(bad, fmt.Sprintf("variant_id %d", variant+number(found[0].ID)))
		default:
			bad = append(bad, "an unknown identity")
		}
	}
	s.writes = append(s.writes, came)
	if len(errors) > 0 {
		return wrong(422, "Payload contains invalid fields", errors)
	}
	if len(bad) > 0 {
		if s.style == "" {
			return wrong(422, "Some items cannot be adjusted", nil)
		}
		return wrong(422, "[Item with "+strings.Join(bad, ", ")+" is tracked by product, please update stock by product id]", nil)
	}
	for _, it := range in.Items {
		s.shop.Set(s.shop.Find([]string{*it.SKU})[0].ID, fmt.Sprintf("place-%d", *it.Location), *it.Quantity)
	}
	return 200, object{"transaction_id": fmt.Sprintf("tx-%d", len(s.writes))}
}

package woocommerce_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"testing"

	"stockbridge/internal/channel/onhand/onhandtest"
)

const (
	key    = "ck_0123456789abcdef"
	secret = "cs_0123456789abcdef"
	api    = "/wp-json/wc/v3"
	firstN = 100 // the id of item-0
)

// standIn is a WooCommerce shop as its REST API is documented. It validates strictly what comes: a parameter, field or type that is not
// documented or not wanted fails the test.
type standIn struct {
	t    *testing.T
	shop *onhandtest.Shop
	root string // of the site, "/blog"
	most int    // rows of a batch; 0: 100

	mu       sync.Mutex        // guards all below
	parents  map[string]int64  // of variations, by SKU
	types    map[string]string // of products that are not simple, by SKU
	unmanned map[string]bool   // SKUs whose stock is not managed, whatever is said
	lookUps  []string          // what was looked up
	batches  []string          // path and ids of batches, "/products/batch 100 101"
}

func newStandIn(t *testing.T, shop *onhandtest.Shop) *standIn {
	return &standIn{t: t, shop: shop, parents: map[string]int64{}, types: map[string]string{}, unmanned: map[string]bool{}}
}

func kind(r *http.Request, _ []byte) onhandtest.Kind {
	switch {
	case strings.HasSuffix(r.URL.Path, "/batch"):
		return onhandtest.Write
	case strings.HasSuffix(r.URL.Path, "/products"):
		return onhandtest.LookUp
	}
	return onhandtest.Other
}

type object = map[string]any

func wrong(status int, code, message string) (int, any) {
	return status, object{"code": code, "message": message, "data": object{"status": status}}
}

func (s *standIn) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	status, reply := s.answer(r)
	w.Header().Set("Content-Type", "application/json; charset=UTF-8")
	w.WriteHeader(status)
	if err := json.NewEncoder(w).Encode(reply); err != nil {
		s.t.Log(err) // the client may have gone
	}
}

func (s *standIn) answer(r *http.Request) (int, any) {
	if user, password, ok := r.BasicAuth(); !ok || user != key || password != secret {
		return wrong(401, "woocommerce_rest_cannot_view", "Sorry, you cannot list resources.")
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	path, ok := strings.CutPrefix(r.URL.Path, s.root+api)
	parts := strings.Split(strings.Trim(path, "/"), "/")
	switch {
	case !ok:
	case r.Method == http.MethodGet && path == "/products":
		return s.list(r)
	case r.Method == http.MethodPost && path == "/products/batch":
		return s.batch(r, 0)
	case r.Method == http.MethodPost && len(parts) == 4 && parts[0] == "products" && parts[2] == "variations" && parts[3] == "batch":
		parent, err := strconv.ParseInt(parts[1], 10, 64)
		if err != nil {
			break
		}
		return s.batch(r, parent)
	}
	return wrong(404, "rest_no_route", "No route was found matching the URL and request method.")
}

func number(id string) int64 {
	n, err := strconv.ParseInt(strings.TrimPrefix(id, "item-"), 10, 64)
	if err != nil {
		panic(err)
	}
	return n + firstN
}

// list answers a look-up as MySQL does: case does not matter. A comma ends a SKU, but the whole is one, too.
func (s *standIn) list(r *http.Request) (int, any) {
	q := r.URL.Query()
	page, err := strconv.Atoi(q.Get("page"))
	skus := strings.Split(q.Get("sku"), ",")
	if err != nil || page < 1 || len(q) != 6 || q.Get("per_page") != "100" || q.Get("orderby") != "id" || q.Get("order") != "asc" || q.Get("_fields") != "id,sku,type,parent_id" || q.Get("sku") == "" || len(r.URL.RawQuery) > 8000 {
		s.t.Errorf("query %s", r.URL.RawQuery)
		return wrong(400, "rest_invalid_param", "Invalid parameter(s)")
	}
	s.lookUps = append(s.lookUps, q.Get("sku"))
	if len(skus) > 1 {
		skus = append(skus, q.Get("sku"))
	}
	all := []object{}
	for _, it := range s.shop.All() {
		for _, sku := range skus {
			if !strings.EqualFold(sku, it.SKU) {
				continue
			}
			o := object{"id": number(it.ID), "sku": it.SKU, "type": "simple", "parent_id": 0}
			if parent := s.parents[it.SKU]; parent != 0 {
				o["type"], o["parent_id"] = "variation", parent
			}
			if t := s.types[it.SKU]; t != "" {
				o["type"] = t
			}
			all = append(all, o)
			break
		}
	}
	from := min(100*(page-1), len(all))
	return 200, all[from:min(from+100, len(all))]
}

// batch updates products, or the variations of a product. Rows that fail do so within a 200.
func (s *standIn) batch(r *http.Request, parent int64) (int, any) {
	type row struct {
		ID     *int64 `json:"id"`
		Manage *bool  `json:"manage_stock"`
		Stock  *int64 `json:"stock_quantity"`
	}
	var in struct {
		Update []row `json:"update"`
	}
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return wrong(400, "rest_invalid_json", "Invalid JSON body passed.")
	}
	d := json.NewDecoder(bytes.NewReader(body))
	d.DisallowUnknownFields()
	if err := d.Decode(&in); err != nil || in.Update == nil || !strings.HasPrefix(r.Header.Get("Content-Type"), "application/json") {
		s.t.Errorf("batch %s: %v", body, err)
		return wrong(400, "rest_invalid_json", "Invalid JSON body passed.")
	}
	most := 100
	if s.most > 0 {
		most = s.most
	}
	ids := strings.TrimPrefix(r.URL.Path, s.root+api)
	for _, l := range in.Update {
		if l.ID == nil || l.Manage == nil || l.Stock == nil || !*l.Manage {
			s.t.Errorf("batch %s", body)
			return wrong(400, "rest_invalid_param", "Invalid parameter(s)")
		}
		ids += fmt.Sprint(" ", *l.ID)
	}
	s.batches = append(s.batches, ids)
	if len(in.Update) > most {
		return wrong(413, "woocommerce_rest_request_entity_too_large", fmt.Sprintf("Unable to accept more than %d items for this request.", most))
	}
	if len(in.Update) == 0 {
		return 200, []any{}
	}
	rows := []object{}
	for _, l := range in.Update {
		rows = append(rows, s.update(*l.ID, *l.Stock, parent))
	}
	return 200, object{"update": rows}
}

func (s *standIn) update(id, stock, parent int64) object {
	bad := func(status int, code, message string) object {
		return object{"id": id, "error": object{"code": code, "message": message, "data": object{"status": status}}}
	}
	it, ok := s.shop.Change(fmt.Sprintf("item-%d", id-firstN), func(*onhandtest.Item) {})
	switch {
	case !ok:
		return bad(400, "woocommerce_rest_product_invalid_id", "Invalid ID.")
	case parent == 0 && s.parents[it.SKU] != 0:
		return bad(404, "woocommerce_rest_invalid_product_id", "To manipulate product variations you should use the /products/<product_id>/variations/<id> endpoint.")
	case s.parents[it.SKU] != parent:
		return bad(404, "woocommerce_rest_product_variation_invalid_id", "Invalid ID.")
	case s.unmanned[it.SKU]:
		return object{"id": id, "sku": it.SKU, "manage_stock": false, "stock_quantity": nil}
	}
	it, _ = s.shop.Set(it.ID, onhandtest.Place, stock)
	return object{"id": id, "sku": it.SKU, "name": "A thing", "manage_stock": true, "stock_quantity": it.Shelves[onhandtest.Place].OnHand, "backorders": "no"}
}

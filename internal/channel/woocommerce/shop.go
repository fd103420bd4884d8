package woocommerce

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"stockbridge/internal/channel"
	"stockbridge/internal/channel/onhand"
	"stockbridge/internal/fault"
	"stockbridge/internal/outbound"
)

// shop is a Store as onhand.Platform.
type shop struct{ *Store }

var _ onhand.Platform = shop{}

const (
	pageSize = 100 // what WooCommerce has at most on a page
	maxPages = 10  // of one look-up: MySQL does not mind case, so there may be more than one product for each SKU
	// maxQuery is how many bytes of SKUs go into one address. Web servers take 8 kB of a request's first line.
	maxQuery = 4000
)

// noStock is the code of a product that keeps no stock of its own. WooCommerce has none.
const noStock = "PRODUCT_KEEPS_NO_STOCK"

// Locations implements onhand.Platform: there is one stock, which has no name.
func (s shop) Locations(context.Context) ([]channel.Location, error) {
	return []channel.Location{{Name: "one stock for the whole shop: take the location links of the connection away"}}, nil
}

// said is WooCommerce's and WordPress's form of an error.
type said struct{ Code, Message string }

// call makes a request once. Errors are those of onhand.Ask, with WooCommerce's own code and words in a *Refusal. PHP may print warnings before
// the JSON, and WordPress an error page with status 200: those are BAD_REPLY.
func (s shop) call(ctx context.Context, method, path string, body, into any) error {
	r := outbound.Request{Method: method, URL: s.base + path, Header: s.header}
	if body != nil {
		var err error
		if r.Body, err = json.Marshal(body); err != nil {
			return err
		}
	}
	reply, err := onhand.Ask(ctx, s.peer, r)
	var refusal *onhand.Refusal
	switch {
	case errors.As(err, &refusal):
		var why said
		if json.Unmarshal(reply.Body, &why) == nil && why.Code != "" {
			refusal.Code, refusal.Message = s.peer.Hide(why.Code), s.peer.Hide(why.Message)
		}
		return refusal
	case err != nil:
		return err
	}
	if err := json.Unmarshal(reply.Body, into); err != nil {
		return onhand.BadReply(s.peer, reply, err, "the reply is not WooCommerce's JSON")
	}
	return nil
}

// item is what is looked at of a product or variation.
type item struct {
	ID     int64  `json:"id"`
	SKU    string `json:"sku"`
	Type   string `json:"type"`
	Parent int64  `json:"parent_id"`
}

// target is what a row is written to: "12" for a product, "7/12" for the variation 12 of the product 7.
func (it item) target() string {
	if strings.Contains(it.Type, "variation") { // plugins have their own: subscription_variation
		return fmt.Sprintf("%d/%d", it.Parent, it.ID)
	}
	return strconv.FormatInt(it.ID, 10)
}

// refusal is why no stock can be kept of a product; nil if it can.
func (it item) refusal() *onhand.Refusal {
	switch {
	case strings.HasPrefix(it.Type, "variable"):
		return &onhand.Refusal{Code: noStock, Message: fmt.Sprintf("product %d with SKU %q is a variable product, whose variations are what is sold; give each variation a SKU of its own and send that", it.ID, it.SKU)}
	case it.Type == "grouped", it.Type == "external":
		return &onhand.Refusal{Code: noStock, Message: fmt.Sprintf("product %d with SKU %q is a %s product, of which WooCommerce keeps no stock", it.ID, it.SKU, it.Type)}
	}
	return nil
}

// Find implements onhand.Platform. SKUs that lead to one product are remembered.
func (s shop) Find(ctx context.Context, skus []string) (items []onhand.Item, err error) {
	var unknown []string
	now := s.peer.Clock().Time()
	for _, sku := range skus {
		if t, ok := s.targets.Get(sku); ok && now.Before(t.until) {
			items = append(items, onhand.Item{ID: t.id, SKU: sku})
		} else {
			unknown = append(unknown, sku)
		}
	}
	for _, some := range queries(unknown) {
		found, err := s.lookUp(ctx, some)
		if err != nil {
			return nil, err
		}
		matches := map[string]map[string]bool{}
		for _, it := range found {
			if matches[it.SKU] == nil {
				matches[it.SKU] = map[string]bool{}
			}
			matches[it.SKU][it.target()] = true
			items = append(items, onhand.Item{ID: it.target(), SKU: it.SKU, Refusal: it.refusal()})
		}
		for _, it := range found {
			if len(matches[it.SKU]) == 1 && it.refusal() == nil {
				s.targets.Add(it.SKU, target{it.target(), now.Add(cacheLife)})
			}
		}
	}
	return items, nil
}

// queries parts SKUs into look-ups. WooCommerce takes a comma for the end of a SKU, but what it was given as a whole for a SKU,
// too: one with a comma is looked up by itself.
func queries(skus []string) (all []string) {
	var b strings.Builder
	n := 0
	flush := func() {
		if n > 0 {
			all = append(all, b.String())
		}
		b.Reset()
		n = 0
	}
	size := 0
	for _, sku := range skus {
		if strings.Contains(sku, ",") {
			all = append(all, sku)
			continue
		}
		bytes := len(url.QueryEscape(sku)) + len("%2C")
		if n == pageSize || size+bytes > maxQuery {
			flush()
			size = 0
		}
		if n++; n > 1 {
			b.WriteByte(',')
		}
		b.WriteString(sku)
		size += bytes
	}
	flush()
	return all
}

// lookUp lists all products and variations with one of the SKUs, and some more: case and what a comma parts do not matter to WooCommerce.
func (s shop) lookUp(ctx context.Context, skus string) (all []item, err error) {
	for page := 1; page <= maxPages; page++ {
		query := url.Values{"sku": {skus}, "per_page": {strconv.Itoa(pageSize)}, "page": {strconv.Itoa(page)}, "orderby": {"id"}, "order": {"asc"}, "_fields": {"id,sku,type,parent_id"}}
		var found []item
		if err := s.call(ctx, http.MethodGet, "/products?"+query.Encode(), nil, &found); err != nil {
			return nil, err
		}
		if found == nil {
			return nil, &onhand.Failed{Err: fault.New(fault.BadReply, "the reply holds no list of products")}
		}
		all = append(all, found...)
		if len(found) < pageSize {
			return all, nil
		}
	}
	return nil, &onhand.Failed{Err: fault.New(fault.BadReply, "the list of products does not end after %d pages", maxPages)}
}

package bigcommerce

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"stockbridge/internal/channel"
	"stockbridge/internal/channel/onhand"
	"stockbridge/internal/fault"
)

// shop is a Store as onhand.Platform.
type shop struct{ *Store }

var _ onhand.Platform = shop{}

const (
	maxQuery  = 4000 // bytes of SKUs in one address
	maxSKUs   = 100  // of one look-up
	itemsPage = 1000 // what BigCommerce takes of a page of items
	placePage = 250
	reason    = "Stockbridge"
)

// commaSKU is the code of a SKU that cannot be looked up.
const commaSKU = "SKU_WITH_COMMA"

// Locations implements onhand.Platform.
func (s shop) Locations(ctx context.Context) ([]channel.Location, error) {
	type location struct {
		ID    int64  `json:"id"`
		Label string `json:"label"`
		Code  string `json:"code"`
	}
	found, err := pages[location](ctx, s, "/inventory/locations", placePage, url.Values{})
	locations := make([]channel.Location, len(found))
	for i, l := range found {
		locations[i] = channel.Location{Code: strconv.FormatInt(l.ID, 10), Name: cmp.Or(l.Label, l.Code)}
	}
	return locations, err
}

// item is what BigCommerce keeps of a variant.
type item struct {
	Identity struct {
		SKU     string `json:"sku"`
		Variant int64  `json:"variant_id"`
		Product int64  `json:"product_id"`
	} `json:"identity"`
	Locations []struct {
		ID        int64  `json:"location_id"`
		Available *int64 `json:"available_to_sell"`      // null where stock is not tracked
		OnHand    *int64 `json:"total_inventory_onhand"` // likewise
	} `json:"locations"`
}

// Find implements onhand.Platform. An item's id is its variant's and its product's, "12/7", as refusals name them. What BigCommerce
// does not sell of what is on hand (orders, safety stock) is allocated. Levels that go out as they are need no look-up: adjustments are by SKU.
func (s shop) Find(ctx context.Context, skus []string) (items []onhand.Item, err error) {
	if s.cfg.QuantitySemantics == channel.Available {
		for _, sku := range skus {
			items = append(items, onhand.Item{ID: sku, SKU: sku})
		}
		return items, nil
	}
	var plain []string
	for _, sku := range skus {
		if strings.Contains(sku, ",") {
			items = append(items, onhand.Item{ID: sku, SKU: sku, Refusal: &onhand.Refusal{
				Code:    commaSKU,
				Message: fmt.Sprintf("the SKU %q holds a comma, which BigCommerce's look-up takes for its end; change it, or set quantitySemantics to AVAILABLE, which needs no look-up", sku),
			}})
			continue
		}
		plain = append(plain, sku)
	}
	for _, some := range queries(plain) {
		found, err := pages[item](ctx, s, "/inventory/items", itemsPage, url.Values{"sku:in": {some}})
		if err != nil {
			return nil, err
		}
		for _, f := range found {
			it := onhand.Item{ID: fmt.Sprintf("%d/%d", f.Identity.Variant, f.Identity.Product), SKU: f.Identity.SKU}
			for _, l := range f.Locations {
				shelf := onhand.Shelf{Location: strconv.FormatInt(l.ID, 10)}
				if l.OnHand != nil {
					shelf.OnHand = *l.OnHand
					if l.Available != nil {
						shelf.Allocated = max(0, *l.OnHand-*l.Available)
					}
				}
				it.Shelves = append(it.Shelves, shelf)
			}
			items = append(items, it)
		}
	}
	return items, nil
}

// queries parts SKUs into look-ups that fit into an address.
func queries(skus []string) (all []string) {
	from, size := 0, 0
	for i, sku := range skus {
		bytes := len(url.QueryEscape(sku)) + len("%2C")
		if i > from && (i-from == maxSKUs || size+bytes > maxQuery) {
			all = append(all, strings.Join(skus[from:i], ","))
			from, size = i, 0
		}
		size += bytes
	}
	if from < len(skus) {
		all = append(all, strings.Join(skus[from:], ","))
	}
	return all
}

// adjusted is one figure of an adjustment.
type adjusted struct {
	Location int64  `json:"location_id"`
	SKU      string `json:"sku"`
	Quantity int64  `json:"quantity"`
}

// Write implements onhand.Platform: one adjustment for each location, one after the other. Its answer does not tell what is allocated.
func (s shop) Write(ctx context.Context, rows []onhand.Row) ([]onhand.Answer, error) {
	answers := slices.Repeat([]onhand.Answer{{Left: true, Unsent: true}}, len(rows))
	var places []string
	by := map[string][]int{}
	for n, r := range rows {
		if by[r.Location] == nil {
			places = append(places, r.Location)
		}
		by[r.Location] = append(by[r.Location], n)
	}
	var refused error
	for _, place := range places {
		err := s.adjust(ctx, place, by[place], rows, answers)
		var refusal *onhand.Refusal
		switch {
		case errors.As(err, &refusal):
			refused = cmp.Or(refused, err)
		case err != nil:
			return answers, err
		}
	}
	return answers, refused
}

// adjust sends the rows of one location, without those that BigCommerce names as bad, until it takes them or names none.
func (s shop) adjust(ctx context.Context, place string, todo []int, rows []onhand.Row, answers []onhand.Answer) error {
	location, err := strconv.ParseInt(place, 10, 64)
	if err != nil {
		return &onhand.Failed{Err: fault.Wrap(err, fault.BadReply, "the location %q is no number", place)}
	}
	for len(todo) > 0 {
		body := struct {
			Reason string     `json:"reason"`
			Items  []adjusted `json:"items"`
		}{Reason: reason}
		for _, n := range todo {
			answers[n].Unsent = false
			body.Items = append(body.Items, adjusted{location, rows[n].SKU, rows[n].OnHand})
		}
		var reply struct {
			Transaction string `json:"transaction_id"`
		}
		said, err := s.call(ctx, http.MethodPut, "/inventory/adjustments/absolute", body, &reply)
		var refusal *onhand.Refusal
		if errors.As(err, &refusal) {
			why := said.named(rows, todo)
			if len(why) == 0 {
				return err
			}
			for n, words := range why {
				answers[n] = onhand.Answer{Refusal: &onhand.Refusal{Code: refusal.Code, Message: s.peer.Hide(words)}}
			}
			todo = slices.DeleteFunc(slices.Clone(todo), func(n int) bool { _, bad := why[n]; return bad })
			continue
		}
		if err == nil && reply.Transaction == "" {
			err = &onhand.Failed{Err: fault.New(fault.BadReply, "the reply holds no transaction_id")}
		}
		if err != nil {
			return err
		}
		for _, n := range todo {
			answers[n] = onhand.Answer{Shelf: onhand.Shelf{Location: place, OnHand: rows[n].OnHand, Allocated: math.MaxInt64}}
		}
		return nil
	}
	return nil
}

package medusa

import (
	"context"
	"encoding/json"
	"errors"
	"math"
	"net/http"
	"net/url"
	"slices"
	"strconv"

	"stockbridge/internal/channel"
	"stockbridge/internal/channel/onhand"
	"stockbridge/internal/fault"
	"stockbridge/internal/outbound"
)

// shop is a Store as onhand.Platform.
type shop struct{ *Store }

var _ onhand.Platform = shop{}

const (
	// atOnce is how many SKUs are asked for in one request: Express 4.22 makes an object of a query's list longer than 20
	// (github.com/expressjs/express/issues/7147), which Medusa then refuses.
	atOnce   = 20
	pageSize = 100
	maxPages = 100 // of a list, after which the shop is taken to repeat itself
)

// level is what Medusa keeps of an item at a location. Its figures are big numbers, which may have decimals.
type level struct {
	Item     string   `json:"inventory_item_id"`
	Location string   `json:"location_id"`
	Stocked  *float64 `json:"stocked_quantity"`
	Reserved *float64 `json:"reserved_quantity"`
}

// shelf rounds down, so that a decimal never has more sold than there is.
func (l level) shelf() onhand.Shelf {
	shelf := onhand.Shelf{Location: l.Location, OnHand: -1} // never what was written
	if l.Stocked != nil {
		shelf.OnHand = int64(math.Floor(*l.Stocked))
	}
	if l.Reserved != nil {
		shelf.Allocated = int64(math.Floor(*l.Reserved))
	}
	return shelf
}

// call makes a request once. Errors are those of onhand.Ask, with Medusa's own type and words in a *Refusal. A conflict with
// another request may pass, so Medusa asks for the request again (409, "conflict").
func (s shop) call(ctx context.Context, method, path string, body, into any) error {
	r := outbound.Request{Method: method, URL: s.cfg.URL + path, Header: s.header}
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
		var said struct{ Type, Message string }
		if json.Unmarshal(reply.Body, &said) == nil && said.Message != "" {
			refusal.Message = s.peer.Hide(said.Message)
			if said.Type != "" {
				refusal.Code = s.peer.Hide(said.Type)
			}
		}
		if reply.Status == http.StatusConflict {
			return &onhand.Failed{Err: fault.New(fault.Throttled, "%s", refusal.Message), Reply: reply}
		}
		return refusal
	case err != nil:
		return err
	}
	if err := json.Unmarshal(reply.Body, into); err != nil {
		return onhand.BadReply(s.peer, reply, err, "the reply is not Medusa's JSON")
	}
	return nil
}

// pages reads a list to its end. The list's name in the reply is the key.
func pages[T any](ctx context.Context, s shop, path, key string, query url.Values) (all []T, err error) {
	query.Set("limit", strconv.Itoa(pageSize))
	for range maxPages {
		query.Set("offset", strconv.Itoa(len(all)))
		var reply map[string]json.RawMessage
		if err := s.call(ctx, http.MethodGet, path+"?"+query.Encode(), nil, &reply); err != nil {
			return nil, err
		}
		var page []T
		var count int
		if err := errors.Join(json.Unmarshal(reply[key], &page), json.Unmarshal(reply["count"], &count)); err != nil {
			return nil, &onhand.Failed{Err: fault.Wrap(err, fault.BadReply, "the reply of %s holds no list %s", path, key)}
		}
		all = append(all, page...)
		if len(page) == 0 || len(all) >= count {
			return all, nil
		}
	}
	return nil, &onhand.Failed{Err: fault.New(fault.BadReply, "the list %s of the shop does not end after %d pages", key, maxPages)}
}

// Find implements onhand.Platform.
func (s shop) Find(ctx context.Context, skus []string) (items []onhand.Item, err error) {
	type item struct {
		ID, SKU string
		Levels  []level `json:"location_levels"`
	}
	for some := range slices.Chunk(skus, atOnce) {
		found, err := pages[item](ctx, s, "/admin/inventory-items", "inventory_items", url.Values{"sku[]": some, "fields": {"id,sku,*location_levels"}})
		if err != nil {
			return nil, err
		}
		for _, f := range found {
			it := onhand.Item{ID: f.ID, SKU: f.SKU}
			for _, l := range f.Levels {
				it.Shelves = append(it.Shelves, l.shelf())
			}
			items = append(items, it)
		}
	}
	return items, nil
}

// Locations implements onhand.Platform.
func (s shop) Locations(ctx context.Context) ([]channel.Location, error) {
	type location struct{ ID, Name string }
	found, err := pages[location](ctx, s, "/admin/stock-locations", "stock_locations", url.Values{"fields": {"id,name"}})
	locations := make([]channel.Location, len(found))
	for i, l := range found {
		locations[i] = channel.Location{Code: l.ID, Name: l.Name}
	}
	return locations, err
}

// Write implements onhand.Platform. An item that has no level at a location yet gets one. When Medusa refuses it undoes all of a
// request.
func (s shop) Write(ctx context.Context, rows []onhand.Row) ([]onhand.Answer, error) {
	type row struct {
		Item     string `json:"inventory_item_id"`
		Location string `json:"location_id"`
		Stocked  int64  `json:"stocked_quantity"`
	}
	var batch struct {
		Create []row `json:"create,omitempty"`
		Update []row `json:"update,omitempty"`
	}
	for _, r := range rows {
		if r.Stocked {
			batch.Update = append(batch.Update, row{r.Item, r.Location, r.OnHand})
		} else {
			batch.Create = append(batch.Create, row{r.Item, r.Location, r.OnHand})
		}
	}
	var reply struct{ Created, Updated []level }
	if err := s.call(ctx, http.MethodPost, "/admin/inventory-items/location-levels/batch", batch, &reply); err != nil {
		return nil, err
	}
	type place struct{ item, location string }
	told := make(map[place]onhand.Shelf, len(rows))
	for _, l := range append(reply.Created, reply.Updated...) {
		shelf := l.shelf()
		if l.Reserved == nil { // not told, and so not known to have fallen
			shelf.Allocated = math.MaxInt64
		}
		told[place{l.Item, l.Location}] = shelf
	}
	answers := make([]onhand.Answer, len(rows))
	for i, r := range rows {
		shelf, ok := told[place{r.Item, r.Location}]
		if !ok {
			return nil, &onhand.Failed{Err: fault.New(fault.BadReply, "the shop does not tell what inventory item %s has at stock location %s now", r.Item, r.Location)}
		}
		answers[i].Shelf = shelf
	}
	return answers, nil
}

package vendure

import (
	"context"

	"stockbridge/internal/channel"
	"stockbridge/internal/channel/onhand"
	"stockbridge/internal/fault"
)

// shop is a Store as onhand.Platform.
type shop struct{ *Store }

var _ onhand.Platform = shop{}

const maxPages = 100 // of a list, after which the shop is taken to repeat itself

// The lists are asked for without take, which has a page be as long as the shop allows (apiOptions.adminListQueryLimit; asking for
// more is an error, and the setting cannot be read).
const (
	findVariants = `query($skus:[String!]!,$skip:Int!){productVariants(options:{filter:{sku:{in:$skus}},sort:{id:ASC},skip:$skip}){` +
		`totalItems items{id sku stockLevels{stockLocationId stockOnHand stockAllocated}}}}`
	listLocations  = `query($skip:Int!){stockLocations(options:{sort:{id:ASC},skip:$skip}){totalItems items{id name}}}`
	updateVariants = `mutation($input:[UpdateProductVariantInput!]!){updateProductVariants(input:$input){id stockLevels{stockLocationId stockOnHand stockAllocated}}}`
)

type stockLevel struct {
	StockLocationID string
	StockOnHand     int64
	StockAllocated  int64
}

type variant struct {
	ID, SKU     string
	StockLevels []stockLevel
}

func (v variant) item() onhand.Item {
	it := onhand.Item{ID: v.ID, SKU: v.SKU}
	for _, l := range v.StockLevels {
		it.Shelves = append(it.Shelves, onhand.Shelf{Location: l.StockLocationID, OnHand: l.StockOnHand, Allocated: l.StockAllocated})
	}
	return it
}

type list[T any] struct {
	TotalItems int
	Items      []T
}

// pages calls ask for page after page of a list, which it says how much of there is.
func pages[T any](ask func(skip int) (list[T], error)) (all []T, err error) {
	for range maxPages {
		page, err := ask(len(all))
		if err != nil {
			return nil, err
		}
		all = append(all, page.Items...)
		if len(page.Items) == 0 || len(all) >= page.TotalItems {
			return all, nil
		}
	}
	return nil, &onhand.Failed{Err: fault.New(fault.BadReply, "a list of the shop does not end after %d pages", maxPages)}
}

// Find implements onhand.Platform.
func (s shop) Find(ctx context.Context, skus []string) ([]onhand.Item, error) {
	variants, err := pages(func(skip int) (list[variant], error) {
		var got struct{ ProductVariants list[variant] }
		err := s.ask(ctx, findVariants, map[string]any{"skus": skus, "skip": skip}, &got)
		return got.ProductVariants, err
	})
	if err != nil {
		return nil, err
	}
	items := make([]onhand.Item, len(variants))
	for i, v := range variants {
		items[i] = v.item()
	}
	return items, nil
}

// Locations implements onhand.Platform.
func (s shop) Locations(ctx context.Context) ([]channel.Location, error) {
	type location struct{ ID, Name string }
	found, err := pages(func(skip int) (list[location], error) {
		var got struct{ StockLocations list[location] }
		err := s.ask(ctx, listLocations, map[string]any{"skip": skip}, &got)
		return got.StockLocations, err
	})
	locations := make([]channel.Location, len(found))
	for i, l := range found {
		locations[i] = channel.Location{Code: l.ID, Name: l.Name}
	}
	return locations, err
}

// Write implements onhand.Platform. A mutation is one transaction: with an error nothing is set.
func (s shop) Write(ctx context.Context, rows []onhand.Row) ([]onhand.Answer, error) {
	type level struct {
		StockLocationID string `json:"stockLocationId"`
		StockOnHand     int64  `json:"stockOnHand"`
	}
	type change struct {
		ID          string  `json:"id"`
		StockLevels []level `json:"stockLevels"`
	}
	var input []change
	at := make(map[string]int, len(rows)) // in input, by variant
	for _, r := range rows {
		i, ok := at[r.Item]
		if !ok {
			i = len(input)
			at[r.Item] = i
			input = append(input, change{ID: r.Item})
		}
		input[i].StockLevels = append(input[i].StockLevels, level{r.Location, r.OnHand})
	}
	var got struct{ UpdateProductVariants []*variant }
	if err := s.ask(ctx, updateVariants, map[string]any{"input": input}, &got); err != nil {
		return nil, err
	}
	type place struct{ item, location string }
	shelves := make(map[place]onhand.Shelf, len(rows))
	for _, v := range got.UpdateProductVariants {
		if v == nil {
			continue
		}
		for _, shelf := range v.item().Shelves {
			shelves[place{v.ID, shelf.Location}] = shelf
		}
	}
	answers := make([]onhand.Answer, len(rows))
	for i, r := range rows {
		shelf, told := shelves[place{r.Item, r.Location}]
		if !told {
			return nil, &onhand.Failed{Err: fault.New(fault.BadReply, "the shop does not tell what variant %s has at stock location %s now", r.Item, r.Location)}
		}
		answers[i].Shelf = shelf
	}
	return answers, nil
}

package bigcommerce

import (
	"maps"
	"slices"
	"testing"

	"stockbridge/internal/channel/onhand"
)

// BigCommerce's API reference, "Absolute adjustment": what a 422 says is made for people, so only what is sure counts.
func TestRefusalsNameItems(t *testing.T) {
	t.Parallel()
	rows := []onhand.Row{{Item: "106/7", SKU: "A-1"}, {Item: "107/7", SKU: "A-12"}, {Item: "108/9", SKU: "tracked"}, {Item: "109/10", SKU: "Big One"}, {Item: "E", SKU: "E"}}
	for name, c := range map[string]struct {
		said problem
		want []int // of rows
	}{
		"variant":             {problem{Title: "[Item with variant_id 106 is tracked by product, please update stock by product id]"}, []int{0}},
		"product":             {problem{Title: "Items with identity: [product_id 7] requires absolute adjustment before relative"}, []int{0, 1}},
		"several":             {problem{Title: "Items with identity: [variant_id: 107, variant_id: 109]"}, []int{1, 3}},
		"SKU":                 {problem{Title: "Item with sku A-1 not found."}, []int{0}},
		"SKU at the end":      {problem{Title: "There is no item with SKU: A-12."}, []int{1}},
		"SKUs":                {problem{Title: "Unknown", Errors: map[string]any{"identity": "skus [A-12, 'Big One'] were not found"}}, []int{1, 3}},
		"no SKU":              {problem{Title: "A-1 is tracked"}, nil},
		"place":               {problem{Title: "Payload contains invalid fields", Errors: map[string]any{"items.2.quantity": "too large"}}, []int{1}},
		"place in brackets":   {problem{Errors: map[string]any{"items[0].sku": "x"}}, []int{0}},
		"place beyond":        {problem{Errors: map[string]any{"items.9.sku": "x"}}, nil},
		"another's field":     {problem{Errors: map[string]any{"setting.0.settings": "x"}}, nil},
		"nobody":              {problem{Title: "Some items cannot be adjusted"}, nil},
		"an id that is a SKU": {problem{Title: "Item with variant_id E"}, nil},
	} {
		todo := []int{0, 1, 2, 3, 4}
		if name == "place" {
			todo = []int{3, 4, 1}
		}
		if got := slices.Sorted(maps.Keys(c.said.named(rows, todo))); !slices.Equal(got, c.want) {
			t.Errorf("%s: %v, want %v", name, got, c.want)
		}
	}
}

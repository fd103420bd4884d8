// Package catalog brings catalogs in and out as files: products, bundle components and listings, as CSV or JSON Lines, and
// levels out alone. What goes out comes in again unchanged.
package catalog

import (
	"math"
	"strconv"
	"strings"

	"stockbridge/ent/schema/enum"
	"stockbridge/internal/database"
	"stockbridge/internal/fault"
)

// kind is what the files of one import kind hold.
type kind struct {
	columns []string
	needed  int // so many of the first columns must be there
}

func kinds(k enum.ImportKind) (_ kind, ok bool) {
	switch k {
	case enum.ImportProducts:
		return kind{[]string{"sku", "name", "upc", "imageUrl"}, 1}, true
	case enum.ImportComponents:
		return kind{[]string{"bundleSku", "componentSku", "quantity"}, 3}, true
	case enum.ImportListings:
		return kind{[]string{"store", "sku", "channelSku", "inventoryEnabled", "maxQuantity", "name", "price", "weight", "imageUrl", "description"}, 2}, true
	}
	return kind{}, false
}

// text is a field of a row: not said, said to be none (Set without Value), or said.
type text = database.Opt[string]

func said(t text) string {
	if t.Value == nil {
		return ""
	}
	return *t.Value
}

func productRow(line int64, f []text) (r database.ProductRow) {
	r = database.ProductRow{Line: line, SKU: said(f[0]), UPC: f[2], ImageURL: f[3]}
	if f[1].Set {
		r.Name = new(said(f[1]))
	}
	return r
}

func componentRow(line int64, f []text) (r database.ComponentRow, faults fault.List) {
	r = database.ComponentRow{Line: line, BundleSKU: said(f[0]), Component: database.Component{SKU: said(f[1])}}
	quantity := number("quantity", f[2], &faults)
	if quantity.Value != nil {
		r.Quantity = *quantity.Value
	} else if len(faults) == 0 {
		faults = append(faults, fault.At("quantity", fault.Blank, "this is needed: write how many units one bundle holds"))
	}
	return r, faults
}

func listingRow(line int64, f []text, storeOf func(string) (int64, bool)) (r database.ListingRow, faults fault.List) {
	r = database.ListingRow{Line: line, SKU: said(f[1]), ChannelSKU: said(f[2]), InventoryEnabled: flag("inventoryEnabled", f[3], &faults), MaxQuantity: number("maxQuantity", f[4], &faults),
		Name: f[5], Price: f[6], Weight: f[7], ImageURL: f[8], Description: f[9]}
	switch store := strings.TrimSpace(said(f[0])); {
	case store == "":
		faults = append(faults, fault.At("store", fault.Blank, "this is needed: write the store's name, or its id"))
	default:
		var found bool
		if r.StoreID, found = storeOf(store); !found {
			faults = append(faults, fault.At("store", fault.NotFound, "the merchant has no store with the name or id %.80q: create it first", store))
		}
	}
	return r, faults
}

// number reads a whole number.
func number(field string, t text, faults *fault.List) database.Opt[int64] {
	out := database.Opt[int64]{Set: t.Set}
	digits := strings.TrimSpace(said(t))
	if digits == "" {
		return out
	}
	n, err := strconv.ParseInt(digits, 10, 64)
	switch plain := strings.TrimLeft(digits, "+-"); {
	case err == nil:
		out.Value = &n
	case plain != "" && strings.Trim(plain, "0123456789") == "":
		*faults = append(*faults, fault.At(field, fault.OutOfRange, "%.40q is out of range: write %d at most", digits, math.MaxInt32))
	default:
		*faults = append(*faults, fault.At(field, fault.Invalid, "%.40q is no whole number: write plain digits", digits))
	}
	return out
}

// flag reads true or false; nil where neither is said.
func flag(field string, t text, faults *fault.List) *bool {
	switch word := strings.TrimSpace(said(t)); strings.ToLower(word) {
	case "":
		return nil
	case "true":
		return new(true)
	case "false":
		return new(false)
	default:
		*faults = append(*faults, fault.At(field, fault.Invalid, "%.40q is neither true nor false", word))
		return nil
	}
}

package bigcommerce

import (
	"cmp"
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"unicode"

	"stockbridge/internal/channel/onhand"
)

// How refusals name items. By place in the request, as keys of errors: "items.3.sku", "items[3]". By id, in the title: "[Item with
// variant_id 106 is tracked by product, please update stock by product id]", "Items with identity: [product_id 113, sku A]" (BigCommerce's
// API reference, "Absolute adjustment", 422).
var (
	keyIndex = regexp.MustCompile(`^items?(?:\.|\[)(\d+)(?:\]|\.|$)`)
	idNamed  = regexp.MustCompile(`(?i)\b(variant|product)_id[\s:="'\[]*(\d+)`)
	skuNamed = regexp.MustCompile(`(?i)\bskus?\b`)
)

// named is which of the rows at todo, as they were sent, a refusal names, with what it says of each.
func (p problem) named(rows []onhand.Row, todo []int) map[int]string {
	why := map[int]string{}
	texts := []string{p.Title}
	for key, value := range p.Errors {
		text := fmt.Sprintf("%s: %v", key, value)
		if m := keyIndex.FindStringSubmatch(key); m != nil {
			if i, err := strconv.Atoi(m[1]); err == nil && i < len(todo) {
				why[todo[i]] = text
				continue
			}
		}
		texts = append(texts, text)
	}
	for _, text := range texts {
		ids := map[string]bool{}
		for _, m := range idNamed.FindAllStringSubmatch(text, -1) {
			ids[strings.ToLower(m[1])+m[2]] = true
		}
		skus := "" // what follows the word
		if at := skuNamed.FindStringIndex(text); at != nil {
			skus = text[at[1]:]
		}
		for _, n := range todo {
			variant, product, known := strings.Cut(rows[n].Item, "/")
			if known && (ids["variant"+variant] || ids["product"+product]) || names(skus, rows[n].SKU) {
				why[n] = cmp.Or(why[n], text)
			}
		}
	}
	return why
}

// names tells whether a text names a SKU: as a word of its own, or whole between quotes or brackets. A-1 is not named by A-12.
func names(text, sku string) bool {
	for _, word := range strings.FieldsFunc(text, func(c rune) bool { return unicode.IsSpace(c) || strings.ContainsRune(`,;"'[]()`, c) }) {
		if word == sku || strings.TrimRight(word, ".:") == sku {
			return true
		}
	}
	return strings.Contains(text, `"`+sku+`"`) || strings.Contains(text, "'"+sku+"'") || strings.Contains(text, "["+sku+"]")
}

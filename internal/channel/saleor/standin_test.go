package saleor_test

import (
	"encoding/json"
	"io"
	"net/http"
	"os"
	"strings"
	"testing"

	"github.com/vektah/gqlparser/v2"
	"github.com/vektah/gqlparser/v2/ast"
	"github.com/vektah/gqlparser/v2/validator"
	"github.com/vektah/gqlparser/v2/validator/rules"

	"stockbridge/internal/channel/onhand/onhandtest"
)

const token = "app-token-123"

// standIn is a Saleor as its documentation and source have it: it validates every document and its variables (400), and answers
// 200 with PermissionDenied for another token.
type standIn struct {
	t        *testing.T
	shop     *onhandtest.Shop
	schema   *ast.Schema
	pageSize int
}

func newStandIn(t *testing.T, shop *onhandtest.Shop) *standIn {
	t.Helper()
	text, err := os.ReadFile("testdata/used.graphqls")
	if err != nil {
		t.Fatal(err)
	}
	return &standIn{t, shop, gqlparser.MustLoadSchema(&ast.Source{Name: "saleor", Input: string(text)}), 100}
}

func kind(_ *http.Request, body []byte) onhandtest.Kind {
	switch text := string(body); {
	case strings.Contains(text, "stockBulkUpdate"), strings.Contains(text, "productVariantStocksCreate"):
		return onhandtest.Write
	case strings.Contains(text, "productVariants"):
		return onhandtest.LookUp
	}
	return onhandtest.Other
}

func (s *standIn) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return
	}
	status, reply := s.answer(r, body)
	w.WriteHeader(status)
	if err := json.NewEncoder(w).Encode(reply); err != nil {
		s.t.Log(err) // the client may have gone
	}
}

type object = map[string]any

func exception(code, message string) object {
	return object{"errors": []any{object{"message": message, "extensions": object{"exception": object{"code": code}}}}}
}

func (s *standIn) answer(r *http.Request, body []byte) (int, any) {
	var req struct {
		Query     string
		Variables object
	}
	if err := json.Unmarshal(body, &req); err != nil || r.Header.Get("Content-Type") != "application/json" {
		s.t.Errorf("%s: %v", body, err)
		return 400, exception("GraphQLError", "Unable to parse query.")
	}
	doc, errs := gqlparser.LoadQueryWithRules(s.schema, req.Query, rules.NewDefaultRules())
	if errs != nil {
		s.t.Errorf("%s: %v", req.Query, errs)
		return 400, exception("GraphQLError", errs.Error())
	}
	op := doc.Operations[0]
	variables, err := validator.VariableValues(s.schema, op, req.Variables)
	if err != nil {
		s.t.Errorf("%s: %v", body, err)
		return 400, exception("GraphQLError", err.Error())
	}
	if r.Header.Get("Authorization") != "Bearer "+token {
		return 200, exception("PermissionDenied", "To access this path, you need one of the following permissions: MANAGE_PRODUCTS")
	}
	data := object{}
	for _, selection := range op.SelectionSet {
		field := selection.(*ast.Field)
		data[field.Alias] = s.resolve(field.Name, field.ArgumentMap(variables))
	}
	return 200, object{"data": data}
}

func stocks(it onhandtest.Item) []any {
	all := []any{}
	for location := range it.Shelves {
		all = append(all, stock(it, location))
	}
	return all
}

func stock(it onhandtest.Item, location string) object {
	return object{"warehouse": object{"id": location}, "quantity": it.Shelves[location].OnHand, "quantityAllocated": it.Shelves[location].Allocated}
}

// page cuts a list as a connection does; cursors are the node's id.
func (s *standIn) page(nodes []object, after any) object {
	from := 0
	for i, n := range nodes {
		if n["id"] == after {
			from = i + 1
		}
	}
	to := min(from+s.pageSize, len(nodes))
	edges, end := []any{}, any(nil)
	for _, n := range nodes[from:to] {
		edges = append(edges, object{"node": n})
		end = n["id"]
	}
	return object{"edges": edges, "pageInfo": object{"hasNextPage": to < len(nodes), "endCursor": end}}
}

func number(v any) int64 {
	switch n := v.(type) {
	case json.Number:
		i, _ := n.Int64()
		return i
	case float64:
		return int64(n)
	case int64:
		return n
	}
	return -1
}

func (s *standIn) resolve(field string, args object) any {
	switch field {
	case "warehouses":
		var nodes []object
		for _, id := range s.shop.Locations() {
			nodes = append(nodes, object{"id": id, "name": "Shelf"})
		}
		return s.page(nodes, args["after"])
	case "productVariants":
		var skus []string
		for _, sku := range args["filter"].(object)["sku"].([]any) {
			skus = append(skus, sku.(string))
		}
		var nodes []object
		for _, it := range s.shop.Find(skus) {
			nodes = append(nodes, object{"id": it.ID, "sku": it.SKU, "stocks": stocks(it)})
		}
		return s.page(nodes, args["after"])
	case "stockBulkUpdate":
		if args["errorPolicy"] != "IGNORE_FAILED" {
			s.t.Errorf("error policy %v", args["errorPolicy"])
		}
		results, count := []any{}, 0
		for _, in := range args["stocks"].([]any) {
			row := in.(object)
			location, refused := row["warehouseId"].(string), object{"code": "NOT_FOUND", "field": nil, "message": "Stock was not found."}
			quantity := number(row["quantity"])
			it, ok := s.shop.Change(row["variantId"].(string), func(it *onhandtest.Item) {
				shelf, there := it.Shelves[location]
				if !there {
					return
				}
				if refused = nil; quantity < 0 {
					refused = object{"code": "INVALID", "field": "quantity", "message": "Quantity should not be less than 0."}
					return
				}
				shelf.OnHand = quantity
				it.Shelves[location] = shelf
			})
			if !ok || refused != nil {
				results = append(results, object{"stock": nil, "errors": []any{refused}})
				continue
			}
			count++
			results = append(results, object{"stock": stock(it, location), "errors": nil})
		}
		return object{"count": count, "results": results, "errors": []any{}}
	case "productVariantStocksCreate":
		in := args["stocks"].([]any)[0].(object)
		location, exists := in["warehouse"].(string), false
		it, ok := s.shop.Change(args["variantId"].(string), func(it *onhandtest.Item) {
			if _, exists = it.Shelves[location]; !exists {
				it.Shelves[location] = onhandtest.Shelf{OnHand: number(in["quantity"])}
			}
		})
		if !ok || exists {
			return object{"productVariant": nil, "errors": []any{object{"code": "UNIQUE", "field": "warehouse", "message": "Stock for this warehouse already exists for this product variant."}}}
		}
		return object{"productVariant": object{"stocks": stocks(it)}, "errors": []any{}}
	}
	s.t.Errorf("no answer for %s", field)
	return nil
}

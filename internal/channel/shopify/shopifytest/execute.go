package shopifytest

import (
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"

	"github.com/vektah/gqlparser/v2/ast"
)

const mostRows = 250

// execute is the data of a request, by field. mu is held.
func (s *Shop) execute(a asked) (map[string]any, *problem) {
	data := map[string]any{}
	for _, f := range fields(a.operation.SelectionSet) {
		arg := func(name string) any { return argument(f.Arguments, name, a.variables) }
		var v map[string]any
		var fault *problem
		switch f.Name {
		case "shop":
			v = map[string]any{"name": "Teapots", "myshopifyDomain": "teapots.myshopify.com"}
		case "currentAppInstallation":
			scopes := []any{}
			for _, h := range s.cfg.Scopes {
				scopes = append(scopes, map[string]any{"handle": h})
			}
			v = map[string]any{"accessScopes": scopes}
		case "locations":
			v, fault = s.locations(arg)
		case "inventoryItems":
			v, fault = s.inventoryItems(f, arg, a)
		case "inventorySetQuantities":
			v, fault = s.once(f, a, func() (map[string]any, *problem) { return s.setQuantities(arg("input"), a) })
		case "inventoryActivate":
			v, fault = s.once(f, a, func() (map[string]any, *problem) {
				return s.activate(number(itemPrefix, arg("inventoryItemId")), number(placePrefix, arg("locationId"))), nil
			})
		default:
			fault = problemf("undefinedField", "the stand-in has no field %s", f.Name)
		}
		if fault != nil {
			return nil, fault
		}
		data[f.Name] = v
	}
	return data, nil
}

// page cuts first of a list after a cursor.
func page[T any](list []T, arg func(string) any, node func(T) map[string]any) (map[string]any, *problem) {
	first := int(whole(arg("first")))
	if first < 1 || first > mostRows {
		return nil, problemf("BAD_REQUEST", "first is %d, which is not 1 to %d", first, mostRows)
	}
	from := 0
	if after, ok := arg("after").(string); ok {
		n, err := strconv.Atoi(strings.TrimPrefix(after, "c"))
		if err != nil {
			return nil, problemf("BAD_REQUEST", "invalid cursor")
		}
		from = min(n, len(list))
	}
	to := min(from+first, len(list))
	nodes := []any{}
	for _, v := range list[from:to] {
		nodes = append(nodes, node(v))
	}
	return map[string]any{"nodes": nodes, "pageInfo": map[string]any{"hasNextPage": to < len(list), "endCursor": fmt.Sprint("c", to)}}, nil
}

func (s *Shop) locations(arg func(string) any) (map[string]any, *problem) {
	var active []place // as is the default
	for _, p := range s.places {
		if p.active {
			active = append(active, p)
		}
	}
	return page(active, arg, func(p place) map[string]any {
		return map[string]any{"id": gid(placePrefix, p.id), "name": p.name, "isActive": p.active}
	})
}

func (s *Shop) inventoryItems(f *ast.Field, arg func(string) any, a asked) (map[string]any, *problem) {
	query, _ := arg("query").(string)
	terms, fault := searched(query)
	if fault != nil {
		return nil, fault
	}
	at := int64(0)
	for _, nodes := range fields(f.SelectionSet) {
		for _, inner := range fields(nodes.SelectionSet) {
			if inner.Name == "inventoryLevel" {
				at = number(placePrefix, argument(inner.Arguments, "locationId", a.variables))
			}
		}
	}
	return page(s.find(terms), arg, func(id int64) map[string]any {
		i := s.items[id]
		node := map[string]any{"id": gid(itemPrefix, id), "sku": i.sku, "inventoryLevel": nil}
		if l := i.levels[at]; l != nil && l.active { // inactive ones are left out by default
			node["inventoryLevel"] = map[string]any{"id": fmt.Sprintf("gid://shopify/InventoryLevel/%d?inventory_item_id=%d", at, id)}
		}
		return node
	})
}

// once executes a mutation, or answers what the first attempt under its key was answered.
func (s *Shop) once(f *ast.Field, a asked, work func() (map[string]any, *problem)) (map[string]any, *problem) {
	if a.version >= "2026-04" && f.Directives.ForName("idempotent") == nil {
		return nil, problemf("BAD_REQUEST", "The @idempotent directive is required for %s.", f.Name)
	}
	if strings.TrimSpace(a.call.Key) == "" {
		return nil, problemf("BAD_REQUEST", "The idempotency key is blank.")
	}
	rest := map[string]any{}
	for name, v := range a.variables {
		if v != a.call.Key {
			rest[name] = v
		}
	}
	variables, err := json.Marshal(rest)
	if err != nil {
		return nil, problemf("INTERNAL_SERVER_ERROR", "%v", err)
	}
	sum := sha256.Sum256(append(variables, f.Name...))
	if old := s.done[a.call.Key]; old != nil {
		if old.sum != sum {
			return payload(f.Name, userError("IDEMPOTENCY_KEY_PARAMETER_MISMATCH", "The same idempotency key cannot be used with different operation parameters.")), nil
		}
		return old.data, nil
	}
	if s.refuse != nil && f.Name == "inventorySetQuantities" {
		if errs := s.refuse(a.call); len(errs) > 0 {
			var list []any
			for _, e := range errs {
				list = append(list, userError(e.Code, e.Message))
			}
			return payload(f.Name, list...), nil
		}
	}
	data, fault := work()
	if fault == nil {
		s.done[a.call.Key] = &attempt{sum, data}
	}
	return data, fault
}

func payload(mutation string, errs ...any) map[string]any {
	if errs == nil {
		errs = []any{}
	}
	if mutation == "inventoryActivate" {
		return map[string]any{"inventoryLevel": nil, "userErrors": errs}
	}
	return map[string]any{"inventoryAdjustmentGroup": nil, "userErrors": errs}
}

func userError(code, message string, path ...any) any {
	var f any
	if len(path) > 0 {
		f = path
	}
	return map[string]any{"code": code, "message": message, "field": f}
}

func (s *Shop) activate(item, location int64) map[string]any {
	i := s.items[item]
	switch {
	case i == nil:
		return payload("inventoryActivate", userError("", "The inventory item could not be found.", "inventoryItemId"))
	case !s.active(location):
		return payload("inventoryActivate", userError("", "The location could not be found.", "locationId"))
	case i.levels[location] == nil:
		i.levels[location] = &level{}
	}
	i.levels[location].active = true
	v := payload("inventoryActivate")
	v["inventoryLevel"] = map[string]any{"id": "gid://shopify/InventoryLevel/1"}
	return v
}

func (s *Shop) active(location int64) bool {
	for _, p := range s.places {
		if p.id == location && p.active {
			return true
		}
	}
	return false
}

// setQuantities checks all rows, and sets them if none is wrong, or those that are right.
func (s *Shop) setQuantities(v any, a asked) (map[string]any, *problem) {
	input, _ := v.(map[string]any)
	list, _ := input["quantities"].([]any)
	if len(list) > mostRows {
		return nil, problemf("MAX_INPUT_SIZE_EXCEEDED", "The input array size of %d is greater than the maximum allowed of %d.", len(list), mostRows)
	}
	if name := input["name"]; name != "available" && name != "on_hand" {
		return payload("inventorySetQuantities", userError("INVALID_NAME", "The quantity name must be either 'available' or 'on_hand'.", "input", "name")), nil
	}
	if input["reason"] != "correction" {
		return payload("inventorySetQuantities", userError("INVALID_REASON", "The specified reason is invalid.", "input", "reason")), nil
	}
	var errs []any
	var right []Quantity
	seen := map[Quantity]bool{}
	for n, v := range list {
		row, _ := v.(map[string]any)
		if _, there := row["changeFromQuantity"]; !there && a.version >= "2026-04" {
			return nil, problemf("INVALID_CHANGE_FROM_QUANTITY", "changeFromQuantity must be given for quantities.%d, if only as null.", n)
		}
		q := a.call.Rows[n]
		code, part, message := s.wrong(q, a.version)
		if pair := (Quantity{Item: q.Item, Location: q.Location}); seen[pair] {
			code, part, message = "NO_DUPLICATE_INVENTORY_ITEM_ID_GROUP_ID_PAIR", "inventoryItemId", "The combination of inventoryItemId and locationId must be unique."
		} else {
			seen[pair] = true
		}
		if code != "" {
			errs = append(errs, userError(code, message, "input", "quantities", strconv.Itoa(n), part))
		} else {
			right = append(right, q)
		}
	}
	out := payload("inventorySetQuantities", errs...)
	if len(errs) > 0 && !s.cfg.Partial {
		return out, nil
	}
	for _, q := range right {
		levels, at := s.items[number(itemPrefix, q.Item)].levels, number(placePrefix, q.Location)
		if levels[at] == nil {
			levels[at] = &level{} // takes quantities from API 2026-10 on, but is not stocked by that
		}
		levels[at].quantity = q.Quantity
		s.sets++
	}
	if len(errs) == 0 {
		out["inventoryAdjustmentGroup"] = map[string]any{"id": "gid://shopify/InventoryAdjustmentGroup/1"}
	}
	return out, nil
}

// wrong is what Shopify says of a row; code "" for one that is right.
func (s *Shop) wrong(q Quantity, version string) (code, part, message string) {
	i, at := s.items[number(itemPrefix, q.Item)], number(placePrefix, q.Location)
	if s.cfg.Strange != nil {
		if e := s.cfg.Strange(q); e != nil {
			return e.Code, "quantity", e.Message
		}
	}
	switch {
	case i == nil:
		return "INVALID_INVENTORY_ITEM", "inventoryItemId", "The specified inventory item could not be found."
	case !s.active(at):
		return "INVALID_LOCATION", "locationId", "The specified location could not be found."
	case q.Quantity < 0:
		return "INVALID_QUANTITY_NEGATIVE", "quantity", "The quantity can't be negative."
	case q.Quantity > 1_000_000_000:
		return "INVALID_QUANTITY_TOO_HIGH", "quantity", "The total quantity can't be higher than 1,000,000,000."
	case !i.mutable:
		return "NON_MUTABLE_INVENTORY_ITEM", "inventoryItemId", "The specified inventory item is not allowed to be adjusted via API."
	case version < "2026-10" && (i.levels[at] == nil || !i.levels[at].active): // the code went with 2026-10
		return "ITEM_NOT_STOCKED_AT_LOCATION", "locationId", "The specified inventory item is not stocked at the location."
	}
	return "", "", ""
}

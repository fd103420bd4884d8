package woocommerce

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"stockbridge/internal/channel/onhand"
	"stockbridge/internal/fault"
)

// mostSilent are the requests of one batch without a usable answer after which the rest of it is not tried: a variation whose
// update makes PHP fail is one thing, a shop that is down another.
const mostSilent = 3

// row is what is sent of a level.
type row struct {
	ID     int64 `json:"id"`
	Manage bool  `json:"manage_stock"`
	Stock  int64 `json:"stock_quantity"`
}

// answered is what WooCommerce says of a row: the product as it is after, or an error.
type answered struct {
	ID     int64    `json:"id"`
	SKU    *string  `json:"sku"`
	Manage any      `json:"manage_stock"` // a boolean, or "parent"
	Stock  *float64 `json:"stock_quantity"`
	Error  *said    `json:"error"`
}

// group is what one request is made of.
type group struct {
	path string
	rows []int // of those to write
	ids  []int64
}

// groups parts rows into requests: products together, and variations by their product, in the order in which they come.
func groups(rows []onhand.Row) (all []*group, err error) {
	by := map[string]*group{}
	for n, r := range rows {
		parent, id, variation := strings.Cut(r.Item, "/")
		path := "/products/batch"
		if variation {
			path = "/products/" + parent + "/variations/batch"
		} else {
			id = parent
		}
		number, err := strconv.ParseInt(id, 10, 64)
		if err != nil {
			return nil, err
		}
		g := by[path]
		if g == nil || len(g.rows) == maxBatch {
			g = &group{path: path}
			by[path] = g
			all = append(all, g)
		}
		g.rows, g.ids = append(g.rows, n), append(g.ids, number)
	}
	return all, nil
}

// Write implements onhand.Platform. A request that is refused or comes to nothing does not hold up the others.
func (s shop) Write(ctx context.Context, rows []onhand.Row) ([]onhand.Answer, error) {
	all, err := groups(rows)
	if err != nil {
		return nil, err
	}
	answers := slices.Repeat([]onhand.Answer{{Left: true, Unsent: true}}, len(rows))
	var refused, silent error
	silences := 0
	for _, g := range all {
		for _, n := range g.rows {
			answers[n].Unsent = false
		}
		err := s.send(ctx, g, rows, answers)
		var refusal *onhand.Refusal
		var failed *onhand.Failed
		switch {
		case err == nil:
		case errors.As(err, &refusal):
			refused = cmp.Or(refused, err)
		case errors.As(err, &failed) && (fault.CodeOf(err) == fault.BadReply || failed.Reply.Status >= http.StatusInternalServerError && fault.CodeOf(err) == fault.Unreachable):
			silent = cmp.Or(silent, err)
			if silences++; silences == mostSilent {
				return answers, silent
			}
		default:
			return answers, err
		}
	}
	return answers, cmp.Or(silent, refused)
}

// send makes one request and reads what is said of its rows.
func (s shop) send(ctx context.Context, g *group, rows []onhand.Row, answers []onhand.Answer) error {
	body := struct {
		Update []row `json:"update"`
	}{make([]row, len(g.rows))}
	for i, n := range g.rows {
		body.Update[i] = row{ID: g.ids[i], Manage: true, Stock: rows[n].OnHand}
	}
	var reply struct {
		Update []answered `json:"update"`
	}
	if err := s.call(ctx, http.MethodPost, g.path, body, &reply); err != nil {
		var refusal *onhand.Refusal
		if errors.As(err, &refusal) && gone(refusal.Code) { // the product of all these variations
			for _, n := range g.rows {
				s.targets.Remove(rows[n].SKU)
			}
		}
		return err
	}
	told := make(map[int64]answered, len(reply.Update))
	for _, a := range reply.Update {
		told[a.ID] = a
	}
	var missing []string
	for i, n := range g.rows {
		a, ok := told[g.ids[i]]
		if !ok || a.Error == nil && a.Stock != nil && *a.Stock != math.Trunc(*a.Stock) {
			missing = append(missing, strconv.FormatInt(g.ids[i], 10))
			continue
		}
		answers[n] = s.answer(rows[n], a)
	}
	if len(missing) > 0 {
		return &onhand.Failed{Err: fault.New(fault.BadReply, "the reply does not tell what stock is kept of %s", strings.Join(missing[:min(len(missing), 10)], ", "))}
	}
	return nil
}

// answer judges what is said of a row. An id that is wrong, and a product that has another SKU by now, are forgotten and looked up again.
func (s shop) answer(r onhand.Row, a answered) onhand.Answer {
	switch {
	case a.Error != nil:
		no := &onhand.Refusal{Code: cmp.Or(s.peer.Hide(a.Error.Code), "WOOCOMMERCE_ERROR"), Message: cmp.Or(s.peer.Hide(a.Error.Message), "WooCommerce gave no reason")}
		if gone(a.Error.Code) {
			s.targets.Remove(r.SKU)
			return onhand.Answer{Refusal: no, Again: true}
		}
		return onhand.Answer{Refusal: no}
	case a.SKU != nil && *a.SKU != r.SKU:
		s.targets.Remove(r.SKU)
		return onhand.Answer{Again: true, Refusal: &onhand.Refusal{Code: onhand.SKUUnknown, Message: fmt.Sprintf("product %d has the SKU %q by now, not %q", a.ID, *a.SKU, r.SKU)}}
	case a.Stock == nil:
		return onhand.Answer{Refusal: &onhand.Refusal{
			Code:    "STOCK_NOT_MANAGED",
			Message: fmt.Sprintf("WooCommerce took the quantity and answers stock_quantity null, manage_stock %v; switch stock management on in WooCommerce > Settings > Products > Inventory", a.Manage),
		}}
	}
	return onhand.Answer{Shelf: onhand.Shelf{Location: r.Location, OnHand: int64(*a.Stock)}}
}

// gone tells that a product or variation is not where it was: deleted, or now of another kind.
func gone(code string) bool {
	switch code {
	case "woocommerce_rest_product_invalid_id", "woocommerce_rest_invalid_product_id", "woocommerce_rest_product_variation_invalid_id",
		"woocommerce_rest_product_variation_invalid_parent", "woocommerce_rest_invalid_variation_id", "HTTP_404":
		return true
	}
	return false
}

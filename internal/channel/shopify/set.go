package shopify

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"

	"github.com/google/uuid"

	"stockbridge/internal/channel"
	"stockbridge/internal/fault"
	"stockbridge/internal/outbound"
)

// mostUnits is the largest quantity Shopify takes.
const mostUnits = 1_000_000_000

// mutationCost is what a mutation costs by default.
const mutationCost = 10

const setDocument = `mutation Set($input:InventorySetQuantitiesInput!,$key:String!){inventorySetQuantities(input:$input) @idempotent(key:$key){inventoryAdjustmentGroup{id} userErrors{code field message}}}`

// quantity is one row of the input. changeFromQuantity must be there: null opts out of compare-and-swap, since we hold what is true.
type quantity struct {
	InventoryItemID    string `json:"inventoryItemId"`
	LocationID         string `json:"locationId"`
	Quantity           int64  `json:"quantity"`
	ChangeFromQuantity *int64 `json:"changeFromQuantity"`
}

type setInput struct {
	Name       string     `json:"name"`
	Reason     string     `json:"reason"`
	Quantities []quantity `json:"quantities"`
}

// rowError is an error of a mutation.
type rowError struct {
	Code    string   `json:"code"`
	Field   []string `json:"field"` // ["input","quantities","3","quantity"]
	Message string   `json:"message"`
}

// row is which of n rows the error is about; ok is false for one about the whole.
func (e rowError) row(n int) (row int, ok bool) {
	at := slices.Index(e.Field, "quantities")
	if at < 0 || at+1 >= len(e.Field) {
		return 0, false
	}
	row, err := strconv.Atoi(e.Field[at+1])
	return row, err == nil && row >= 0 && row < n
}

// nextKey derives the idempotency key of a request from the batch's: each request of a push has its own, also where two have the same body, since
// Shopify answers a key it knows with what it answered before. The attempts at one request share it.
func (p *push) nextKey(body any) (string, error) {
	p.calls++
	text, err := json.Marshal(body)
	if err != nil {
		return "", fmt.Errorf("write a request: %w", err)
	}
	return uuid.NewSHA1(uuid.NameSpaceOID, fmt.Appendf(nil, "%s/%d/%s", p.batch.Key, p.calls, text)).String(), nil
}

// set makes one request and judges its rows. It returns what is to be sent again, in groups.
func (p *push) set(ctx context.Context, rows []*row) [][]*row {
	input := setInput{Name: "available", Reason: "correction", Quantities: make([]quantity, len(rows))}
	for n, r := range rows {
		input.Quantities[n] = quantity{InventoryItemID: r.item.gid(), LocationID: r.place, Quantity: r.amount}
	}
	key, err := p.nextKey(input)
	if err != nil {
		p.fail(ctx, rows, outbound.Reply{}, err)
		return nil
	}
	var data struct {
		InventorySetQuantities *struct{ UserErrors []rowError }
	}
	reply, err := p.ask(ctx, request{
		name: "Set", document: setDocument, variables: map[string]any{"input": input, "key": key}, cost: mutationCost, into: &data,
		check: func() error {
			if data.InventorySetQuantities == nil || data.InventorySetQuantities.UserErrors == nil {
				return &failure{fault: fault.New(fault.BadReply, "the reply does not tell what became of the quantities")}
			}
			for _, e := range data.InventorySetQuantities.UserErrors {
				if e.Code == "IDEMPOTENCY_CONCURRENT_REQUEST" { // an attempt of ours is still under way there: its answer will be ours
					return &outbound.Again{Err: p.failed(e, fault.Unreachable)}
				}
			}
			return nil
		},
	})
	var f *failure
	if errors.As(err, &f) && f.sent {
		p.answered = true
		if len(f.rows) > 0 && !reply.Taken {
			return p.judgeRows(ctx, rows, f.rows)
		}
		return p.halves(ctx, rows, reply, err)
	}
	if err != nil {
		p.fail(ctx, rows, reply, err)
		return nil
	}
	p.answered = true
	errs := data.InventorySetQuantities.UserErrors
	if len(errs) == 0 {
		for _, r := range rows {
			p.settle(r, channel.Outcome{Verdict: channel.Acknowledged})
		}
		return nil
	}
	if slices.ContainsFunc(errs, func(e rowError) bool { _, ok := e.row(len(rows)); return ok }) {
		return p.judgeRows(ctx, rows, errs)
	}
	return p.judgeWhole(ctx, rows, errs[0])
}

// failed is an error of a mutation as a failure.
func (p *push) failed(e rowError, code fault.Code) *failure {
	f := &failure{code: e.Code, words: p.peer.Hide(e.Message)}
	f.fault = fault.New(code, "Shopify answers %s: %s", p.peer.Hide(e.Code), f.words)
	return f
}

// judgeWhole takes an error that names no row.
func (p *push) judgeWhole(ctx context.Context, rows []*row, e rowError) [][]*row {
	f := p.failed(e, fault.Refused)
	f.sent = true
	switch e.Code {
	case "IDEMPOTENCY_KEY_PARAMETER_MISMATCH", "IDEMPOTENCY_PREVIOUS_ATTEMPT_FAILED", "CHANGE_FROM_QUANTITY_STALE", "COMPARE_QUANTITY_STALE":
		if rows[0].again(rows) {
			return [][]*row{rows} // under the next key
		}
	case "INVALID_NAME", "INVALID_REASON", "INVALID_REFERENCE_DOCUMENT", "COMPARE_QUANTITY_REQUIRED": // the same for any part of it
		p.fail(ctx, rows, outbound.Reply{Status: 200}, f)
		return nil
	}
	return p.halves(ctx, rows, outbound.Reply{Status: 200}, f)
}

// again counts a further try of rows that are sent together, and tells whether they have one.
func (r *row) again(rows []*row) bool {
	for _, r := range rows {
		r.tries++
	}
	return r.tries < mostTries
}

// halves sends rows in two where that may tell the bad one from the good, else refuses them.
func (p *push) halves(ctx context.Context, rows []*row, reply outbound.Reply, err error) [][]*row {
	if p.refusals++; len(rows) == 1 || p.refusals > mostRefusals {
		p.fail(ctx, rows, reply, err)
		return nil
	}
	for _, r := range rows {
		r.maybe = r.maybe || reply.Taken
	}
	return [][]*row{rows[:len(rows)/2], rows[len(rows)/2:]}
}

// judgeRows takes errors that name rows. The others are sent again: whether Shopify took them is not documented.
func (p *push) judgeRows(ctx context.Context, rows []*row, errs []rowError) [][]*row {
	named := make(map[int]rowError, len(errs))
	for _, e := range errs {
		if n, ok := e.row(len(rows)); ok {
			if _, twice := named[n]; !twice {
				named[n] = e
			}
		}
	}
	var rest, idle, lost []*row
	for n, r := range rows {
		e, bad := named[n]
		switch {
		case !bad:
			r.maybe = true
			rest = append(rest, r)
		case e.Code == "ITEM_NOT_STOCKED_AT_LOCATION" && p.activate && r.again(rows[n:n+1]):
			idle = append(idle, r)
		case e.Code == "INVALID_INVENTORY_ITEM":
			p.items.Remove(p.key(r.sku, r.place))
			if r.fresh {
				p.settle(r, p.rowRefused(e))
				continue
			}
			r.fresh = true // looked up anew, once: the variant may have been made anew
			lost = append(lost, r)
		case (e.Code == "CHANGE_FROM_QUANTITY_STALE" || e.Code == "COMPARE_QUANTITY_STALE") && r.again(rows[n:n+1]):
			rest = append(rest, r)
		default:
			if e.Code == "INVALID_LOCATION" {
				p.items.Remove(p.key(r.sku, r.place))
				p.forgetOnly()
			}
			p.settle(r, p.rowRefused(e))
		}
	}
	if len(lost) > 0 {
		rest = append(rest, p.stock(ctx, p.merge(ctx, p.resolve(ctx, lost)))...)
	}
	rest = append(rest, p.activateAll(ctx, idle)...)
	if len(rest) == 0 {
		return nil
	}
	return [][]*row{rest}
}

// rowRefused is the outcome of a row that Shopify named.
func (p *push) rowRefused(e rowError) channel.Outcome { return p.refusal(p.failed(e, fault.Refused)) }

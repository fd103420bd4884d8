package shopify

import (
	"context"

	"stockbridge/internal/fault"
)

const activateDocument = `mutation Activate($item:ID!,$place:ID!,$key:String!){inventoryActivate(inventoryItemId:$item,locationId:$place) @idempotent(key:$key){inventoryLevel{id} userErrors{field message}}}`

// stock activates the items that are not stocked at their location, where the setting wants that, and returns the rows that can be sent.
func (p *push) stock(ctx context.Context, rows []*row) (ready []*row) {
	if !p.activate {
		return rows
	}
	var idle []*row
	for _, r := range rows {
		if r.item.stocked {
			ready = append(ready, r)
		} else {
			idle = append(idle, r)
		}
	}
	return append(ready, p.activateAll(ctx, idle)...)
}

// activateAll stocks the items of rows at their locations, one by one, since Shopify has no other way.
func (p *push) activateAll(ctx context.Context, rows []*row) (ready []*row) {
	for n, r := range rows {
		if p.err != nil {
			p.going(rows[n:])
			break
		}
		if p.activateOne(ctx, r) {
			r.item.stocked = true
			p.items.Add(p.key(r.sku, r.place), r.item)
			ready = append(ready, r)
		}
	}
	return ready
}

// activateOne tells whether a row's item is stocked now; else the row has its outcome.
func (p *push) activateOne(ctx context.Context, r *row) bool {
	key, err := p.nextKey([]string{r.item.gid(), r.place})
	if err != nil {
		p.settle(r, p.unsent(r, err))
		return false
	}
	var data struct {
		InventoryActivate *struct{ UserErrors []rowError }
	}
	reply, err := p.ask(ctx, request{
		name: "Activate", document: activateDocument, variables: map[string]any{"item": r.item.gid(), "place": r.place, "key": key}, cost: mutationCost, into: &data,
		check: func() error {
			if data.InventoryActivate == nil || data.InventoryActivate.UserErrors == nil {
				return &failure{fault: fault.New(fault.BadReply, "the reply does not tell whether the item was activated")}
			}
			return nil
		},
	})
	if err != nil {
		p.miss(ctx, []*row{r}, reply, err)
		return false
	}
	if errs := data.InventoryActivate.UserErrors; len(errs) > 0 {
		errs[0].Code = "ITEM_NOT_STOCKED_AT_LOCATION" // inventoryActivate has no codes
		p.settle(r, p.rowRefused(errs[0]))
		return false
	}
	return true
}

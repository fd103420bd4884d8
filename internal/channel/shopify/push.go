package shopify

import (
	"context"
	"errors"
	"slices"

	"stockbridge/internal/channel"
	"stockbridge/internal/fault"
	"stockbridge/internal/outbound"
)

// Bounds of what is tried for one batch beside what makes headway.
const (
	// mostRefusals are the refused requests after which no more halves are tried: one bad level among 250 shows after 9.
	mostRefusals = 40
	mostTries    = 3 // of one level, or of one request, that Shopify wants to see again
)

// row is one quantity to set: an item at a location. It stands for one level, or for several that say the same.
type row struct {
	levels []int // of the batch
	sku    string
	place  string // gid
	item   item
	fresh  bool // the item was looked up in this push
	amount int64
	tries  int
	maybe  bool // an answer left open whether it was taken
}

// push is one batch on its way.
type push struct {
	*Store
	batch    channel.Batch
	outcomes []channel.Outcome
	calls    int // requests to set so far, for their keys
	refusals int
	err      error // why the shop takes no more
	answered bool  // the shop gave a usable answer to quantities
	silent   error // the last unusable answer
}

// Push looks up the SKUs not known, activates items at locations where that is wanted, and sets the quantities, with levels that
// Shopify names taken out and the rest sent anew.
//
// Errors: CREDENTIALS_REFUSED (token, or a scope that is missing, named); THROTTLED when the budget is used up by others for
// longer than our patience; REFUSED when there is no such shop or it is frozen, locked or inactive; BLANK at locationId when a
// level names no location and the shop has several; ADDRESS_REFUSED; UNREACHABLE and BAD_REPLY when no connection came about or three batches
// in a row got no usable answer. One such batch by itself is Unknown, or Unsent, and no error.
func (s *Store) Push(ctx context.Context, batch channel.Batch) ([]channel.Outcome, error) {
	if len(batch.Levels) == 0 {
		return nil, ctx.Err()
	}
	p := &push{Store: s, batch: batch, outcomes: slices.Repeat([]channel.Outcome{{Verdict: channel.Unsent}}, len(batch.Levels))}
	rows := p.merge(ctx, p.resolve(ctx, p.rows(ctx)))
	rows = p.stock(ctx, rows)
	for len(rows) > 0 {
		n := min(len(rows), maxRows)
		p.deliver(ctx, rows[:n])
		rows = rows[n:]
	}
	switch {
	case p.err != nil:
	case p.silent != nil && !p.answered: // answers to look-ups are no sign that it takes quantities
		if n := s.silent.Add(1); n >= inARow {
			p.err = fault.Wrap(p.silent, fault.CodeOf(p.silent), "no usable answer to %d batches in a row: %s", n, fault.Message(p.silent))
		}
	case p.answered:
		s.silent.Store(0)
	}
	return p.outcomes, p.err
}

// settle gives a row's levels their outcome.
func (p *push) settle(r *row, o channel.Outcome) {
	for _, n := range r.levels {
		p.outcomes[n] = o
	}
}

// rows are the levels that can be sent at all, with their locations.
func (p *push) rows(ctx context.Context) (rows []*row) {
	for n, l := range p.batch.Levels {
		r := &row{levels: []int{n}, sku: l.SKU, amount: l.Quantity}
		place, err := placeID(l.Location)
		switch {
		case l.SKU == "":
			p.settle(r, refused(noSuchSKU, "the level has no SKU"))
			continue
		case err != nil:
			p.settle(r, refused("INVALID_LOCATION", err.Error()))
			continue
		case l.Quantity < 0:
			p.settle(r, refused("INVALID_QUANTITY_NEGATIVE", "Shopify takes no quantity below 0"))
			continue
		case l.Quantity > mostUnits:
			p.settle(r, refused("INVALID_QUANTITY_TOO_HIGH", "Shopify takes no quantity above 1,000,000,000"))
			continue
		}
		if r.place = place; place == "" && p.err == nil {
			if r.place, err = p.standing(ctx); err != nil {
				p.err = err
			}
		}
		rows = append(rows, r)
	}
	return p.going(rows)
}

// going is what can still be sent: all of the rows, or none once the shop takes no more.
func (p *push) going(rows []*row) []*row {
	if p.err == nil {
		return rows
	}
	for _, r := range rows {
		p.settle(r, p.unsent(r, p.err))
	}
	return nil
}

// resolve finds the items of rows.
func (p *push) resolve(ctx context.Context, rows []*row) (known []*row) {
	type group struct {
		place string
		rows  map[string][]*row
		skus  []string
	}
	var groups []*group
	for _, r := range rows {
		k := p.key(r.sku, r.place)
		if i, ok := p.remembered(k); ok && !r.fresh {
			r.item = i
			known = append(known, r)
			continue
		}
		n := slices.IndexFunc(groups, func(g *group) bool { return p.key("", g.place) == p.key("", r.place) && len(g.skus) < maxRows })
		if n < 0 {
			n = len(groups)
			groups = append(groups, &group{place: r.place, rows: map[string][]*row{}})
		}
		g := groups[n]
		if g.rows[r.sku] == nil {
			g.skus = append(g.skus, r.sku)
		}
		g.rows[r.sku] = append(g.rows[r.sku], r)
	}
	for _, g := range groups {
		var all []*row
		for _, sku := range g.skus {
			all = append(all, g.rows[sku]...)
		}
		if p.err != nil {
			p.going(all)
			continue
		}
		what := make(map[string]found, len(g.skus))
		if reply, err := p.lookUp(ctx, g.place, g.skus, what); err != nil {
			p.miss(ctx, all, reply, err)
			continue
		}
		for _, r := range all {
			f := what[r.sku]
			if f.code != "" {
				p.settle(r, refused(f.code, f.why))
				continue
			}
			r.item, r.fresh = f.item, true
			known = append(known, r)
		}
	}
	return p.going(known)
}

// merge leaves one row per item and location, as Shopify demands (NO_DUPLICATE_INVENTORY_ITEM_ID_GROUP_ID_PAIR). Two SKUs lead to one item when it was
// given another SKU since it was remembered: such are looked up again.
func (p *push) merge(ctx context.Context, rows []*row) (one []*row) {
	type place struct {
		item  int64
		place string
	}
	by := map[place][]*row{}
	for _, r := range rows {
		at := place{r.item.id, r.place}
		by[at] = append(by[at], r)
	}
	var stale []*row
	for _, r := range rows {
		same := by[place{r.item.id, r.place}]
		switch first := same[0]; {
		case r != first: // with the first
		case slices.ContainsFunc(same, func(o *row) bool { return o.sku != r.sku }) && slices.ContainsFunc(same, func(o *row) bool { return !o.fresh }):
			for _, o := range same {
				p.items.Remove(p.key(o.sku, o.place))
				o.fresh = true
			}
			stale = append(stale, same...)
		case slices.ContainsFunc(same, func(o *row) bool { return o.sku != r.sku || o.amount != r.amount }):
			for _, o := range same {
				p.settle(o, refused("NO_DUPLICATE_INVENTORY_ITEM_ID_GROUP_ID_PAIR", "several levels of the batch are for one item at one location, and differ; link the location once"))
			}
		default:
			for _, o := range same[1:] {
				r.levels = append(r.levels, o.levels...)
			}
			one = append(one, r)
		}
	}
	if len(stale) > 0 {
		one = append(one, p.merge(ctx, p.resolve(ctx, stale))...)
	}
	return one
}

// unsent is the outcome of a row that was not sent because of err, or not sent again.
func (p *push) unsent(r *row, err error) channel.Outcome {
	o := p.refusal(err)
	o.Verdict = channel.Unsent
	if r.maybe {
		o.Verdict = channel.Unknown
	}
	return o
}

// note takes a request that failed: it tells what that makes of the shop, and of the rows if they were in the request.
func (p *push) note(ctx context.Context, reply outbound.Reply, err error) channel.Verdict {
	code := fault.CodeOf(err)
	var f *failure
	switch {
	case ctx.Err() != nil && errors.Is(err, ctx.Err()):
		p.err = err
		return channel.Unsent
	case errors.As(err, &f) && f.sent:
		return channel.Refused
	case code == fault.BadReply, code == fault.Unreachable && (reply.Sent || reply.Status != 0):
		p.silent = err
		return channel.Unknown
	}
	p.err = err
	if reply.Status == 0 {
		return channel.Unsent
	}
	return channel.Refused
}

// fail gives rows their outcome whose quantities were in a request that failed.
func (p *push) fail(ctx context.Context, rows []*row, reply outbound.Reply, err error) {
	verdict := p.note(ctx, reply, err)
	for _, r := range rows {
		o := p.refusal(err)
		if o.Verdict = verdict; reply.Taken || r.maybe { // the last answer does not tell what came of an attempt before it
			o.Verdict = channel.Unknown
		}
		p.settle(r, o)
	}
}

// miss gives rows their outcome that a request failed for which had to come first.
func (p *push) miss(ctx context.Context, rows []*row, reply outbound.Reply, err error) {
	verdict := p.note(ctx, reply, err)
	for _, r := range rows {
		o := p.unsent(r, err)
		if verdict == channel.Refused && p.err == nil && !r.maybe { // this item's fault
			o.Verdict = channel.Refused
		}
		p.settle(r, o)
	}
}

// deliver sets rows, at most 250. What Shopify wants to see again, in whole or in part, is sent again.
func (p *push) deliver(ctx context.Context, rows []*row) {
	for groups := [][]*row{rows}; len(groups) > 0; {
		group := groups[0]
		groups = groups[1:]
		if group = p.going(group); len(group) > 0 {
			groups = append(p.set(ctx, group), groups...)
		}
	}
}

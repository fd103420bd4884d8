package onhand

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"stockbridge/internal/channel"
	"stockbridge/internal/fault"
	"stockbridge/internal/outbound"
)

const (
	patience = 2 * time.Minute // what outbound.Retry has as its budget when none is set
	inARow   = 3               // batches without a usable answer after which the store counts as down
	alike    = 8               // levels refused with the same words, each by itself and none taken, after which it is not the levels
	rounds   = 3               // how often a batch is looked up and written when allocations fall meanwhile
)

// Push is channel.Sink's. Each attempt looks the SKUs up and writes them, so that a figure never rests on an allocation from
// before a wait. An order that comes in between is no harm: the store takes it off what was written. Goods that leave in between are:
// the store took them off what is written over. The answer's allocation has fallen then, and the level is looked up and written again.
//
// A batch that is refused as a whole is sent in halves, down to single levels, unless the first eight of them say that it is not
// about the levels (a wrong address).
//
// Errors: CREDENTIALS_REFUSED; THROTTLED when the store wants longer waits than our patience; ADDRESS_REFUSED; REFUSED when it
// has moved; INVALID (locationId) when it cannot be known where to; UNREACHABLE when no connection came about; UNREACHABLE or
// BAD_REPLY when three batches in a row got no usable answer.
func (p *Pusher) Push(ctx context.Context, batch channel.Batch) ([]channel.Outcome, error) {
	if len(batch.Levels) == 0 {
		return nil, ctx.Err()
	}
	run := &run{Pusher: p, levels: batch.Levels, outcomes: make([]channel.Outcome, len(batch.Levels)), lost: make([]bool, len(batch.Levels))}
	all := make([]int, len(batch.Levels))
	for i := range all {
		all[i] = i
	}
	todo, where, err := p.place(ctx, run.levels, run.outcomes)
	if err != nil {
		return run.outcomes, run.fail(ctx, all, err)
	}
	run.where = where
	return run.outcomes, run.carry(ctx, todo)
}

// run is one call of Push.
type run struct {
	*Pusher
	levels   []channel.Level
	where    []string // the platform's location of each level
	outcomes []channel.Outcome
	lost     []bool // of each level: a write may have been done that we know nothing of

	taken bool    // whether any request was answered level by level
	last  Refusal // of the last level refused by itself
	same  int     // levels in a row refused like it
}

// carry sends the levels at todo and fills in their outcomes.
func (r *run) carry(ctx context.Context, todo []int) error {
	if len(todo) == 0 {
		return ctx.Err()
	}
	rest := todo
	err := r.patiently(ctx, func() (err error) {
		for range rounds {
			if rest, err = r.step(ctx, rest); err != nil || len(rest) == 0 {
				return err
			}
		}
		for _, i := range rest {
			if r.outcomes[i].Code != "" { // refused each time
				continue
			}
			r.outcomes[i] = channel.Outcome{Verdict: channel.Unknown, Code: string(fault.Conflict), Message: "goods left the store again and again while the level was written"}
		}
		return nil
	})
	if err == nil {
		r.taken = true
		r.silent.Store(0)
		return nil
	}
	if len(rest) < len(todo) { // some were answered
		r.silent.Store(0)
	}
	var refusal *Refusal
	if !errors.As(err, &refusal) {
		return r.fail(ctx, rest, err)
	}
	r.silent.Store(0)
	hopeless := !r.taken && r.same >= alike && *refusal == r.last && !refusal.TooLarge
	if len(rest) > 1 && !hopeless {
		if err := r.carry(ctx, rest[:len(rest)/2]); err != nil {
			r.leave(rest[len(rest)/2:], err)
			return err
		}
		return r.carry(ctx, rest[len(rest)/2:])
	}
	if r.same++; r.last != *refusal {
		r.last, r.same = *refusal, 1
	}
	for _, i := range rest {
		r.refuse(i, refusal.Code, refusal.Message)
	}
	return nil
}

// step looks levels up and writes them, once. It answers which are to be looked up and written again, or have no outcome.
func (r *run) step(ctx context.Context, todo []int) (rest []int, err error) {
	for _, i := range todo {
		r.outcomes[i] = channel.Outcome{}
	}
	items, err := r.find(ctx, todo)
	if err != nil {
		return todo, err
	}
	var rows []Row
	var shelves []Shelf
	for _, i := range todo {
		found := items[r.levels[i].SKU]
		switch len(found) {
		case 0:
			r.refuse(i, SKUUnknown, fmt.Sprintf("the store has nothing with SKU %q", r.levels[i].SKU))
			continue
		case 1:
		default:
			r.refuse(i, SKUAmbiguous, fmt.Sprintf("the store has %d items with SKU %q (%s, %s): which is meant?", len(found), r.levels[i].SKU, found[0].ID, found[1].ID))
			continue
		}
		if no := found[0].Refusal; no != nil {
			r.refuse(i, no.Code, no.Message)
			continue
		}
		shelf, stocked := found[0].at(r.where[i])
		onHand := r.levels[i].Quantity
		if r.cfg.Semantics != channel.Available {
			onHand += shelf.Allocated
		}
		if onHand < 0 || onHand > Most {
			r.refuse(i, string(fault.OutOfRange), fmt.Sprintf("%d on hand (%d available) is not from 0 to %d", onHand, r.levels[i].Quantity, Most))
			continue
		}
		rest, rows, shelves = append(rest, i), append(rows, Row{found[0].ID, found[0].SKU, r.where[i], onHand, stocked}), append(shelves, shelf)
	}
	if len(rest) == 0 {
		return nil, nil
	}
	answers, err := r.cfg.Platform.Write(ctx, rows)
	if err != nil && answers == nil {
		answers = slices.Repeat([]Answer{{Left: true}}, len(rows))
	}
	var failed *Failed
	lost := errors.As(err, &failed) && failed.Lost()
	var again []int
	for n, i := range rest {
		a := answers[n]
		r.taken = r.taken || !a.Left
		switch {
		case a.Left:
			r.lost[i] = r.lost[i] || lost && !a.Unsent
			again = append(again, i)
		case a.Refusal != nil:
			r.refuse(i, a.Refusal.Code, a.Refusal.Message)
			if a.Again {
				again = append(again, i)
			}
		case r.cfg.Semantics != channel.Available && a.Shelf.Allocated < shelves[n].Allocated:
			again = append(again, i)
		case a.Shelf.OnHand != rows[n].OnHand:
			r.outcomes[i] = channel.Outcome{
				Verdict: channel.Unknown, Code: string(fault.BadReply),
				Message: fmt.Sprintf("the store answers that it has %d on hand where it was sent %d", a.Shelf.OnHand, rows[n].OnHand),
			}
		default:
			r.outcomes[i] = channel.Outcome{Verdict: channel.Acknowledged}
		}
	}
	return again, err
}

// find looks up the items of levels by SKU. SKUs are compared as they are: a platform may not tell case or spaces apart.
func (r *run) find(ctx context.Context, todo []int) (map[string][]Item, error) {
	items := make(map[string][]Item, len(todo))
	var skus []string
	for _, i := range todo {
		if _, asked := items[r.levels[i].SKU]; !asked {
			items[r.levels[i].SKU] = nil
			skus = append(skus, r.levels[i].SKU)
		}
	}
	found, err := r.cfg.Platform.Find(ctx, skus)
	if err != nil {
		return nil, err
	}
	seen := make(map[string]bool, len(found)) // lists told page by page may repeat one
	for _, it := range found {
		if _, asked := items[it.SKU]; asked && !seen[it.ID] {
			seen[it.ID] = true
			items[it.SKU] = append(items[it.SKU], it)
		}
	}
	return items, nil
}

func (r *run) refuse(i int, code, message string) {
	r.outcomes[i] = channel.Outcome{Verdict: channel.Refused, Code: code, Message: r.words(message)}
	if r.lost[i] { // the last answer does not tell what came of a write before it
		r.outcomes[i].Verdict = channel.Unknown
	}
}

// leave judges levels that are not sent any more.
func (r *run) leave(todo []int, err error) {
	for _, i := range todo {
		r.outcomes[i] = channel.Outcome{Verdict: channel.Unsent, Code: string(fault.CodeOf(err)), Message: r.words(fault.Message(err))}
		if r.lost[i] {
			r.outcomes[i].Verdict = channel.Unknown
		}
	}
}

// fail judges levels whose last request came to nothing, and tells whether the store can be used at all.
func (r *run) fail(ctx context.Context, todo []int, err error) error {
	var failed *Failed
	var reply outbound.Reply
	if errors.As(err, &failed) {
		reply = failed.Reply
	}
	err = Plain(err)
	code := fault.CodeOf(err)
	all := channel.Outcome{Verdict: channel.Unsent, Code: string(code), Message: r.words(fault.Message(err))}
	switch {
	case ctx.Err() != nil && errors.Is(err, ctx.Err()):
		all.Code, all.Message = "", "canceled before the store answered"
	case code == fault.CredentialsRefused, code == fault.Refused:
		all.Verdict = channel.Refused
	case code == fault.BadReply, code == fault.Unreachable && (reply.Sent || reply.Status != 0):
		if reply.Status >= 400 {
			all.Code, all.Message = fmt.Sprintf("HTTP_%d", reply.Status), r.words(fault.Message(err))
		}
		err = r.unanswered(err)
	}
	for _, i := range todo {
		if r.outcomes[i].Code != "" { // judged by itself: its location is not there
			continue
		}
		if r.outcomes[i] = all; r.lost[i] {
			r.outcomes[i].Verdict = channel.Unknown
		}
	}
	return err
}

// unanswered counts a batch without a usable answer, and gives the store up when there were several in a row.
func (p *Pusher) unanswered(err error) error {
	if n := p.silent.Add(1); n >= inARow {
		return fault.Wrap(err, fault.CodeOf(err), "no usable answer to %d batches in a row: %s", n, fault.Message(err))
	}
	return nil
}

package amazon

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"stockbridge/internal/channel"
	"stockbridge/internal/fault"
	"stockbridge/internal/outbound"
)

// Codes of outcomes that are not Amazon's.
const (
	locationUnknown = "LOCATION_NOT_FOUND"
	feedCancelled   = "FEED_CANCELLED"
	feedFatal       = "FEED_FATAL"
	feedUnfinished  = "FEED_UNFINISHED"
	feedUnclear     = "FEED_REPORT_UNCLEAR"
	feedRefused     = "FEED_REFUSED"
)

// push is one batch on its way.
type push struct {
	*Store
	batch    channel.Batch
	outcomes []channel.Outcome
	err      error // why the account takes no more
}

// Push sends up to 20 levels one by one, and more as a feed, for whose report it waits up to half an hour.
//
// Errors: CREDENTIALS_REFUSED (the login, or a role that is missing); THROTTLED when others use up what Amazon allows for longer than
// our patience; ADDRESS_REFUSED; UNREACHABLE and BAD_REPLY when no connection came about or three requests in a row got no usable
// answer. One such by itself is Unknown, or Unsent, and no error. A feed that an earlier push did not wait for is waited for first.
func (s *Store) Push(ctx context.Context, batch channel.Batch) ([]channel.Outcome, error) {
	if len(batch.Levels) == 0 {
		return nil, ctx.Err()
	}
	p := &push{Store: s, batch: batch, outcomes: make([]channel.Outcome, len(batch.Levels))}
	todo := p.fit()
	var single, many []int
	for _, n := range todo {
		if len(todo) <= few && plain(batch.Levels[n].SKU) {
			single = append(single, n)
		} else {
			many = append(many, n)
		}
	}
	if len(todo) > 0 {
		s.outlast(ctx)
	}
	for i, n := range single {
		if p.left(ctx, single[i:]) {
			break
		}
		p.patch(ctx, n)
	}
	for rows := range slices.Chunk(many, maxMessages) {
		p.feed(ctx, rows)
	}
	return p.outcomes, p.err
}

// fit judges the levels that Amazon cannot take, and returns the others.
func (p *push) fit() (todo []int) {
	for n, l := range p.batch.Levels {
		switch {
		case l.Location != "":
			p.settle(n, refused(locationUnknown, fmt.Sprintf("a seller at Amazon has one quantity for each SKU; take the link to location %s away", l.Location)))
		case l.Quantity < 0 || l.Quantity > mostUnits:
			p.settle(n, refused(string(fault.OutOfRange), fmt.Sprintf("%d is not from 0 to %d, what Amazon takes", l.Quantity, mostUnits)))
		default:
			todo = append(todo, n)
		}
	}
	return todo
}

// plain tells whether a SKU is sure to come through the path of an address as it is. Servers on the way decode some escapes too early
// (Amazon was seen to answer 403 to a slash), so that such SKUs go in a feed, where they are mere text.
func plain(sku string) bool {
	return strings.Trim(sku, ".") != "" && !strings.ContainsAny(sku, `/\#?%;+`) && !strings.ContainsFunc(sku, func(c rune) bool { return c < ' ' || c == 0x7f })
}

func (p *push) settle(n int, o channel.Outcome) { p.outcomes[n] = o }

func (p *push) settleAll(rows []int, o channel.Outcome) {
	for _, n := range rows {
		p.settle(n, o)
	}
}

// left leaves levels unsent when the account takes no more, or nobody waits for it, and tells so.
func (p *push) left(ctx context.Context, rows []int) bool {
	if p.err == nil {
		p.err = ctx.Err()
	}
	if p.err == nil {
		return false
	}
	p.settleAll(rows, outcome(ctx, outbound.Reply{}, p.err))
	return true
}

// fail judges levels by the request that failed them.
func (p *push) fail(ctx context.Context, rows []int, reply outbound.Reply, err error) {
	p.settleAll(rows, outcome(ctx, reply, err))
	p.err = p.stop(reply, err)
}

func refused(code, words string) channel.Outcome {
	return channel.Outcome{Verdict: channel.Refused, Code: code, Message: outbound.Excerpt([]byte(words))}
}

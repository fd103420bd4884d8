package amazon

import (
	"cmp"
	"context"
	"fmt"
	"net/http"
	"net/url"
	"strings"

	"stockbridge/internal/channel"
	"stockbridge/internal/fault"
)

// productType stands for any: stock is the same in all of them.
const productType = "PRODUCT"

// patchOperation sets the quantity of a listing. "merge" leaves alone what else there is of availability, such as the handling time.
type patchOperation struct {
	Op    string         `json:"op"`
	Path  string         `json:"path"`
	Value []availability `json:"value"`
}

type availability struct {
	Channel  string `json:"fulfillment_channel_code"`
	Quantity int64  `json:"quantity"`
}

func (s *Store) patches(quantity int64) []patchOperation {
	return []patchOperation{{"merge", "/attributes/fulfillment_availability", []availability{{s.cfg.FulfillmentChannelCode, quantity}}}}
}

// issue is what Amazon finds wrong with a listing.
type issue struct {
	MessageID int64  `json:"messageId"` // in the report of a feed: of the message; 0 is the whole feed
	SKU       string `json:"sku"`       // in the report of a feed
	Code      string `json:"code"`
	Severity  string `json:"severity"` // ERROR, WARNING or INFO
	Message   string `json:"message"`
}

// refusal is the outcome of a level that an issue is about.
func (s *Store) refusal(i issue) channel.Outcome {
	return refused(cmp.Or(s.items.Hide(i.Code), string(fault.Refused)), cmp.Or(s.items.Hide(i.Message), "Amazon gave no reason"))
}

func (s *Store) itemsPath() string {
	return "/listings/2021-08-01/items/" + url.PathEscape(s.cfg.SellerID)
}

// patch sets one level (Listings Items API 2021-08-01, patchListingsItem). Setting it twice does no harm.
func (p *push) patch(ctx context.Context, n int) {
	level := p.batch.Levels[n]
	var answer struct {
		SKU    string  `json:"sku"`
		Status string  `json:"status"`
		Issues []issue `json:"issues"`
	}
	query := url.Values{"marketplaceIds": {strings.Join(p.cfg.MarketplaceIDs, ",")}}
	reply, err := p.ask(ctx, call{
		peer: p.items, limit: p.limits.patch, method: http.MethodPatch, path: p.itemsPath() + "/" + url.PathEscape(level.SKU) + "?" + query.Encode(), into: &answer,
		body: struct {
			ProductType string           `json:"productType"`
			Patches     []patchOperation `json:"patches"`
		}{productType, p.patches(level.Quantity)},
	})
	if reply.Status != 0 {
		p.limits.patch.learn(reply.Header)
	}
	if err != nil {
		p.fail(ctx, []int{n}, reply, err)
		return
	}
	unclear := func(format string, args ...any) {
		what := p.items.Hide(fmt.Sprintf(format, args...))
		p.fail(ctx, []int{n}, reply, fault.New(fault.BadReply, "%s: %s", what, p.items.Hide(string(reply.Body))))
	}
	if !strings.EqualFold(answer.SKU, level.SKU) {
		unclear("Amazon answers of SKU %q where %q was set", answer.SKU, level.SKU)
		return
	}
	switch answer.Status {
	case "INVALID":
		p.settle(n, p.refusal(worst(answer.Issues)))
	case "ACCEPTED":
		p.settle(n, channel.Outcome{Verdict: channel.Acknowledged})
		if i := worst(answer.Issues); i.Severity == "ERROR" {
			p.settle(n, p.refusal(i))
		}
	default: // VALID too, which is said of what was only looked at
		unclear("Amazon answers with status %q, which is not that it was accepted", answer.Status)
		return
	}
	p.silent.Store(0)
}

// worst is the first issue of severity ERROR, else the first; none is the zero value.
func worst(issues []issue) (found issue) {
	for i, is := range issues {
		if is.Severity == "ERROR" {
			return is
		}
		if i == 0 {
			found = is
		}
	}
	return found
}

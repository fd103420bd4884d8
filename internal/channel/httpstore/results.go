package httpstore

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"strings"

	"stockbridge/internal/channel"
	"stockbridge/internal/fault"
	"stockbridge/internal/outbound"
)

// result is what the store says of one level.
type result struct {
	SKU, Location, Status label
	Code, Message         json.RawMessage
}

// label is a string; a number is taken too, since stores that have only such SKUs send them so.
type label string

// UnmarshalJSON takes a string, a number or null.
func (l *label) UnmarshalJSON(raw []byte) error {
	switch raw[0] {
	case '"':
		return json.Unmarshal(raw, (*string)(l))
	case 'n':
		*l = ""
		return nil
	case '{', '[', 't', 'f':
		return fmt.Errorf("%.20s is not a string", raw)
	}
	*l = label(raw)
	return nil
}

// words are a code or message in whatever form it came.
func words(raw json.RawMessage, hide func(string) string) string {
	var s string
	if json.Unmarshal(raw, &s) != nil { // null and nothing leave it empty
		s = string(raw)
	}
	return hide(s)
}

// parse reads a 2xx reply (wire.md): an empty body or {} acknowledges every level; {"results":[…]} is believed item by item,
// and a level not named is ok. Anything else is a fault with code BAD_REPLY: a reply not understood is
// never a success (spec section 6).
//
// A result counts for the level of its SKU and location; one that names no location for all locations of the SKU not
// named by themselves, and one that names a location for the SKU sent without one. Of several the worst counts. One that
// fits no level sent says nothing about them. What hide replaces is kept out of the store's words.
func parse(body []byte, levels []channel.Level, hide func(string) string) ([]channel.Outcome, error) {
	body = bytes.TrimSpace(bytes.TrimPrefix(body, []byte("\xef\xbb\xbf")))
	bad := func(err error, what string) error {
		return fault.Wrap(err, fault.BadReply, "%s; answer 2xx with no body or with {\"results\":[…]}, not with %s",
			what, hide(string(body)))
	}
	var results []*result
	if len(body) > 0 {
		var reply map[string]json.RawMessage
		if err := json.Unmarshal(body, &reply); err != nil {
			return nil, bad(err, "the reply is not a JSON object")
		}
		raw, named := reply["results"]
		if reply == nil || !named && len(reply) > 0 {
			return nil, bad(nil, "the reply holds no results")
		}
		if named {
			if err := json.Unmarshal(raw, &results); err != nil {
				return nil, bad(err, fmt.Sprintf("the results cannot be read (%v)", err))
			}
		}
	}
	outcomes := make([]channel.Outcome, len(levels))
	for i := range outcomes {
		outcomes[i].Verdict = channel.Acknowledged
	}
	if len(results) == 0 {
		return outcomes, nil
	}
	type place struct{ sku, location string }
	at := make(map[place]int, len(levels))
	locations := make(map[string][]int, len(levels))
	for i, l := range levels {
		at[place{l.SKU, l.Location}] = i
		locations[l.SKU] = append(locations[l.SKU], i)
	}
	exact := make([]bool, len(levels))
	var loose []*result
	for n, r := range results {
		if r == nil || r.SKU == "" {
			return nil, bad(nil, fmt.Sprintf("result %d names no sku", n+1))
		}
		if i, ok := at[place{string(r.SKU), string(r.Location)}]; ok {
			exact[i] = true
			worsen(&outcomes[i], r, hide)
		} else {
			loose = append(loose, r)
		}
	}
	for _, r := range loose {
		for _, i := range locations[string(r.SKU)] {
			if !exact[i] && (r.Location == "" || levels[i].Location == "") {
				worsen(&outcomes[i], r, hide)
			}
		}
	}
	return outcomes, nil
}

// worsen makes an outcome what a result says, unless it is worse already.
func worsen(o *channel.Outcome, r *result, hide func(string) string) {
	switch status := strings.ToLower(string(r.Status)); {
	case status == "ok" || o.Verdict == channel.Refused:
	case status == "error":
		*o = channel.Outcome{
			Verdict: channel.Refused,
			Code:    cmp.Or(words(r.Code, hide), string(fault.Refused)),
			Message: cmp.Or(words(r.Message, hide), "the store gave no reason"),
		}
	default:
		*o = channel.Outcome{
			Verdict: channel.Unknown, Code: string(fault.BadReply),
			Message: outbound.Excerpt(fmt.Appendf(nil, "the store answered with status %q, which is neither ok nor error: %s", r.Status, words(r.Message, hide))),
		}
	}
}

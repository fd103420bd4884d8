package shiphero

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"

	"stockbridge/internal/fault"
	"stockbridge/internal/outbound"
	"stockbridge/internal/warehouse/paged"
)

// failure is one of a GraphQL reply's errors, as ShipHero writes them: code 30 is not enough credits, which tells of when
// there will be.
type failure struct {
	Message   string      `json:"message"`
	Code      paged.Text  `json:"code"`
	Required  json.Number `json:"required_credits"`
	Remaining json.Number `json:"remaining_credits"`
	Time      paged.Text  `json:"time_remaining"` // "8 seconds"
}

const notEnoughCredits = "30"

// reply is what a GraphQL reply holds besides its data.
type reply struct {
	Errors     []failure `json:"errors"`
	Extensions struct {
		Throttling struct {
			Cost  *float64 `json:"cost"`
			Quota struct {
				Left *float64 `json:"credits_remaining"`
			} `json:"user_quota"`
		} `json:"throttling"`
	} `json:"extensions"`
}

// query makes a GraphQL request and reads the data of its reply. complexity, read from the data, is what it cost.
func (s *Source) query(ctx context.Context, text string, variables map[string]any, data any, untried bool) error {
	body, err := json.Marshal(map[string]any{"query": text, "variables": variables})
	if err != nil {
		return fmt.Errorf("ask %s: %w", name, err)
	}
	var got struct {
		Data json.RawMessage `json:"data"`
	}
	err = s.client.Ask(ctx, outbound.Request{
		Method: http.MethodPost, URL: s.endpoint + "/graphql", Body: body, Untried: untried,
		Header: http.Header{"Content-Type": {"application/json"}, "Accept": {"application/json"}},
		Judge:  s.judge,
	}, &got)
	if err != nil {
		return err
	}
	if len(got.Data) == 0 || string(got.Data) == "null" {
		return fault.New(fault.BadReply, "%s: the reply holds no data: it is no reply to a query", name)
	}
	if err := json.Unmarshal(got.Data, data); err != nil {
		return fault.Wrap(err, fault.BadReply, "%s: the reply is not what was asked for (%v)", name, err)
	}
	return nil
}

// judge tells errors within a 200 apart: no credits left is a matter of time, any other means that there is no page. The
// last is BAD_REPLY, but for words of a token that is not, or no longer, good.
func (s *Source) judge(r outbound.Reply) error {
	var got reply
	// What is not JSON has no errors to judge; Decode refuses it.
	readable := json.Unmarshal(r.Body, &got) == nil
	for _, f := range got.Errors {
		if f.Code.S == notEnoughCredits {
			return &outbound.Again{
				Throttled: true, After: s.budget.lacking(f),
				Err: fault.New(fault.Throttled, "%s has no credits left for this: %s", name, s.client.Peer.Hide(f.Message)),
			}
		}
	}
	if err := s.client.Judge(r); err != nil {
		return err
	}
	if len(got.Errors) > 0 {
		words := make([]string, len(got.Errors))
		for i, f := range got.Errors {
			words[i] = f.Message
			if f.Code.S != "" {
				words[i] += " (code " + f.Code.S + ")"
			}
		}
		return fault.New(fault.BadReply, "%s refused the query: %s", name, s.client.Peer.Hide(strings.Join(words, "; ")))
	}
	if quota := got.Extensions.Throttling; readable {
		s.budget.told(quota.Quota.Left)
	}
	return nil
}

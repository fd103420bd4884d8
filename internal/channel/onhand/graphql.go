package onhand

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"net/http"

	"stockbridge/internal/outbound"
)

// Graph is a GraphQL API.
type Graph struct {
	Peer   *outbound.Peer
	URL    string
	Header http.Header // beside what the peer's credentials sign with; may be nil
}

// graphError is one of a reply's errors. Vendure and most have the code in extensions, Saleor in extensions.exception.
type graphError struct {
	Message    string `json:"message"`
	Extensions struct {
		Code      string `json:"code"`
		Exception struct {
			Code string `json:"code"`
		} `json:"exception"`
	} `json:"extensions"`
}

// Ask sends a document and reads the reply's data. Errors are Ask's; a *Refusal for a reply with errors, in a 200 too, with
// the code and words of the first of them (code GRAPHQL_ERROR where it has none); a *Failed around BAD_REPLY
// for a reply that is no GraphQL.
func (g Graph) Ask(ctx context.Context, document string, variables, data any) (outbound.Reply, error) {
	body, err := json.Marshal(map[string]any{"query": document, "variables": variables})
	if err != nil {
		return outbound.Reply{}, err
	}
	header := g.Header.Clone()
	if header == nil {
		header = http.Header{}
	}
	header.Set("Content-Type", "application/json")
	header.Set("Accept", "application/json")
	reply, err := Ask(ctx, g.Peer, outbound.Request{Method: http.MethodPost, URL: g.URL, Header: header, Body: body})
	var failed *Failed
	if err != nil && (errors.As(err, &failed) || reply.Status == http.StatusRequestEntityTooLarge) {
		return reply, err
	}
	var got struct {
		Data   json.RawMessage `json:"data"`
		Errors []graphError    `json:"errors"`
	}
	unread := json.Unmarshal(reply.Body, &got)
	switch {
	case unread == nil && len(got.Errors) > 0:
		e := got.Errors[0]
		return reply, &Refusal{
			Code:    cmp.Or(g.Peer.Hide(e.Extensions.Code), g.Peer.Hide(e.Extensions.Exception.Code), "GRAPHQL_ERROR"),
			Message: cmp.Or(g.Peer.Hide(e.Message), "the store gave no reason"),
		}
	case err != nil: // 4xx in other words
		return reply, err
	case unread != nil:
		return reply, BadReply(g.Peer, reply, unread, "the reply is not GraphQL's JSON")
	case len(got.Data) == 0 || bytes.Equal(got.Data, []byte("null")):
		return reply, BadReply(g.Peer, reply, nil, "the reply holds no data")
	}
	if err := json.Unmarshal(got.Data, data); err != nil {
		return reply, BadReply(g.Peer, reply, err, "the reply's data are not what was asked for")
	}
	return reply, nil
}

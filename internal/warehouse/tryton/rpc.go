package tryton

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"

	"stockbridge/internal/fault"
	"stockbridge/internal/outbound"
	"stockbridge/internal/warehouse/paged"
)

// answer is a reply of JSON-RPC as trytond writes it: an error is a list whose first is its kind, or the words of what failed
// and a traceback.
type answer struct {
	Result json.RawMessage   `json:"result"`
	Error  []json.RawMessage `json:"error"`
}

// call calls a method and reads its result.
func call(ctx context.Context, client paged.Client, address, method string, params []any, result any, untried bool) error {
	body, err := json.Marshal(map[string]any{"id": 1, "method": method, "params": params})
	if err != nil {
		return fmt.Errorf("call %s: %w", method, err)
	}
	var got answer
	err = client.Ask(ctx, outbound.Request{
		Method: http.MethodPost, URL: address, Body: body, Header: http.Header{"Content-Type": {"application/json"}}, Untried: untried,
		Judge: func(r outbound.Reply) error {
			if err := client.Judge(r); err != nil {
				return err
			}
			return failure(client, method, r)
		},
	}, &got)
	switch {
	case err != nil:
		return err
	case len(got.Result) == 0 || string(got.Result) == "null":
		return fault.New(fault.BadReply, "%s: the reply to %s holds no result: check the url and the database", name, method)
	}
	if err := json.Unmarshal(got.Result, result); err != nil {
		return fault.Wrap(err, fault.BadReply, "%s: the result of %s is not as documented (%v)", name, method, err)
	}
	return nil
}

// failure judges an error within a 200. What somebody else's change or a crowd brought about passes; a login that needs more
// than a password is CREDENTIALS_REFUSED; the rest is BAD_REPLY with Tryton's words, and without its traceback.
func failure(client paged.Client, method string, r outbound.Reply) error {
	var got answer
	if json.Unmarshal(r.Body, &got) != nil || len(got.Error) == 0 {
		return nil // no error, or not JSON at all, which Decode refuses
	}
	kind, words := text(got.Error[0]), ""
	var parts []json.RawMessage
	if len(got.Error) > 1 && json.Unmarshal(got.Error[1], &parts) == nil {
		for _, p := range parts {
			if t := text(p); t != "" {
				words += ": " + t
			}
		}
	}
	words = client.Peer.Hide(kind + words)
	switch kind {
	case "ConcurrencyException", "RateLimitException":
		return &outbound.Again{Throttled: true, Err: fault.New(fault.Throttled, "%s is busy with %s: %s", name, method, words)}
	case "LoginException":
		return fault.New(fault.CredentialsRefused, "credentials refused: %s asks for more than a password: %s", name, words)
	}
	return fault.New(fault.BadReply, "%s refused %s: %s", name, method, words)
}

// text is a JSON string's, "" for anything else.
func text(raw json.RawMessage) string {
	var s string
	if json.Unmarshal(raw, &s) != nil {
		return ""
	}
	return s
}

// number takes a figure as trytond writes it: a float, or {"__class__":"Decimal","decimal":"12.50"}. null is "".
type number struct{ s string }

func (n *number) UnmarshalJSON(b []byte) error {
	var plain paged.Text
	if err := plain.UnmarshalJSON(b); err != nil {
		return err
	}
	if n.s = plain.S; !plain.Odd {
		return nil
	}
	var typed struct {
		Class   string `json:"__class__"`
		Decimal string `json:"decimal"`
	}
	if json.Unmarshal(b, &typed) == nil && typed.Class == "Decimal" {
		n.s = typed.Decimal
	}
	return nil // anything else is no number, and refused as such by its row
}

package demo

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
)

// api speaks GraphQL with the server, as any client would.
type api struct{ url, token string }

// post sends a document; the caller closes the answer's body.
func (a api) post(ctx context.Context, accept, query string, variables any) (*http.Response, error) {
	body, err := json.Marshal(map[string]any{"query": query, "variables": variables})
	if err != nil {
		return nil, err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, a.url+"/graphql", bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	req.Header = http.Header{"Authorization": {"Bearer " + a.token}, "Content-Type": {"application/json"}, "Accept": {accept}}
	return http.DefaultClient.Do(req)
}

// answer is one GraphQL response.
type answer[T any] struct {
	Data   *T
	Errors []struct{ Message string }
}

func (r answer[T]) value() (T, error) {
	var none T
	if len(r.Errors) > 0 {
		return none, errors.New(r.Errors[0].Message)
	}
	if r.Data == nil {
		return none, errors.New("an answer without data")
	}
	return *r.Data, nil
}

// payload is what a mutation answers, the object under the alias it.
type payload struct {
	Result struct {
		It         *struct{ ID string }
		UserErrors []struct {
			Field   []string
			Message string
		}
	}
}

// mutate runs a mutation and returns the id of the object that comes back. name is the mutation's, object the payload's
// field.
func (a api) mutate(ctx context.Context, name, object string, input map[string]any) (id string, err error) {
	defer func() {
		if err != nil {
			err = fmt.Errorf("%s: %w", name, err)
		}
	}()
	query := fmt.Sprintf("mutation($input: %s%sInput!) { result: %s(input: $input) { it: %s { id } userErrors { field message } } }",
		strings.ToUpper(name[:1]), name[1:], name, object)
	resp, err := a.post(ctx, "application/graphql-response+json", query, map[string]any{"input": input})
	if err != nil {
		return "", err
	}
	defer resp.Body.Close() //nolint:errcheck // read to its end, or given up
	var got answer[payload]
	if err := json.NewDecoder(resp.Body).Decode(&got); err != nil {
		return "", fmt.Errorf("%s: %w", resp.Status, err)
	}
	data, err := got.value()
	if err != nil {
		return "", err
	}
	if faults := data.Result.UserErrors; len(faults) > 0 {
		return "", fmt.Errorf("%s: %s", strings.Join(faults[0].Field, "."), faults[0].Message)
	}
	if data.Result.It == nil {
		return "", errors.New("nothing came back")
	}
	return data.Result.It.ID, nil
}

// run is how a sync stands.
type run struct {
	Status, Error            string
	Reported, Pushed, Failed int
	Problems                 struct {
		Nodes []struct{ SKU, Message string }
	}
}

// follow waits for a sync to end, by its subscription.
func (a api) follow(ctx context.Context, id string) (run, error) {
	resp, err := a.post(ctx, "text/event-stream",
		"subscription($id: ID!) { syncRun(id: $id) { status error reported pushed failed problems(first: 5) { nodes { sku message } } } }", map[string]any{"id": id})
	if err != nil {
		return run{}, fmt.Errorf("follow a sync: %w", err)
	}
	defer resp.Body.Close() //nolint:errcheck // read to its end, or given up
	var last run
	for lines := bufio.NewScanner(resp.Body); lines.Scan(); {
		data, ok := strings.CutPrefix(lines.Text(), "data: ")
		if !ok {
			if lines.Text() == "event: complete" {
				return last, nil
			}
			continue
		}
		var got answer[struct{ SyncRun run }]
		if err := json.Unmarshal([]byte(data), &got); err != nil {
			return run{}, fmt.Errorf("follow a sync: %w", err)
		}
		value, err := got.value()
		if err != nil {
			return run{}, fmt.Errorf("follow a sync: %w", err)
		}
		last = value.SyncRun
	}
	return run{}, errors.Join(errors.New("the stream of a sync broke off"), ctx.Err())
}

package bigcommerce

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"stockbridge/internal/channel/onhand"
	"stockbridge/internal/fault"
	"stockbridge/internal/outbound"
)

// problem is BigCommerce's form of an error (application/problem+json).
type problem struct {
	Title  string         `json:"title"`
	Errors map[string]any `json:"errors"`
}

// words are the title, and what the errors say beside it.
func (p problem) words() string {
	var all []string
	for at, what := range p.Errors {
		all = append(all, fmt.Sprintf("%s: %v", at, what))
	}
	slices.Sort(all)
	return strings.Join(append([]string{p.Title}, all...), "; ")
}

// call makes a request once, alone. Errors are those of onhand.Ask, with BigCommerce's words in a *Refusal, and said is what they were made of.
// When the store has no requests left, what follows is held until it has.
func (s shop) call(ctx context.Context, method, path string, body, into any) (said problem, err error) {
	r := outbound.Request{Method: method, URL: s.base + path, Header: s.header}
	if body != nil {
		if r.Body, err = json.Marshal(body); err != nil {
			return said, err
		}
	}
	select {
	case s.turn <- struct{}{}:
	case <-ctx.Done():
		return said, ctx.Err()
	}
	reply, err := onhand.Ask(ctx, s.peer, r)
	<-s.turn
	reset := after(reply.Header)
	var refusal *onhand.Refusal
	var failed *onhand.Failed
	switch {
	case errors.As(err, &failed):
		if fault.CodeOf(err) == fault.Throttled && reply.Header.Get("Retry-After") == "" && reset > 0 {
			failed.Reply.Header = reply.Header.Clone() // in the form that all platforms share
			failed.Reply.Header.Set("Retry-After", strconv.FormatFloat(reset.Seconds(), 'f', 3, 64))
		}
		return said, failed
	case errors.As(err, &refusal):
		if json.Unmarshal(reply.Body, &said) == nil && said.Title != "" {
			refusal.Message = s.peer.Hide(said.words())
		}
		return said, refusal
	case err != nil:
		return said, err
	}
	if left := reply.Header.Get("X-Rate-Limit-Requests-Left"); left == "0" {
		s.peer.Pace().Hold(reset)
	}
	if err := json.Unmarshal(reply.Body, into); err != nil {
		return said, onhand.BadReply(s.peer, reply, err, "the reply is not BigCommerce's JSON")
	}
	return said, nil
}

// longestReset is what a time beyond it counts as: the windows of BigCommerce's limits are 30 seconds long.
const longestReset = time.Minute

// after is when the store has requests left again; 0 if it does not say.
func after(header http.Header) time.Duration {
	ms, err := strconv.ParseInt(header.Get("X-Rate-Limit-Time-Reset-Ms"), 10, 64)
	if err != nil || ms < 0 {
		return 0
	}
	return min(time.Duration(min(ms, longestReset.Milliseconds()))*time.Millisecond, longestReset)
}

const maxPages = 100 // of a list, after which the store is taken to repeat itself

// pages reads a list to its end.
func pages[T any](ctx context.Context, s shop, path string, size int, query url.Values) (all []T, err error) {
	query.Set("limit", strconv.Itoa(size))
	for page := 1; page <= maxPages; page++ {
		query.Set("page", strconv.Itoa(page))
		var reply struct {
			Data *[]T `json:"data"`
			Meta struct {
				Pagination *struct {
					TotalPages int `json:"total_pages"`
				} `json:"pagination"`
			} `json:"meta"`
		}
		if _, err := s.call(ctx, http.MethodGet, path+"?"+query.Encode(), nil, &reply); err != nil {
			return nil, err
		}
		if reply.Data == nil || reply.Meta.Pagination == nil {
			return nil, &onhand.Failed{Err: fault.New(fault.BadReply, "the reply of %s holds no list with pages", path)}
		}
		all = append(all, *reply.Data...)
		if page >= reply.Meta.Pagination.TotalPages {
			return all, nil
		}
	}
	return nil, &onhand.Failed{Err: fault.New(fault.BadReply, "the list %s of the store does not end after %d pages", path, maxPages)}
}

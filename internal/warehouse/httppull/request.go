package httppull

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"stockbridge/internal/fault"
	"stockbridge/internal/outbound"
	"stockbridge/internal/warehouse"
)

// How long a warehouse that asks for time is borne with (spec section 6).
const (
	longestWait = 5 * time.Minute  // at once, however long it asks for
	patience    = 15 * time.Minute // per page, in sum
)

// page asks for the page at the cursor until it comes, or patience ends.
func (s *Source) page(ctx context.Context, cursor string, before int, yield func(warehouse.Level, *warehouse.RowError) error) (p page, err error) {
	target := s.pageURL(cursor, pageSize)
	err = outbound.Retry{Budget: patience, Clock: s.opts.Clock}.Do(ctx, func() error {
		p, err = s.attempt(ctx, target, before, yield)
		return err
	})
	return p, err
}

// pageURL adds the parameters of a page behind those that the URL has, which are left as they are written.
func (s *Source) pageURL(cursor string, limit int) string {
	u := *s.url
	var query []string
	if u.RawQuery != "" {
		query = append(query, u.RawQuery)
	}
	if !u.Query().Has("limit") {
		query = append(query, "limit="+strconv.Itoa(limit))
	}
	if cursor != "" {
		query = append(query, "cursor="+url.QueryEscape(cursor))
	}
	u.RawQuery = strings.Join(query, "&")
	return u.String()
}

// attempt makes one request and yields the page that comes back; before is how many items came on earlier pages.
// The error is an *outbound.Again where the same request may do better, and nothing was yielded.
func (s *Source) attempt(ctx context.Context, target string, before int, yield func(warehouse.Level, *warehouse.RowError) error) (page, error) {
	timed, cancel := context.WithTimeout(ctx, s.opts.PageTimeout)
	defer cancel()
	req, err := http.NewRequestWithContext(timed, http.MethodGet, target, nil)
	if err != nil {
		return page{}, fmt.Errorf("ask %s: %w", s.name(), err)
	}
	req.Header.Set("Accept", "application/json")
	if s.token != "" {
		req.Header.Set("Authorization", "Bearer "+s.token)
	}
	resp, err := s.client.Do(req)
	if err != nil {
		return page{}, s.unreachable(ctx, timed, err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return page{}, s.refusal(resp)
	}
	d := newDecoder(resp, before, yield)
	p, err := d.page()
	switch {
	case err == nil, d.refused:
		return p, err
	case ctx.Err() != nil:
		return page{}, ctx.Err()
	case d.body.err != nil && d.yielded:
		// Asked again, the page might differ from what was yielded of it.
		return page{}, fault.Wrap(d.body.err, fault.Unreachable, "%s broke off in the middle of a reply", s.name())
	case d.body.err != nil:
		return page{}, s.unreachable(ctx, timed, d.body.err)
	}
	return page{}, fault.Wrap(err, fault.BadReply, "%s: %s", s.name(), d.words(err))
}

// unreachable sorts the error of a request that got no whole reply; timed is ctx with the time a page may take.
func (s *Source) unreachable(ctx, timed context.Context, err error) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	var outer *url.Error
	if errors.As(err, &outer) {
		err = outer.Err // its own words hold the URL's query
	}
	if fault.CodeOf(err) != "" { // an address or a redirection that is refused
		return err
	}
	words := err.Error()
	if timed.Err() != nil {
		words = "no answer within " + s.opts.PageTimeout.String()
	}
	return &outbound.Again{Err: fault.Wrap(err, fault.Unreachable, "%s cannot be reached (%s): check the url, and that the warehouse is up", s.name(), words)}
}

// refusal sorts a reply that is no page.
func (s *Source) refusal(resp *http.Response) error {
	code := resp.StatusCode
	wait, told := outbound.RetryAfter(resp.Header.Get("Retry-After"), s.opts.Clock.Now())
	switch {
	case code == http.StatusUnauthorized, code == http.StatusForbidden:
		return fault.New(fault.CredentialsRefused, "credentials refused: %s answered %s; set a token that may read inventory", s.name(), resp.Status)
	case code == http.StatusTooManyRequests, code == http.StatusServiceUnavailable && told:
		return &outbound.Again{Throttled: true, After: min(wait, longestWait),
			Err: fault.New(fault.Throttled, "%s goes on answering %s: pull less often, or ask for a higher limit", s.name(), resp.Status)}
	case code == http.StatusRequestTimeout, code >= 500:
		return &outbound.Again{Err: fault.New(fault.Unreachable, "%s answered %s: the warehouse must mend that", s.name(), resp.Status)}
	}
	head, err := io.ReadAll(io.LimitReader(resp.Body, 4<<10))
	if err != nil {
		head = fmt.Appendf(head, " (%v)", err)
	}
	return fault.New(fault.BadReply, "%s answered %s instead of a page of levels: check the url (%s)", s.name(), resp.Status, outbound.Excerpt(head))
}

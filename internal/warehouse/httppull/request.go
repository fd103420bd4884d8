package httppull

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"stockbridge/internal/fault"
	"stockbridge/internal/warehouse"
)

// How long a warehouse that fails for the moment is borne with, per page (spec section 6).
const (
	maxFailures = 4                      // tries that may fail
	firstDelay  = 500 * time.Millisecond // after the first failure; doubled after each, and jittered by half
	maxTold     = 20                     // waits that the warehouse may ask for
	longestWait = 5 * time.Minute        // however long it asks for
)

// again is a failure that may pass.
type again struct {
	err   error
	after time.Duration // how long the warehouse asks to wait
	told  bool          // whether it does
}

func (a *again) Error() string { return a.err.Error() }
func (a *again) Unwrap() error { return a.err }

// page asks for the page at the cursor until it comes, or patience ends.
func (s *Source) page(ctx context.Context, cursor string, before int, yield func(warehouse.Level, *warehouse.RowError) error) (page, error) {
	target := s.pageURL(cursor, pageSize)
	failures, told := 0, 0
	for {
		p, err := s.attempt(ctx, target, before, yield)
		var a *again
		if !errors.As(err, &a) {
			return p, err
		}
		d := firstDelay<<failures/2 + rand.N(firstDelay<<failures)
		if a.told {
			told++
			d = min(max(a.after, firstDelay), longestWait)
		} else {
			failures++
		}
		if failures == maxFailures || told > maxTold {
			return page{}, a.err
		}
		if err := s.opts.Wait(ctx, d); err != nil {
			return page{}, err
		}
	}
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
// The error is an *again where the same request may do better, and nothing was yielded.
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
	return &again{err: fault.Wrap(err, fault.Unreachable, "%s cannot be reached (%s): check the url, and that the warehouse is up", s.name(), words)}
}

// refusal sorts a reply that is no page.
func (s *Source) refusal(resp *http.Response) error {
	switch code := resp.StatusCode; {
	case code == http.StatusUnauthorized, code == http.StatusForbidden:
		return fault.New(fault.CredentialsRefused, "credentials refused: %s answered %s; set a token that may read inventory", s.name(), resp.Status)
	case code == http.StatusTooManyRequests:
		a := &again{err: fault.New(fault.Throttled, "%s goes on answering %s: pull less often, or ask for a higher limit", s.name(), resp.Status)}
		a.after, a.told = s.retryAfter(resp)
		return a
	case code == http.StatusRequestTimeout, code >= 500:
		a := &again{err: fault.New(fault.Unreachable, "%s answered %s: the warehouse must mend that", s.name(), resp.Status)}
		if code == http.StatusServiceUnavailable {
			a.after, a.told = s.retryAfter(resp)
		}
		return a
	}
	head, err := io.ReadAll(io.LimitReader(resp.Body, 1200))
	if err != nil {
		head = fmt.Appendf(head, " (%v)", err)
	}
	words := []rune(strings.Join(strings.Fields(strings.ToValidUTF8(string(head), "")), " "))
	return fault.New(fault.BadReply, "%s answered %s instead of a page of levels: check the url (%.300s)", s.name(), resp.Status, string(words))
}

// retryAfter reads how long the warehouse asks to wait, as seconds or a date.
func (s *Source) retryAfter(resp *http.Response) (d time.Duration, told bool) {
	text := strings.TrimSpace(resp.Header.Get("Retry-After"))
	if at, err := http.ParseTime(text); err == nil {
		return at.Sub(s.opts.Now()), true
	}
	seconds, err := strconv.ParseFloat(text, 64)
	if err != nil || !(seconds >= 0) {
		return 0, false
	}
	return time.Duration(min(seconds, longestWait.Seconds()) * float64(time.Second)), true
}

// Package httppull is the platform "http": a warehouse that answers GET requests with its levels as JSON, page by
// page (wire.md, "HTTP warehouse").
package httppull

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"stockbridge/internal/fault"
	"stockbridge/internal/outbound"
	"stockbridge/internal/warehouse"
)

const (
	pageSize  = 1000    // levels asked for at once
	maxPages  = 100_000 // of one report; more is an endless chain
	maxCursor = 4 << 10 // bytes of a cursor, which travels in the URL
)

// Config is how an HTTP warehouse is reached.
type Config struct {
	// URL is what is asked, http or https. Its query parameters are kept; limit and cursor are added, unless it has a limit of its own.
	URL   string `json:"url"`
	Token string `json:"token,omitempty"` // sent as Authorization: Bearer, if set
}

// Options are what the server gives every source. The zero value works, for public addresses.
type Options struct {
	Network     outbound.Policy
	PageTimeout time.Duration  // how long one page may take as a whole; 0: 10 minutes
	Clock       outbound.Clock // zero: the real one
}

// Source is a warehouse.Source. Every pull is one report: Next answers one, then io.EOF, then one again. Reaching the warehouse is left
// to Read.
type Source struct {
	opts    Options
	url     *url.URL
	token   string
	client  *http.Client
	offered bool
}

// New checks the setting and asks nobody. Its faults are BLANK or INVALID at fields "url" and "token".
func New(cfg Config, opts Options) (*Source, error) {
	u, err := cfg.address()
	if err != nil {
		return nil, err
	}
	opts.PageTimeout = cmp.Or(opts.PageTimeout, 10*time.Minute)
	if opts.Clock.Now == nil {
		opts.Clock.Now = time.Now
	}
	return &Source{opts: opts, url: u, token: cfg.Token, client: opts.Network.Client(1, time.Minute)}, nil
}

// address parses the URL, and checks all of the setting.
func (c Config) address() (*url.URL, error) {
	var faults fault.List
	u, err := url.Parse(c.URL)
	switch {
	case c.URL == "":
		faults = append(faults, fault.At("url", fault.Blank, "the url is missing: write it as https://host/path"))
	case err != nil: // the parser's error repeats the URL, which may hold a password
		faults = append(faults, fault.At("url", fault.Invalid, "the url cannot be read: write it as https://host/path"))
	case u.Scheme != "http" && u.Scheme != "https" || u.Hostname() == "":
		faults = append(faults, fault.At("url", fault.Invalid, "the url names no web address: write it as https://host/path"))
	case u.User != nil:
		faults = append(faults, fault.At("url", fault.Invalid, "the url holds credentials, and urls are shown: take them out and set token"))
	case u.Fragment != "":
		faults = append(faults, fault.At("url", fault.Invalid, "the url has a part after #, which is never sent: take it out"))
	}
	if strings.ContainsFunc(c.Token, func(r rune) bool { return r <= ' ' || r > '~' }) {
		faults = append(faults, fault.At("token", fault.Invalid, "the token holds blanks or characters that no HTTP header takes: paste it again"))
	}
	return u, faults.Or()
}

// name is the URL as it may be shown: query parameters can be secrets.
func (s *Source) name() string { return s.url.Host + s.url.EscapedPath() }

// Next answers the report of this pull.
func (s *Source) Next(context.Context) (warehouse.Report, error) {
	if s.offered = !s.offered; !s.offered {
		return nil, io.EOF
	}
	return &report{source: s}, nil
}

// Test asks once, for one level, and does not try again. It stops reading where a page has pageSize levels.
func (s *Source) Test(ctx context.Context) (string, error) {
	usable, refused := 0, []string(nil)
	enough := errors.New("enough")
	p, err := s.attempt(ctx, s.pageURL("", 1), 0, func(_ warehouse.Level, e *warehouse.RowError) error {
		if e == nil {
			usable++
		} else {
			refused = append(refused, e.Error())
		}
		if usable+len(refused) == pageSize {
			return enough
		}
		return nil
	})
	var again *outbound.Again
	switch {
	case errors.As(err, &again):
		return "", again.Err
	case errors.Is(err, enough):
		p.next = "?" // whatever follows, there is more
	case err != nil:
		return "", err
	}
	words := fmt.Sprintf("%s answered; usable levels on its first page: %d", s.name(), usable)
	if len(refused) > 0 {
		words += fmt.Sprintf(", unusable: %d (first: %s)", len(refused), refused[0])
	}
	if p.next != "" {
		words += "; more pages follow"
	}
	return words, nil
}

// Close lets go of idle connections.
func (s *Source) Close() error {
	s.client.CloseIdleConnections()
	return nil
}

// report is what the warehouse says in one pull.
type report struct {
	source   *Source
	complete bool
}

func (r *report) Name() string { return r.source.name() }

// Stamp is empty: every pull is a report anew.
func (r *report) Stamp() string { return "" }

// Read asks for page after page. Besides BAD_REPORT (a complete report without levels) its errors are CREDENTIALS_REFUSED, UNREACHABLE,
// ADDRESS_REFUSED, THROTTLED and BAD_REPLY.
func (r *report) Read(ctx context.Context, yield func(warehouse.Level, *warehouse.RowError) error) error {
	s := r.source
	items, cursor, seen := 0, "", map[string]bool{}
	for range maxPages {
		p, err := s.page(ctx, cursor, items, yield)
		if err != nil {
			return err
		}
		items += p.items
		switch {
		case p.next == "" && p.complete && items == 0:
			r.complete = true
			return fault.Wrap(warehouse.ErrEmpty, fault.BadReport, "%s calls its report complete, but names no level", s.name())
		case p.next == "":
			// What earlier pages say of themselves does not matter: some call every page complete, some none but the last.
			r.complete = p.complete
			return nil
		case seen[p.next]:
			return fault.New(fault.BadReply, "%s gives the cursor %s twice: its pages go in a circle; the last page must have no nextCursor", s.name(), warehouse.Excerpt(p.next))
		}
		seen[p.next], cursor = true, p.next
	}
	return fault.New(fault.BadReply, "%s has more than %d pages: the last page must have no nextCursor", s.name(), maxPages)
}

func (r *report) Complete() bool { return r.complete }

// The platform has no place to note what became of a report.

func (r *report) Accept(context.Context) error        { return nil }
func (r *report) Fail(context.Context, error) error   { return nil }
func (r *report) Reject(context.Context, error) error { return nil }

// Package amazon pushes levels to a seller's account at Amazon through the Selling Partner API (wire.md, "Amazon SP-API").
//
// Many levels go as one feed (JSON_LISTINGS_FEED), whose report tells of each; a few go by themselves, each with a PATCH of its listing,
// which is there in seconds where a feed takes minutes.
package amazon

import (
	"cmp"
	"context"
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"sync/atomic"
	"time"

	"stockbridge/internal/channel"
	"stockbridge/internal/fault"
	"stockbridge/internal/outbound"
)

const (
	// maxMessages is what a feed takes (listings feed schema v2), and our batch, so that a Full Sync needs few of the 5 feeds in 5 minutes.
	maxMessages = 25_000
	// maxFeed is how many bytes Amazon advises a feed to have at most: 10 MiB.
	maxFeed = 10 << 20
	// few levels go by PATCH: 20 take 4 s at the rate allowed.
	few         = 20
	concurrency = 4         // feeds under way at once: one Full Sync of 100,000 SKUs
	mostUnits   = 1<<31 - 1 // an integer of Amazon's
	inARow      = 3         // requests without a usable answer after which the account counts as down
	// documentLimit is how much of a report is read, packed and unpacked: 25,000 messages with an issue each are about 10 MB.
	documentLimit = 64 << 20
)

// Config says whose account, and how it lets in. Its JSON is what a store's row keeps.
type Config struct {
	SellerID       string   `json:"sellerId"`
	MarketplaceIDs []string `json:"marketplaceIds"`         // 1 to 25, of one region
	Region         string   `json:"region,omitempty"`       // NA, EU or FE; "": NA
	ClientID       string   `json:"clientId"`               // of the application, for Login with Amazon
	ClientSecret   string   `json:"clientSecret,omitempty"` // as ClientID
	RefreshToken   string   `json:"refreshToken,omitempty"` // what the seller's authorisation gave
	// FulfillmentChannelCode is the channel whose quantity is set; "": "DEFAULT", the seller's own.
	FulfillmentChannelCode string `json:"fulfillmentChannelCode,omitempty"`
	Endpoint               string `json:"endpoint,omitempty"`      // in place of the region's, for a stand-in
	TokenEndpoint          string `json:"tokenEndpoint,omitempty"` // in place of Amazon's, whole address
}

// regions are the addresses of the API (SP-API endpoints).
func regions() map[string]string {
	return map[string]string{
		"NA": "https://sellingpartnerapi-na.amazon.com",
		"EU": "https://sellingpartnerapi-eu.amazon.com",
		"FE": "https://sellingpartnerapi-fe.amazon.com",
	}
}

const tokenEndpoint = "https://api.amazon.com/auth/o2/token" //nolint:gosec // an address

// Store is a connected account. It looks up no ids: Amazon goes by SKUs.
type Store struct {
	cfg       Config
	base      string
	limits    *limits
	signer    *signer
	feeds     *outbound.Peer // operations of feeds
	items     *outbound.Peer // operations of listings
	documents *outbound.Peer // where feeds and reports lie: another host, which gets no token
	login     *outbound.Peer // Login with Amazon
	silent    atomic.Int32   // requests in a row without a usable answer

	unfinished unfinished
}

var _ channel.Sink = (*Store)(nil)

var plainID = regexp.MustCompile(`^[A-Z0-9]{6,30}$`)

// New checks the settings, with faults at the names of Config's JSON, and dials nobody.
func New(cfg Config, opts outbound.Options) (*Store, error) {
	var faults fault.List
	add := func(field string, code fault.Code, format string, args ...any) {
		faults = append(faults, fault.At(field, code, format, args...))
	}
	if !plainID.MatchString(cfg.SellerID) {
		add("sellerId", fault.Invalid, "sellerId is %.40q; write the seller's merchant token, as A2EXAMPLE1234", cfg.SellerID)
	}
	switch n := len(cfg.MarketplaceIDs); {
	case n == 0:
		add("marketplaceIds", fault.Blank, "set marketplaceIds to at least one marketplace: ATVPDKIKX0DER is the United States")
	case n > 25:
		add("marketplaceIds", fault.TooMany, "there are %d marketplaceIds; Amazon takes 25", n)
	}
	for _, id := range cfg.MarketplaceIDs {
		if !plainID.MatchString(id) {
			add("marketplaceIds", fault.Invalid, "%.40q is no marketplace's id; write it as ATVPDKIKX0DER", id)
			break
		}
	}
	cfg.Region = cmp.Or(cfg.Region, "NA")
	base, ok := regions()[cfg.Region]
	if !ok {
		add("region", fault.Invalid, "region is %.20q; set it to NA, EU or FE", cfg.Region)
	}
	cfg.FulfillmentChannelCode = cmp.Or(cfg.FulfillmentChannelCode, "DEFAULT")
	switch code := cfg.FulfillmentChannelCode; {
	case strings.HasPrefix(code, "AMAZON_"):
		add("fulfillmentChannelCode", fault.Invalid, "Amazon counts what lies in its own warehouses (%.40q) by itself; set the seller's own channel, DEFAULT", code)
	case strings.ContainsFunc(code, func(c rune) bool { return c <= ' ' || c >= 0x7f }) || len(code) > 64:
		add("fulfillmentChannelCode", fault.Invalid, "fulfillmentChannelCode is %.40q; set it to DEFAULT, the seller's own channel", code)
	}
	for _, s := range []struct{ field, value, where string }{
		{"clientId", cfg.ClientID, "the application's client id (amzn1.application-oa2-client.…)"},
		{"clientSecret", cfg.ClientSecret, "the application's client secret"},
		{"refreshToken", cfg.RefreshToken, "the refresh token that the seller's authorisation gave (Atzr|…)"},
	} {
		switch {
		case strings.TrimSpace(s.value) == "":
			add(s.field, fault.Blank, "set %s to %s", s.field, s.where)
		case strings.ContainsFunc(s.value, func(c rune) bool { return c <= ' ' || c >= 0x7f }):
			add(s.field, fault.Invalid, "the %s holds a space, a line break or another character that none has; take it out", s.field)
		}
	}
	for _, e := range []struct{ field, value string }{{"endpoint", cfg.Endpoint}, {"tokenEndpoint", cfg.TokenEndpoint}} {
		u, err := url.Parse(e.value)
		if e.value != "" && (err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Hostname() == "" || u.User != nil || u.RawQuery != "" || u.Fragment != "") {
			add(e.field, fault.Invalid, "the %s cannot be used; write it as https://host, without user, query and fragment", e.field)
		}
	}
	if err := faults.Or(); err != nil {
		return nil, err
	}
	cfg.TokenEndpoint = cmp.Or(cfg.TokenEndpoint, tokenEndpoint)
	s := &Store{cfg: cfg, base: strings.TrimSuffix(cmp.Or(cfg.Endpoint, base), "/"), limits: newLimits(opts.Retry.Clock)}
	s.connect(opts)
	return s, nil
}

func (s *Store) connect(opts outbound.Options) {
	secrets := []string{s.cfg.ClientSecret, s.cfg.RefreshToken}
	s.login = outbound.NewPeer(outbound.PeerConfig{Name: opts.Name, ReplyLimit: 1 << 20, Secrets: secrets, Log: opts.Log, Network: opts.Network, Retry: opts.Retry})
	s.signer = newSigner(opts.Retry.Clock, s.token)
	api := outbound.PeerConfig{Name: opts.Name, Concurrency: concurrency, ReplyLimit: 4 << 20, Secrets: secrets, Credentials: s.signer, Log: opts.Log, Network: opts.Network, Retry: opts.Retry}
	s.items = outbound.NewPeer(api)
	// What the application has used up of feeds elsewhere is free again after 5 minutes.
	api.Retry.Budget = max(api.Retry.Budget, feedWindow+time.Minute)
	s.feeds = outbound.NewPeer(api)
	s.documents = outbound.NewPeer(outbound.PeerConfig{
		Name: opts.Name, Concurrency: concurrency, Timeout: 2 * time.Minute, ReplyLimit: documentLimit, Secrets: secrets, Log: opts.Log, Network: opts.Network, Retry: opts.Retry,
	})
}

// Capabilities are Amazon's bounds. Quantities are what can be sold: Amazon takes its orders off by itself.
func (s *Store) Capabilities() channel.Capabilities {
	return channel.Capabilities{MaxBatch: maxMessages, Concurrency: concurrency, Semantics: channel.Available}
}

// Close lets go of idle connections.
func (s *Store) Close() error {
	for _, p := range []*outbound.Peer{s.feeds, s.items, s.documents, s.login} {
		p.Close()
	}
	return nil
}

// Test asks, once, how many listings the seller has in the first marketplace.
func (s *Store) Test(ctx context.Context) (string, error) {
	var found struct {
		NumberOfResults *int64 `json:"numberOfResults"`
	}
	clock := s.items.Clock()
	start := clock.Time()
	query := url.Values{"marketplaceIds": {s.cfg.MarketplaceIDs[0]}, "pageSize": {"1"}}
	reply, err := s.ask(ctx, call{peer: s.items, limit: s.limits.search, method: http.MethodGet, path: s.itemsPath() + "?" + query.Encode(), into: &found, untried: true})
	if err != nil {
		return "", fmt.Errorf("test: %w", err)
	}
	if found.NumberOfResults == nil {
		return "", fault.New(fault.BadReply, "test: the reply does not tell how many listings there are: %s", s.items.Hide(string(reply.Body)))
	}
	took := clock.Time().Sub(start).Round(time.Millisecond)
	return fmt.Sprintf("%s answered %s in %s: seller %s has %d listings in marketplace %s", s.base, reply.StatusText(), took, s.cfg.SellerID, *found.NumberOfResults, s.cfg.MarketplaceIDs[0]), nil
}

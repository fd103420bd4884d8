// Package shopify pushes levels to a Shopify shop through its Admin GraphQL API (wire.md, "Shopify").
//
// A level's SKU is looked up once and remembered as an inventory item, an item that is not stocked at its location is
// activated there, and quantities are set 250 at a time. Requests go at the pace of Shopify's own budget of points.
package shopify

import (
	"cmp"
	"context"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"sync/atomic"
	"time"

	lru "github.com/hashicorp/golang-lru/v2"

	"stockbridge/internal/channel"
	"stockbridge/internal/fault"
	"stockbridge/internal/outbound"
)

const (
	maxRows = 250 // what Shopify takes of any list
	// concurrency lets the budget, and not the way there and back, be what holds us up: a plan of 1,000 points a second
	// restores 16 requests of 10 points in 160 ms, about what one takes.
	concurrency = 16
	inARow      = 3       // batches without a usable answer after which the shop counts as down
	cacheSize   = 100_000 // SKUs whose items are remembered, about 20 MB
	// cacheLife is how long an item is remembered: a SKU that moves to another variant must not go to the wrong one for long.
	cacheLife = time.Hour
)

// Config says which shop, and how it lets in. Its JSON is what a store's row keeps.
type Config struct {
	Shop        string `json:"shop"`                  // "example.myshopify.com"
	AccessToken string `json:"accessToken,omitempty"` // an app's Admin API access token
	APIVersion  string `json:"apiVersion,omitempty"`  // "2026-01" or later, or "unstable"; "": "2026-10"
	// LocationID is the location of levels that name none: "gid://shopify/Location/1" or "1"; "" is the shop's only one.
	LocationID string `json:"locationId,omitempty"`
	Activate   *bool  `json:"activate,omitempty"` // stock an item at a location where it is not yet; nil: true
	Endpoint   string `json:"endpoint,omitempty"` // in place of https://<shop>, for a proxy
}

// Store is a connected shop.
type Store struct {
	cfg      Config
	url      string
	activate bool
	place    string // gid of the location of levels that name none; "" is the shop's only one
	peer     *outbound.Peer
	patience time.Duration // longest wait for a budget that others use up
	budget   *budget
	items    *lru.Cache[itemKey, item]
	only     *onlyPlace
	silent   atomic.Int32 // batches in a row without a usable answer
}

var (
	_ channel.Sink    = (*Store)(nil)
	_ channel.Locator = (*Store)(nil)
)

var (
	shopName = regexp.MustCompile(`^[a-z0-9][a-z0-9-]*\.myshopify\.com$`)
	version  = regexp.MustCompile(`^(20[0-9]{2}-(01|04|07|10)|unstable)$`)
)

// New checks the settings, with faults at fields "shop", "accessToken", "apiVersion", "locationId" and "endpoint", and
// dials nobody.
func New(cfg Config, opts outbound.Options) (*Store, error) {
	var faults fault.List
	cfg.Shop = strings.ToLower(strings.TrimSpace(cfg.Shop))
	if !shopName.MatchString(cfg.Shop) {
		faults = append(faults, fault.At("shop", fault.Invalid, "shop is %.80q; write the shop's own address, as example.myshopify.com, without https:// and path", cfg.Shop))
	}
	switch {
	case strings.TrimSpace(cfg.AccessToken) == "":
		faults = append(faults, fault.At("accessToken", fault.Blank, "set accessToken to the Admin API access token of the app"))
	case strings.ContainsFunc(cfg.AccessToken, func(c rune) bool { return c <= ' ' || c >= 0x7f }):
		faults = append(faults, fault.At("accessToken", fault.Invalid, "the accessToken holds a space, a line break or another character that no token has; take it out"))
	}
	cfg.APIVersion = cmp.Or(cfg.APIVersion, "2026-10")
	switch {
	case !version.MatchString(cfg.APIVersion):
		faults = append(faults, fault.At("apiVersion", fault.Invalid, "apiVersion is %.20q; write it as 2026-10", cfg.APIVersion))
	case cfg.APIVersion < "2026-01":
		faults = append(faults, fault.At("apiVersion", fault.OutOfRange, "apiVersion is %s; idempotent requests came with 2026-01, so set it to 2026-01 or later", cfg.APIVersion))
	}
	place, err := placeID(cfg.LocationID)
	if err != nil {
		faults = append(faults, fault.At("locationId", fault.Invalid, "%s", err.Error()))
	}
	base := "https://" + cfg.Shop
	if cfg.Endpoint != "" {
		u, err := url.Parse(cfg.Endpoint)
		if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Hostname() == "" || u.User != nil || u.RawQuery != "" || u.Fragment != "" {
			faults = append(faults, fault.At("endpoint", fault.Invalid, "the endpoint cannot be used; write it as https://host, without user, query and fragment"))
		}
		base = strings.TrimSuffix(cfg.Endpoint, "/")
	}
	if len(faults) > 0 {
		return nil, faults
	}
	items, err := lru.New[itemKey, item](cacheSize)
	if err != nil {
		return nil, err
	}
	s := &Store{
		cfg: cfg, url: base + "/admin/api/" + cfg.APIVersion + "/graphql.json", place: place,
		activate: cfg.Activate == nil || *cfg.Activate, items: items, only: newOnlyPlace(),
		patience: cmp.Or(opts.Retry.Budget, 2*time.Minute), budget: newBudget(opts.Retry.Clock),
	}
	s.peer = outbound.NewPeer(outbound.PeerConfig{
		Name: opts.Name, Concurrency: concurrency, OwnBudget: true, Secrets: []string{cfg.AccessToken}, Credentials: signer{cfg.AccessToken},
		Log: opts.Log, Network: opts.Network, Retry: opts.Retry,
	})
	return s, nil
}

// Capabilities are Shopify's bounds.
func (s *Store) Capabilities() channel.Capabilities {
	return channel.Capabilities{MaxBatch: maxRows, Concurrency: concurrency, Semantics: channel.Available}
}

// Close lets go of idle connections.
func (s *Store) Close() error {
	s.peer.Close()
	return nil
}

// scopes are what the app needs: to set, to look up, and to tell locations.
var scopes = []string{"write_inventory", "read_inventory", "read_locations"}

const testDocument = `query Test{shop{name myshopifyDomain} currentAppInstallation{accessScopes{handle}}}`

// Test asks the shop, once, for its name and what the token may. A scope that is missing is CREDENTIALS_REFUSED.
func (s *Store) Test(ctx context.Context) (string, error) {
	var data struct {
		Shop                   struct{ Name, MyshopifyDomain string }
		CurrentAppInstallation *struct {
			AccessScopes []struct{ Handle string }
		}
	}
	clock := s.peer.Clock()
	start := clock.Time()
	answer, err := s.ask(ctx, request{name: "Test", document: testDocument, cost: 30, into: &data, once: true})
	took := clock.Time().Sub(start).Round(time.Millisecond)
	if err != nil {
		return "", err
	}
	words := s.peer.Hide(data.Shop.Name) + " (" + s.peer.Hide(data.Shop.MyshopifyDomain) + ") answered " + answer.StatusText() + " in " + took.String()
	if app := data.CurrentAppInstallation; app != nil {
		may := map[string]bool{}
		for _, scope := range app.AccessScopes {
			may[scope.Handle] = true
		}
		var missing []string
		for _, scope := range scopes {
			// Who may write may read.
			if !may[scope] && !may[strings.Replace(scope, "read_", "write_", 1)] && !(scope == "read_locations" && (may["read_inventory"] || may["write_inventory"])) {
				missing = append(missing, scope)
			}
		}
		if len(missing) > 0 {
			return "", fault.New(fault.CredentialsRefused, "%s, but the access token lacks %s; grant it to the app and install the app again", words, strings.Join(missing, " and "))
		}
		words += "; the token may set inventory"
	}
	if used := answer.Header.Get("X-Shopify-Api-Version"); used != "" && used != s.cfg.APIVersion {
		words += "; Shopify no longer has API version " + s.cfg.APIVersion + " and used " + s.peer.Hide(used)
	}
	return words, nil
}

// signer puts the token into a request, and waits for its place in the budget before each attempt.
type signer struct{ token string }

// Sign implements outbound.Credentials.
func (c signer) Sign(ctx context.Context, req *http.Request) error {
	req.Header.Set("X-Shopify-Access-Token", c.token)
	if t, ok := ctx.Value(turnKey{}).(*turn); ok {
		return t.begin(ctx)
	}
	return nil
}

// Refused implements outbound.Credentials: the token is the same next time.
func (signer) Refused(*http.Request) bool { return false }

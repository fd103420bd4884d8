// Package bigcommerce shows levels in a BigCommerce store by absolute adjustments of its inventory API (wire.md, "BigCommerce").
//
// BigCommerce carries adjustments out after it has answered: acknowledged means that it took them.
package bigcommerce

import (
	"cmp"
	"context"
	"net/http"
	"regexp"
	"strings"
	"time"

	"stockbridge/internal/channel"
	"stockbridge/internal/channel/onhand"
	"stockbridge/internal/fault"
	"stockbridge/internal/outbound"
)

// Config says which store, and how it lets in.
type Config struct {
	StoreHash         string            `json:"storeHash"`             // what follows /stores/ in the API path
	AccessToken       string            `json:"accessToken,omitempty"` // of an API account
	LocationID        string            `json:"locationId,omitempty"`  // location of levels that name none; "": "1", which every store has
	QuantitySemantics channel.Semantics `json:"quantitySemantics,omitempty"`
	Endpoint          string            `json:"endpoint,omitempty"` // in place of https://api.bigcommerce.com
}

const (
	maxItems = 2000 // what BigCommerce takes of one adjustment
	// maxLookedUp is how many levels are pushed at once where each has to be looked up before: few enough for the allocations to be
	// fresh when they are written.
	maxLookedUp = 500
)

// Store is a connected BigCommerce store.
type Store struct {
	*onhand.Pusher
	cfg    Config
	base   string // of the API, without a slash at its end
	peer   *outbound.Peer
	header http.Header
	// turn is taken by who makes a request: BigCommerce wants one call at a time.
	turn chan struct{}
}

var (
	_ channel.Sink    = (*Store)(nil)
	_ channel.Locator = (*Store)(nil)
)

var (
	hashForm     = regexp.MustCompile(`^[a-z0-9]+$`)
	locationForm = regexp.MustCompile(`^[1-9][0-9]{0,9}$`)
)

// New checks the configuration, with faults at its fields' JSON names, and dials nobody.
func New(cfg Config, opts outbound.Options) (*Store, error) {
	var faults fault.List
	add := faults.Add
	if !hashForm.MatchString(cfg.StoreHash) {
		add(fault.At("storeHash", fault.Invalid, "storeHash is %.40q; write what follows /stores/ in the API path, small letters and digits", cfg.StoreHash))
	}
	if cfg.AccessToken == "" {
		add(fault.At("accessToken", fault.Blank, "there is no accessToken; create an API account in the store's settings and set its access token"))
	} else {
		add(onhand.CheckHeader("accessToken", cfg.AccessToken))
	}
	if cfg.LocationID != "" && !locationForm.MatchString(cfg.LocationID) {
		add(fault.At("locationId", fault.Invalid, "locationId is %.40q; write the location's number, as store.remoteLocations tells it", cfg.LocationID))
	}
	if cfg.Endpoint != "" {
		if f := onhand.CheckURL(cfg.Endpoint); f != nil {
			add(fault.At("endpoint", fault.Invalid, "the endpoint cannot be used; write it as https://host, without user, query and fragment"))
		}
	}
	semantics, err := onhand.CheckSemantics(cfg.QuantitySemantics)
	add(err)
	if err := faults.Or(); err != nil {
		return nil, err
	}
	cfg.QuantitySemantics = semantics
	s := &Store{
		cfg: cfg, turn: make(chan struct{}, 1),
		base:   strings.TrimRight(cmp.Or(cfg.Endpoint, "https://api.bigcommerce.com"), "/") + "/stores/" + cfg.StoreHash + "/v3",
		header: http.Header{"X-Auth-Token": {cfg.AccessToken}, "Accept": {"application/json"}, "Content-Type": {"application/json"}},
		peer: outbound.NewPeer(outbound.PeerConfig{
			Name: opts.Name, Concurrency: 1, Timeout: time.Minute, Secrets: []string{cfg.AccessToken}, Log: opts.Log, Network: opts.Network, Retry: opts.Retry,
		}),
	}
	s.Pusher = onhand.New(onhand.Config{Platform: shop{s}, Location: cmp.Or(cfg.LocationID, "1"), Semantics: semantics, Retry: opts.Retry, Peer: s.peer})
	return s, nil
}

// Capabilities are BigCommerce's bounds, and what quantitySemantics says.
func (s *Store) Capabilities() channel.Capabilities {
	c := channel.Capabilities{MaxBatch: maxLookedUp, Concurrency: 1, Semantics: s.cfg.QuantitySemantics}
	if c.Semantics == channel.Available {
		c.MaxBatch = maxItems
	}
	return c
}

// Test asks for the locations, once.
func (s *Store) Test(ctx context.Context) (string, error) {
	return s.TestLocations(ctx, "store "+s.cfg.StoreHash, "locations")
}

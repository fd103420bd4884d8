// Package medusa shows levels in a Medusa shop (v2) by its Admin API (wire.md, "Medusa").
package medusa

import (
	"context"
	"encoding/base64"
	"net/http"
	"strings"
	"time"

	"stockbridge/internal/channel"
	"stockbridge/internal/channel/onhand"
	"stockbridge/internal/fault"
	"stockbridge/internal/outbound"
)

// Config says where a shop is and how to be let in.
type Config struct {
	URL               string            `json:"url"`                  // of the Medusa server: https://host
	SecretKey         string            `json:"secretKey,omitempty"`  // sk_…, a secret API key
	LocationID        string            `json:"locationId,omitempty"` // stock location for levels without one; "": the shop's only one
	QuantitySemantics channel.Semantics `json:"quantitySemantics,omitempty"`
}

const (
	maxBatch    = 100 // levels per request, far below the 100 kB that Medusa reads of a body
	concurrency = 2
)

// Store is a connected Medusa shop.
type Store struct {
	*onhand.Pusher
	cfg    Config
	peer   *outbound.Peer
	header http.Header
}

var (
	_ channel.Sink    = (*Store)(nil)
	_ channel.Locator = (*Store)(nil)
)

// New checks the configuration, with faults at its fields' JSON names, and dials nobody.
func New(cfg Config, opts outbound.Options) (*Store, error) {
	var faults fault.List
	add := faults.Add
	add(onhand.CheckURL(cfg.URL))
	switch {
	case cfg.SecretKey == "":
		add(fault.At("secretKey", fault.Blank, "there is no secretKey; create a secret API key in the shop's settings and set it"))
	case !strings.HasPrefix(cfg.SecretKey, "sk_"):
		add(fault.At("secretKey", fault.Invalid, "the secretKey does not begin with sk_; a publishable key (pk_) does not open the Admin API"))
	default:
		add(onhand.CheckHeader("secretKey", cfg.SecretKey))
	}
	semantics, err := onhand.CheckSemantics(cfg.QuantitySemantics)
	add(err)
	if err := faults.Or(); err != nil {
		return nil, err
	}
	cfg.QuantitySemantics = semantics
	cfg.URL = strings.TrimSuffix(strings.TrimSuffix(cfg.URL, "/"), "/admin")

	// The key is the user of HTTP Basic, without a password (Admin API reference, "API Token").
	basic := base64.StdEncoding.EncodeToString([]byte(cfg.SecretKey + ":"))
	s := &Store{
		cfg: cfg, header: http.Header{"Authorization": {"Basic " + basic}, "Accept": {"application/json"}, "Content-Type": {"application/json"}},
		peer: outbound.NewPeer(outbound.PeerConfig{
			Name: opts.Name, Concurrency: concurrency, Timeout: time.Minute,
			Secrets: []string{cfg.SecretKey, basic}, Log: opts.Log, Network: opts.Network, Retry: opts.Retry,
		}),
	}
	s.Pusher = onhand.New(onhand.Config{Platform: shop{s}, Location: cfg.LocationID, Semantics: semantics, Retry: opts.Retry, Peer: s.peer})
	return s, nil
}

// Capabilities are the bounds that suit Medusa, and what quantitySemantics says.
func (s *Store) Capabilities() channel.Capabilities {
	return channel.Capabilities{MaxBatch: maxBatch, Concurrency: concurrency, Semantics: s.cfg.QuantitySemantics}
}

// Test asks for the stock locations, once.
func (s *Store) Test(ctx context.Context) (string, error) {
	return s.TestLocations(ctx, s.cfg.URL, "stock locations")
}

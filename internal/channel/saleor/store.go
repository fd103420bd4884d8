// Package saleor shows levels in a Saleor shop by its GraphQL API (wire.md, "Saleor"; 3.14 and later, which have stockBulkUpdate).
package saleor

import (
	"context"
	"errors"
	"net/http"
	"time"

	"stockbridge/internal/channel"
	"stockbridge/internal/channel/onhand"
	"stockbridge/internal/fault"
	"stockbridge/internal/outbound"
)

// Config says where a shop is and how to be let in.
type Config struct {
	URL               string            `json:"url"`                  // of the GraphQL API: https://host/graphql/
	Token             string            `json:"token,omitempty"`      // of an app with the permission MANAGE_PRODUCTS
	LocationID        string            `json:"locationId,omitempty"` // Saleor warehouse for levels without one; "": the shop's only one
	QuantitySemantics channel.Semantics `json:"quantitySemantics,omitempty"`
	// AllocatedLookup false does not ask what is allocated: quantities are written as they are, as with AVAILABLE. nil: true.
	AllocatedLookup *bool `json:"allocatedLookup,omitempty"`
}

const (
	maxBatch    = 100 // which is as many variants as one look-up may ask for
	concurrency = 2
)

// Store is a connected Saleor shop.
type Store struct {
	*onhand.Pusher
	semantics channel.Semantics
	peer      *outbound.Peer
	graph     onhand.Graph
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
	if cfg.Token == "" {
		add(fault.At("token", fault.Blank, "there is no token; create an app with the permission MANAGE_PRODUCTS and set its token"))
	}
	add(onhand.CheckHeader("token", cfg.Token))
	semantics, err := onhand.CheckSemantics(cfg.QuantitySemantics)
	add(err)
	if err := faults.Or(); err != nil {
		return nil, err
	}
	if cfg.AllocatedLookup != nil && !*cfg.AllocatedLookup {
		semantics = channel.Available
	}
	s := &Store{semantics: semantics, peer: outbound.NewPeer(outbound.PeerConfig{
		Name: opts.Name, Concurrency: concurrency, Timeout: time.Minute,
		Secrets: []string{cfg.Token}, Log: opts.Log, Network: opts.Network, Retry: opts.Retry,
	})}
	s.graph = onhand.Graph{Peer: s.peer, URL: cfg.URL, Header: http.Header{"Authorization": {"Bearer " + cfg.Token}}}
	s.Pusher = onhand.New(onhand.Config{Platform: shop{s}, Location: cfg.LocationID, Semantics: semantics, Retry: opts.Retry, Peer: s.peer})
	return s, nil
}

// Capabilities are the bounds that suit Saleor, and what quantitySemantics and allocatedLookup say.
func (s *Store) Capabilities() channel.Capabilities {
	return channel.Capabilities{MaxBatch: maxBatch, Concurrency: concurrency, Semantics: s.semantics}
}

// Test asks for the warehouses, once.
func (s *Store) Test(ctx context.Context) (string, error) {
	return s.TestLocations(ctx, s.graph.URL, "warehouses")
}

// ask sends a document. Saleor answers 200 or 400 with an exception of these names for a token that it does not know or
// that has too few permissions.
func (s *Store) ask(ctx context.Context, document string, variables, data any) error {
	reply, err := s.graph.Ask(ctx, document, variables, data)
	var refusal *onhand.Refusal
	if errors.As(err, &refusal) {
		switch refusal.Code {
		case "PermissionDenied", "InvalidTokenError", "InvalidSignatureError", "ExpiredSignatureError", "DecodeError":
			return &onhand.Failed{Err: fault.New(fault.CredentialsRefused, "credentials refused: %s (%s); the app needs the permission MANAGE_PRODUCTS", refusal.Message, refusal.Code), Reply: reply}
		}
	}
	return err
}

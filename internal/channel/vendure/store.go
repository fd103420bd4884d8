// Package vendure shows levels in a Vendure shop by its Admin API (wire.md, "Vendure"; proven with 3.7.3).
package vendure

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"time"

	"stockbridge/internal/channel"
	"stockbridge/internal/channel/onhand"
	"stockbridge/internal/fault"
	"stockbridge/internal/outbound"
)

// Config says where a shop is and how to be let in: by Username and Password, or by APIKey.
type Config struct {
	URL               string            `json:"url"` // of the Admin API: https://host/admin-api
	Username          string            `json:"username,omitempty"`
	Password          string            `json:"password,omitempty"`
	APIKey            string            `json:"apiKey,omitempty"`       // needs 'api-key' among the shop's authOptions.tokenMethod
	ChannelToken      string            `json:"channelToken,omitempty"` // "": the shop's default channel
	LocationID        string            `json:"locationId,omitempty"`   // stock location for levels without one; "": the shop's only one
	QuantitySemantics channel.Semantics `json:"quantitySemantics,omitempty"`
}

const (
	maxBatch    = 100 // variants per mutation: Vendure saves them one after the other in one transaction
	concurrency = 2
)

// Store is a connected Vendure shop.
type Store struct {
	*onhand.Pusher
	cfg     Config
	peer    *outbound.Peer
	graph   onhand.Graph
	session *session // nil with an API key
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
	add(onhand.CheckHeader("apiKey", cfg.APIKey))
	add(onhand.CheckHeader("channelToken", cfg.ChannelToken))
	switch {
	case cfg.APIKey != "" && (cfg.Username != "" || cfg.Password != ""):
		add(fault.At("apiKey", fault.Invalid, "there are an apiKey and a username or password; leave one of the two out"))
	case cfg.APIKey == "" && cfg.Username == "":
		add(fault.At("username", fault.Blank, "there are no credentials; set username and password, or apiKey"))
	case cfg.APIKey == "" && cfg.Password == "":
		add(fault.At("password", fault.Blank, "there is a username but no password; set it"))
	}
	semantics, err := onhand.CheckSemantics(cfg.QuantitySemantics)
	add(err)
	if err := faults.Or(); err != nil {
		return nil, err
	}
	cfg.QuantitySemantics = semantics

	header := http.Header{}
	if cfg.ChannelToken != "" {
		header.Set("vendure-token", cfg.ChannelToken)
	}
	peer := outbound.PeerConfig{
		Name: opts.Name, Concurrency: concurrency, Timeout: time.Minute, // a hundred variants take a slow shop seconds
		Secrets: []string{cfg.Password, cfg.APIKey}, Log: opts.Log, Network: opts.Network, Retry: opts.Retry,
	}
	s := &Store{cfg: cfg}
	if cfg.APIKey == "" {
		s.session = newSession(cfg, outbound.NewPeer(peer))
		peer.Credentials = s.session
	} else {
		header.Set("vendure-api-key", cfg.APIKey)
	}
	s.peer = outbound.NewPeer(peer)
	s.graph = onhand.Graph{Peer: s.peer, URL: cfg.URL, Header: header}
	s.Pusher = onhand.New(onhand.Config{Platform: shop{s}, Location: cfg.LocationID, Semantics: semantics, Retry: opts.Retry, Peer: s.peer})
	return s, nil
}

// Capabilities are the bounds that suit Vendure, and what quantitySemantics says.
func (s *Store) Capabilities() channel.Capabilities {
	return channel.Capabilities{MaxBatch: maxBatch, Concurrency: concurrency, Semantics: s.cfg.QuantitySemantics}
}

// Close lets go of idle connections. The session is left to expire: logging out would end every session of the user.
func (s *Store) Close() error {
	s.peer.Close()
	if s.session != nil {
		s.session.door.Close()
	}
	return nil
}

// Test asks for the channel and its stock locations, once.
func (s *Store) Test(ctx context.Context) (string, error) {
	var got struct {
		ActiveChannel  struct{ Code string }
		StockLocations struct {
			Items []struct{ ID, Name string }
		}
	}
	start := s.peer.Clock().Time()
	err := s.ask(ctx, `query{activeChannel{code} stockLocations{items{id name}}}`, map[string]any{}, &got)
	if err != nil {
		return "", fmt.Errorf("test: %w", onhand.Plain(err))
	}
	var locations []string
	for _, l := range got.StockLocations.Items {
		locations = append(locations, fmt.Sprintf("%s (%s)", l.ID, l.Name))
	}
	took := s.peer.Clock().Time().Sub(start).Round(time.Millisecond)
	return s.peer.Hide(fmt.Sprintf("%s let us in to channel %s, with stock locations %s, in %s", s.cfg.URL, got.ActiveChannel.Code, strings.Join(locations, ", "), took)), nil
}

// ask sends a document. Vendure answers 200 with code FORBIDDEN for a session that has ended as well as for a right that is
// missing: it is asked once more in a new session, and what is still forbidden then is CREDENTIALS_REFUSED.
func (s *Store) ask(ctx context.Context, document string, variables, data any) error {
	for renewed := false; ; renewed = true {
		signed := &signature{}
		reply, err := s.graph.Ask(context.WithValue(ctx, signature{}, signed), document, variables, data)
		refusal, ok := err.(*onhand.Refusal) //nolint:errorlint // Ask returns it as it is
		if !ok || refusal.Code != "FORBIDDEN" && refusal.Code != "UNAUTHORIZED" {
			return err
		}
		if renewed || s.session == nil || !s.session.Refused(signed.req) {
			return &onhand.Failed{Err: fault.New(fault.CredentialsRefused, "credentials refused: %s (%s); the user or key needs the rights ReadCatalog, UpdateCatalog and ReadStockLocation in the channel", refusal.Message, refusal.Code), Reply: reply}
		}
	}
}

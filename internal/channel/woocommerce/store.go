// Package woocommerce shows levels in a WooCommerce shop by its REST API, version 3 (wire.md, "WooCommerce").
//
// WooCommerce keeps what can be sold, one figure for the whole shop: quantities go out as they are, and there are no locations.
package woocommerce

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"time"

	lru "github.com/hashicorp/golang-lru/v2"

	"stockbridge/internal/channel"
	"stockbridge/internal/channel/onhand"
	"stockbridge/internal/fault"
	"stockbridge/internal/outbound"
)

// Config says where a shop is and how to be let in.
type Config struct {
	URL            string `json:"url"`                      // of the WordPress site, with its path if it has one: https://host/shop
	ConsumerKey    string `json:"consumerKey,omitempty"`    // ck_…, with the permission Read/Write
	ConsumerSecret string `json:"consumerSecret,omitempty"` // cs_…
}

const (
	maxBatch    = 100 // what WooCommerce takes of a list, unless a filter of the site says less
	concurrency = 2   // a shop's own visitors want its PHP workers, too
	cacheSize   = 50_000
	// cacheLife is how long a product is remembered: a SKU that moves to another one must not go to the wrong one for long.
	cacheLife = time.Hour
)

// Store is a connected WooCommerce shop.
type Store struct {
	pusher  *onhand.Pusher
	base    string // of the API, without a slash at its end
	peer    *outbound.Peer
	header  http.Header
	targets *lru.Cache[string, target] // by SKU
}

// target is what is remembered of a SKU.
type target struct {
	id    string // as item.target has it
	until time.Time
}

var _ channel.Sink = (*Store)(nil)

// New checks the configuration, with faults at its fields' JSON names, and dials nobody.
func New(cfg Config, opts outbound.Options) (*Store, error) {
	var faults fault.List
	add := faults.Add
	add(onhand.CheckURL(cfg.URL))
	for _, key := range []struct{ field, value, prefix string }{{"consumerKey", cfg.ConsumerKey, "ck_"}, {"consumerSecret", cfg.ConsumerSecret, "cs_"}} {
		switch {
		case key.value == "":
			add(fault.At(key.field, fault.Blank, "there is no %s; create a REST API key in WooCommerce, with the permission Read/Write, and set it", key.field))
		case !strings.HasPrefix(key.value, key.prefix):
			add(fault.At(key.field, fault.Invalid, "the %s does not begin with %s; copy it from WooCommerce as it is", key.field, key.prefix))
		default:
			add(onhand.CheckHeader(key.field, key.value))
		}
	}
	if err := faults.Or(); err != nil {
		return nil, err
	}
	targets, err := lru.New[string, target](cacheSize)
	if err != nil {
		return nil, err
	}
	basic := base64.StdEncoding.EncodeToString([]byte(cfg.ConsumerKey + ":" + cfg.ConsumerSecret))
	s := &Store{
		base: site(cfg.URL) + "/wp-json/wc/v3", targets: targets,
		header: http.Header{"Authorization": {"Basic " + basic}, "Accept": {"application/json"}, "Content-Type": {"application/json"}},
		peer: outbound.NewPeer(outbound.PeerConfig{
			Name: opts.Name, Concurrency: concurrency, Timeout: time.Minute,
			Secrets: []string{cfg.ConsumerKey, cfg.ConsumerSecret, basic}, Log: opts.Log, Network: opts.Network, Retry: opts.Retry,
		}),
	}
	s.pusher = onhand.New(onhand.Config{Platform: shop{s}, Semantics: channel.Available, Retry: opts.Retry, Peer: s.peer})
	return s, nil
}

// site is the address of a site, of which people may have copied that of the API.
func site(address string) string {
	address = strings.TrimRight(address, "/")
	for _, end := range []string{"/wc/v3", "/wp-json"} {
		address = strings.TrimRight(strings.TrimSuffix(address, end), "/")
	}
	return address
}

// Capabilities are WooCommerce's bounds.
func (s *Store) Capabilities() channel.Capabilities {
	return channel.Capabilities{MaxBatch: maxBatch, Concurrency: concurrency, Semantics: channel.Available}
}

// Push is onhand.Pusher's.
func (s *Store) Push(ctx context.Context, batch channel.Batch) ([]channel.Outcome, error) {
	return s.pusher.Push(ctx, batch)
}

// Close lets go of idle connections.
func (s *Store) Close() error {
	s.peer.Close()
	return nil
}

// Test sends an empty batch, once: it changes nothing, and is refused to a key that may only read.
func (s *Store) Test(ctx context.Context) (string, error) {
	start := s.peer.Clock().Time()
	var reply json.RawMessage
	if err := (shop{s}).call(ctx, http.MethodPost, "/products/batch", struct {
		Update []row `json:"update"`
	}{[]row{}}, &reply); err != nil {
		return "", fmt.Errorf("test: %w", onhand.Plain(err))
	}
	took := s.peer.Clock().Time().Sub(start).Round(time.Millisecond)
	return s.peer.Hide(fmt.Sprintf("%s let us in, to read and to write, in %s", s.base, took)), nil
}

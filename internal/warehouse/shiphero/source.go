// Package shiphero is the platform "shipHero": ShipHero's public GraphQL API, asked for an inventory snapshot, which is a file
// made for the purpose, or for warehouse products page by page (wire.md, "ShipHero").
package shiphero

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"time"

	"stockbridge/internal/fault"
	"stockbridge/internal/outbound"
	"stockbridge/internal/warehouse"
	"stockbridge/internal/warehouse/paged"
)

const (
	name     = "ShipHero"
	home     = "https://public-api.shiphero.com"
	pageSize = 100    // products, what ShipHero gives without being asked for more; the price of a page goes by it
	maxPages = 50_000 // of one report; more is an endless chain
)

// Config is how a ShipHero account is reached. One of the two tokens is needed; with both, the access token is not used.
type Config struct {
	RefreshToken string `json:"refreshToken,omitempty"` // of a third-party developer user; access tokens are fetched with it
	AccessToken  string `json:"accessToken,omitempty"`  // lives for 28 days and is not renewed
	WarehouseID  string `json:"warehouseId,omitempty"`  // ShipHero's id, as "V2FyZWhvdXNlOjEyMw=="; "": all
	Snapshot     bool   `json:"snapshot"`               // pull by inventory snapshot; else by pages, which cost credits
	Endpoint     string `json:"endpoint,omitempty"`     // "": https://public-api.shiphero.com
}

// Source is a warehouse.Source. Every pull is one complete report; a level's facility is the id of ShipHero's warehouse, whether by
// snapshot or by pages.
type Source struct {
	*paged.Listing
	client    paged.Client
	signIn    paged.Client // for tokens
	file      *http.Client // for snapshots, which lie elsewhere: it signs nothing
	retry     outbound.Retry
	endpoint  string
	warehouse string
	budget    *budget
}

// New checks the setting and asks nobody. Its faults are BLANK or INVALID at the fields of Config.
func New(cfg Config, opts outbound.Options) (*Source, error) {
	var set paged.Setting
	if cfg.AccessToken == "" {
		set.Need("refreshToken", cfg.RefreshToken, "set the refresh token of a third-party developer user, or an access token")
	}
	set.Header("accessToken", cfg.AccessToken)
	u := set.Address("endpoint", cfg.Endpoint, home)
	if err := set.Faults.Or(); err != nil {
		return nil, err
	}
	s := &Source{endpoint: u.String(), warehouse: cfg.WarehouseID, file: opts.Network.Client(1, fileWait)}
	secrets := []string{cfg.RefreshToken, cfg.AccessToken}
	s.signIn = paged.NewClient(name, opts, outbound.PeerConfig{Secrets: secrets, ReplyLimit: 1 << 20})
	peer := outbound.PeerConfig{Secrets: secrets, Timeout: time.Minute}
	if cfg.RefreshToken != "" {
		peer.Credentials = outbound.NewTokens(opts.Retry.Clock, func(ctx context.Context) (outbound.Token, error) { return s.token(ctx, cfg.RefreshToken) }, nil)
	} else {
		peer.Credentials = paged.Bearer(cfg.AccessToken)
	}
	s.client = paged.NewClient(name, opts, peer)
	s.budget = newBudget(s.client.Peer)
	s.retry = opts.Retry
	pull := s.pages
	if cfg.Snapshot {
		pull = s.snapshot
	}
	s.Listing = paged.NewListing(name+" at "+u.Host, pull)
	return s, nil
}

// token fetches an access token for the refresh token.
func (s *Source) token(ctx context.Context, refresh string) (outbound.Token, error) {
	body, err := json.Marshal(map[string]string{"refresh_token": refresh})
	if err != nil {
		return outbound.Token{}, fmt.Errorf("ask for a token: %w", err)
	}
	var got struct {
		Token   string  `json:"access_token"`
		Seconds float64 `json:"expires_in"` // 28 days
	}
	err = s.signIn.Ask(ctx, outbound.Request{
		Method: http.MethodPost, URL: s.endpoint + "/auth/refresh", Body: body, Header: http.Header{"Content-Type": {"application/json"}},
		Judge: func(r outbound.Reply) error {
			err := s.signIn.Judge(r)
			if r.Status == http.StatusBadRequest || r.Status == http.StatusNotFound {
				return fault.Wrap(err, fault.CredentialsRefused, "credentials refused: %s; create a new refresh token in ShipHero", fault.Message(err))
			}
			return err
		},
	}, &got)
	if err != nil {
		return outbound.Token{}, fmt.Errorf("ask for a token: %w", err)
	}
	if got.Token == "" {
		return outbound.Token{}, fault.New(fault.BadReply, "%s: the reply that should be a token holds no access_token", name)
	}
	return outbound.Token{Value: got.Token, Life: time.Duration(got.Seconds * float64(time.Second))}, nil
}

// Test asks for one product.
func (s *Source) Test(ctx context.Context) (string, error) {
	p, err := s.page(ctx, "", 1, true)
	if err != nil {
		return "", err
	}
	words := fmt.Sprintf("%s answered; warehouse products on its first page: %d", name, len(p.Edges.Items))
	if p.Info.More {
		words += "; more pages follow"
	}
	return words, nil
}

// Close lets go of idle connections.
func (s *Source) Close() error {
	s.client.Peer.Close()
	s.signIn.Peer.Close()
	s.file.CloseIdleConnections()
	return nil
}

var _ warehouse.Source = (*Source)(nil)

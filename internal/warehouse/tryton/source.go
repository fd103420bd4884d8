// Package tryton is the platform "tryton": a Tryton server with the module stock, asked over JSON-RPC for what its products'
// stock is at locations (wire facts: trytond 6.0, protocols/jsonrpc.py and modules/stock; recipes.md).
package tryton

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"stockbridge/internal/fault"
	"stockbridge/internal/outbound"
	"stockbridge/internal/warehouse"
	"stockbridge/internal/warehouse/paged"
)

const (
	name     = "Tryton"
	pageSize = 500 // products whose stock is computed at once
)

// Config is how a Tryton is reached.
type Config struct {
	URL      string `json:"url"`      // of the server, without database: https://host:8000
	Database string `json:"database"` // its name there
	Username string `json:"username"` // a user whose company owns the stock, and who may read products, locations and moves
	Password string `json:"password,omitempty"`
	// LocationIDs are the locations that are facilities, warehouses or storage locations, each with all below it; none: all warehouses.
	LocationIDs []int `json:"locationIds,omitempty"`
}

// Source is a warehouse.Source. Every pull is one complete report.
type Source struct {
	*paged.Listing
	client    paged.Client // for calls
	signIn    paged.Client // for sessions
	address   string
	locations []int
}

// New checks the setting and asks nobody. Its faults are BLANK or INVALID at the fields of Config.
func New(cfg Config, opts outbound.Options) (*Source, error) {
	var set paged.Setting
	set.Need("url", cfg.URL, "write it as https://host:8000")
	set.Need("database", cfg.Database, "set the name of the database on the server")
	set.Need("username", cfg.Username, "set the login of a user")
	set.Need("password", cfg.Password, "set the user's password")
	var u *url.URL
	if cfg.URL != "" {
		u = set.Address("url", cfg.URL, "")
	}
	if strings.ContainsAny(cfg.Database, "/?#") {
		set.Faults = append(set.Faults, fault.At("database", fault.Invalid, "database is a name, not an address"))
	}
	if strings.Contains(cfg.Username, ":") {
		set.Faults = append(set.Faults, fault.At("username", fault.Invalid, "username holds a colon, which ends it in Tryton's header"))
	}
	for i, id := range cfg.LocationIDs {
		if id <= 0 || slices.Contains(cfg.LocationIDs[:i], id) {
			set.Faults = append(set.Faults, fault.At(fmt.Sprintf("locationIds.%d", i), fault.Invalid, "location %d is no id, or named twice", id))
		}
	}
	if err := set.Faults.Or(); err != nil {
		return nil, err
	}
	s := &Source{locations: cfg.LocationIDs, address: u.JoinPath(cfg.Database).String() + "/"}
	secrets := []string{cfg.Password}
	s.signIn = paged.NewClient(name, opts, outbound.PeerConfig{Secrets: secrets, ReplyLimit: 1 << 20})
	// A session lives as long as it is used, and ends where the server's settings say: it is renewed when it is refused.
	sessions := outbound.NewTokens(opts.Retry.Clock, func(ctx context.Context) (outbound.Token, error) { return s.session(ctx, cfg) },
		func(req *http.Request, session string) { req.Header.Set("Authorization", "Session "+session) })
	s.client = paged.NewClient(name, opts, outbound.PeerConfig{Secrets: secrets, Credentials: sessions})
	s.Listing = paged.NewListing(name+" at "+u.Host+", database "+cfg.Database, s.pull)
	return s, nil
}

// session signs in. What calls are signed with is base64(user:uid:session).
func (s *Source) session(ctx context.Context, cfg Config) (outbound.Token, error) {
	var got []json.RawMessage
	err := call(ctx, s.signIn, s.address, "common.db.login", []any{cfg.Username, map[string]string{"password": cfg.Password}}, &got, false)
	var uid int
	var key string
	switch {
	case fault.CodeOf(err) == fault.CredentialsRefused:
		return outbound.Token{}, fault.Wrap(err, fault.CredentialsRefused, "%s; set the user's login and password", fault.Message(err))
	case err != nil:
		return outbound.Token{}, fmt.Errorf("sign in: %w", err)
	case len(got) < 2 || json.Unmarshal(got[0], &uid) != nil || json.Unmarshal(got[1], &key) != nil || key == "":
		return outbound.Token{}, fault.New(fault.BadReply, "%s: the reply that should be a session holds none", name)
	}
	return outbound.Token{Value: base64.StdEncoding.EncodeToString(fmt.Appendf(nil, "%s:%d:%s", cfg.Username, uid, key))}, nil
}

// Test signs in and looks the locations up.
func (s *Source) Test(ctx context.Context) (string, error) {
	places, err := s.facilities(ctx, true)
	if err != nil {
		return "", err
	}
	words := make([]string, len(places))
	for i, p := range places {
		words[i] = p.facility
	}
	return fmt.Sprintf("%s answered; facilities: %s", name, strings.Join(words, ", ")), nil
}

// Close lets go of idle connections.
func (s *Source) Close() error {
	s.client.Peer.Close()
	s.signIn.Peer.Close()
	return nil
}

var _ warehouse.Source = (*Source)(nil)

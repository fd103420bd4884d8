// Package extensiv is the platform "extensiv": Extensiv 3PL Warehouse Manager (once 3PL Central), asked for its stock
// summaries page by page (wire.md, "Extensiv 3PL Warehouse Manager").
package extensiv

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"stockbridge/internal/fault"
	"stockbridge/internal/outbound"
	"stockbridge/internal/warehouse"
	"stockbridge/internal/warehouse/paged"
)

const (
	name     = "Extensiv"
	home     = "https://secure-wms.com"
	pageSize = 500 // the most that is given
)

// Config is how a 3PL's Warehouse Manager is reached.
type Config struct {
	ClientID     string `json:"clientId"`
	ClientSecret string `json:"clientSecret,omitempty"`
	UserLogin    string `json:"userLogin"`            // whom the 3PL's log names for what is asked
	CustomerID   string `json:"customerId,omitempty"` // whose stock, as the 3PL numbers its customers; "": all that the credentials may see
	FacilityID   string `json:"facilityId,omitempty"` // which facility; "": all
	Endpoint     string `json:"endpoint,omitempty"`   // "": https://secure-wms.com
}

// Source is a warehouse.Source. Every pull is one complete report.
type Source struct {
	*paged.Listing
	client   paged.Client // for stock
	signIn   paged.Client // for tokens
	endpoint string
	rql      string // what stock is asked for; "" for all
}

// New checks the setting and asks nobody. Its faults are BLANK or INVALID at the fields of Config.
func New(cfg Config, opts outbound.Options) (*Source, error) {
	var set paged.Setting
	set.Need("clientId", cfg.ClientID, "Extensiv gives it together with the client secret")
	set.Need("clientSecret", cfg.ClientSecret, "Extensiv gives it together with the client id")
	set.Need("userLogin", cfg.UserLogin, "set the login or id of a user of the warehouse")
	if strings.Contains(cfg.ClientID, ":") {
		set.Faults = append(set.Faults, fault.At("clientId", fault.Invalid, "clientId holds a colon, which ends it in HTTP: paste it again"))
	}
	set.Number("customerId", cfg.CustomerID)
	set.Number("facilityId", cfg.FacilityID)
	u := set.Address("endpoint", cfg.Endpoint, home)
	if err := set.Faults.Or(); err != nil {
		return nil, err
	}
	s := &Source{endpoint: u.String()}
	var filters []string
	if cfg.CustomerID != "" {
		filters = append(filters, "customerId=="+cfg.CustomerID)
	}
	if cfg.FacilityID != "" {
		filters = append(filters, "facilityId=="+cfg.FacilityID)
	}
	s.rql = strings.Join(filters, ";")

	secrets := []string{cfg.ClientSecret, base64.StdEncoding.EncodeToString([]byte(cfg.ClientID + ":" + cfg.ClientSecret))}
	s.signIn = paged.NewClient(name, opts, outbound.PeerConfig{Secrets: secrets, ReplyLimit: 1 << 20})
	tokens := outbound.NewTokens(opts.Retry.Clock, func(ctx context.Context) (outbound.Token, error) { return s.token(ctx, cfg) }, nil)
	s.client = paged.NewClient(name, opts, outbound.PeerConfig{Secrets: secrets, Credentials: tokens})
	s.Listing = paged.NewListing(name+" at "+u.Host, s.pull)
	return s, nil
}

// token asks for a token, which lets in for expires_in seconds.
func (s *Source) token(ctx context.Context, cfg Config) (outbound.Token, error) {
	body, err := json.Marshal(map[string]string{"grant_type": "client_credentials", "user_login": cfg.UserLogin})
	if err != nil {
		return outbound.Token{}, fmt.Errorf("ask for a token: %w", err)
	}
	req := outbound.Request{
		Method: http.MethodPost, URL: s.endpoint + "/AuthServer/api/Token", Body: body,
		Header: http.Header{"Content-Type": {"application/json"}, "Accept": {"application/json"}},
		// What the token service calls a bad request is a client or user that it does not know (invalid_client, invalid_grant).
		Judge: func(r outbound.Reply) error {
			err := s.signIn.Judge(r)
			if r.Status == http.StatusBadRequest {
				return fault.Wrap(err, fault.CredentialsRefused, "credentials refused: %s", fault.Message(err))
			}
			return err
		},
	}
	req.Header.Set("Authorization", "Basic "+base64.StdEncoding.EncodeToString([]byte(cfg.ClientID+":"+cfg.ClientSecret)))
	var got struct {
		Token   string  `json:"access_token"`
		Seconds float64 `json:"expires_in"`
	}
	if err := s.signIn.Ask(ctx, req, &got); err != nil {
		return outbound.Token{}, fmt.Errorf("ask for a token: %w", err)
	}
	if got.Token == "" {
		return outbound.Token{}, fault.New(fault.BadReply, "%s: the reply that should be a token holds no access_token", name)
	}
	return outbound.Token{Value: got.Token, Life: time.Duration(got.Seconds * float64(time.Second))}, nil
}

// page asks for a page, the first is 1.
func (s *Source) page(ctx context.Context, number, size int, untried bool) (page, error) {
	q := url.Values{"pgsiz": {fmt.Sprint(size)}, "pgnum": {fmt.Sprint(number)}}
	if s.rql != "" {
		q.Set("rql", s.rql)
	}
	var p page
	err := s.client.Ask(ctx, outbound.Request{
		Method: http.MethodGet, URL: s.endpoint + "/inventory/stocksummaries?" + q.Encode(),
		Header: http.Header{"Accept": {"application/hal+json"}}, Untried: untried,
	}, &p)
	switch {
	case err != nil:
		return page{}, err
	case p.Total == nil || *p.Total < 0:
		return page{}, fault.New(fault.BadReply, "%s: the page has no totalResults: it is not a page of stock summaries", name)
	case !p.Summaries.There && *p.Total > 0:
		return page{}, fault.New(fault.BadReply, "%s: the page has no summaries, though it tells of %d", name, *p.Total)
	}
	return p, nil
}

// Test asks for one summary.
func (s *Source) Test(ctx context.Context) (string, error) {
	p, err := s.page(ctx, 1, 1, true)
	if err != nil {
		return "", err
	}
	return fmt.Sprintf("%s answered; stock summaries it lists: %d", name, *p.Total), nil
}

// Close lets go of idle connections.
func (s *Source) Close() error {
	s.client.Peer.Close()
	s.signIn.Peer.Close()
	return nil
}

var _ warehouse.Source = (*Source)(nil)

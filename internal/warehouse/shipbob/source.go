// Package shipbob is the platform "shipBob": ShipBob, asked for its inventory levels page by page, by fulfilment centre or in
// sum (wire.md, "ShipBob").
package shipbob

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strings"

	"stockbridge/internal/fault"
	"stockbridge/internal/outbound"
	"stockbridge/internal/warehouse"
	"stockbridge/internal/warehouse/paged"
)

const (
	name     = "ShipBob"
	home     = "https://api.shipbob.com"
	pageSize = 250
	maxPages = 100_000 // of one report; more is an endless chain
	// perSecond is a little below the 150 requests a minute that ShipBob allows.
	perSecond = 2.4
)

// Config is how a merchant's account at ShipBob is reached.
type Config struct {
	Token      string `json:"token,omitempty"`      // a personal access token that may read inventory
	APIVersion string `json:"apiVersion,omitempty"` // "": 2026-01
	ByLocation bool   `json:"byLocation"`           // one level per fulfilment centre, whose id is the facility; else one per SKU
	Endpoint   string `json:"endpoint,omitempty"`   // "": https://api.shipbob.com
}

// Source is a warehouse.Source. Every pull is one complete report.
type Source struct {
	*paged.Listing
	client     paged.Client
	address    string // of the first page, without query
	byLocation bool
}

// New checks the setting and asks nobody. Its faults are BLANK or INVALID at the fields of Config.
func New(cfg Config, opts outbound.Options) (*Source, error) {
	var set paged.Setting
	set.Need("token", cfg.Token, "create a personal access token in ShipBob")
	set.Header("token", cfg.Token)
	if cfg.APIVersion == "" {
		cfg.APIVersion = "2026-01"
	}
	if strings.Trim(cfg.APIVersion, "0123456789.-") != "" || strings.Trim(cfg.APIVersion, ".-") == "" {
		set.Faults = append(set.Faults, fault.At("apiVersion", fault.Invalid, "apiVersion is no version: write it as 2026-01"))
	}
	u := set.Address("endpoint", cfg.Endpoint, home)
	if err := set.Faults.Or(); err != nil {
		return nil, err
	}
	s := &Source{byLocation: cfg.ByLocation, address: u.JoinPath(cfg.APIVersion, "inventory-level").String()}
	if cfg.ByLocation {
		s.address += "/locations"
	}
	s.client = paged.NewClient(name, opts, outbound.PeerConfig{
		PerSecond: perSecond, Secrets: []string{cfg.Token},
		Credentials: paged.Bearer(cfg.Token),
	})
	s.Listing = paged.NewListing(name+" at "+u.Host, s.pull)
	return s, nil
}

// page is one reply. ShipBob's own words for it: a list of items, and where the next one is, null on the last.
type page struct {
	Items paged.List `json:"items"`
	Next  string     `json:"next"`
}

// ask asks for the page that a query names.
func (s *Source) ask(ctx context.Context, query string, untried bool) (page, error) {
	var p page
	err := s.client.Ask(ctx, outbound.Request{
		Method: http.MethodGet, URL: s.address + "?" + query, Header: http.Header{"Accept": {"application/json"}}, Untried: untried,
		Judge: func(r outbound.Reply) error {
			// ShipBob has a name of its own for how long to wait.
			if wait := r.Header.Get("X-Retry-After"); wait != "" && r.Header.Get("Retry-After") == "" {
				r.Header.Set("Retry-After", wait)
			}
			return s.client.Judge(r)
		},
	}, &p)
	if err == nil && !p.Items.There {
		err = fault.New(fault.BadReply, "%s: the page has no items: it is not a page of inventory levels", name)
	}
	return p, err
}

// pull follows the pages. Of where a page says the next one is, only the query is taken: it may be written with or without host and
// version, and the token goes nowhere but to the setting's address.
func (s *Source) pull(ctx context.Context, rows *paged.Rows) error {
	query, places := fmt.Sprintf("PageSize=%d", pageSize), paged.Cursors{}
	for range maxPages {
		p, err := s.ask(ctx, query, false)
		if err != nil {
			return err
		}
		for _, raw := range p.Items.Items {
			if err := s.add(raw, rows); err != nil {
				return err
			}
		}
		if p.Next == "" {
			return nil
		}
		next, err := url.Parse(p.Next)
		if err != nil || next.RawQuery == "" {
			return fault.New(fault.BadReply, "%s: the next page's place %s cannot be read", name, warehouse.Excerpt(p.Next))
		}
		if query = next.RawQuery; !next.Query().Has("PageSize") {
			query += fmt.Sprintf("&PageSize=%d", pageSize)
		}
		if err := places.Take(name, query); err != nil {
			return err
		}
	}
	return fault.New(fault.BadReply, "%s has more than %d pages: they have no end", name, maxPages)
}

// item is one inventory item: its figures in sum, or by location.
type item struct {
	SKU       paged.Text `json:"sku"`
	ID        paged.Text `json:"inventory_id"`
	Locations []location `json:"locations"`

	Sellable    paged.Text `json:"total_sellable_quantity"`
	Fulfillable paged.Text `json:"total_fulfillable_quantity"`
	Committed   paged.Text `json:"total_committed_quantity"`
	OnHand      paged.Text `json:"total_on_hand_quantity"`
	OnHandToo   paged.Text `json:"total_onhand_quantity"`
}

// location is what one fulfilment centre has of an item.
type location struct {
	ID          paged.Text `json:"location_id"`
	Name        paged.Text `json:"name"`
	Sellable    paged.Text `json:"sellable_quantity"`
	Fulfillable paged.Text `json:"fulfillable_quantity"`
	Committed   paged.Text `json:"committed_quantity"`
	OnHand      paged.Text `json:"on_hand_quantity"`
	OnHandToo   paged.Text `json:"onhand_quantity"`
}

// add passes on the levels of one item. Sellable is available: fulfillable less what is short elsewhere.
func (s *Source) add(raw json.RawMessage, rows *paged.Rows) error {
	var it item
	if err := json.Unmarshal(raw, &it); err != nil {
		return rows.Refuse("", "the inventory level is not as documented: "+err.Error())
	}
	if it.SKU.Odd || it.SKU.S == "" {
		return rows.Refuse("", fmt.Sprintf("inventory item %s has no SKU: give it one in ShipBob", it.ID.S))
	}
	if !s.byLocation {
		return rows.Add(warehouse.Row{
			SKU: it.SKU.S, Available: first(it.Sellable, it.Fulfillable), OnHand: first(it.OnHand, it.OnHandToo), Committed: it.Committed.S,
		}, nil)
	}
	for _, l := range it.Locations {
		if l.ID.S == "" || l.ID.Odd {
			l.ID = l.Name // better than none: levels of two centres must not be taken for one
		}
		if l.ID.S == "" || l.ID.Odd {
			if err := rows.Refuse(it.SKU.S, "the location has neither id nor name"); err != nil {
				return err
			}
			continue
		}
		if err := rows.Add(warehouse.Row{
			SKU: it.SKU.S, Facility: l.ID.S, Available: first(l.Sellable, l.Fulfillable), OnHand: first(l.OnHand, l.OnHandToo), Committed: l.Committed.S,
		}, nil); err != nil {
			return err
		}
	}
	return nil
}

// first is the first figure that is told.
func first(texts ...paged.Text) string {
	for _, t := range texts {
		if t.S != "" {
			return t.S
		}
	}
	return ""
}

// Test asks for one item.
func (s *Source) Test(ctx context.Context) (string, error) {
	p, err := s.ask(ctx, "PageSize=1", true)
	if err != nil {
		return "", err
	}
	words := fmt.Sprintf("%s answered; inventory items on its first page: %d", name, len(p.Items.Items))
	if p.Next != "" {
		words += "; more pages follow"
	}
	return words, nil
}

// Close lets go of idle connections.
func (s *Source) Close() error {
	s.client.Peer.Close()
	return nil
}

var _ warehouse.Source = (*Source)(nil)

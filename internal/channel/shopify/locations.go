package shopify

import (
	"context"
	"fmt"
	"strings"
	"time"

	"stockbridge/internal/channel"
	"stockbridge/internal/fault"
)

const (
	placePrefix = "gid://shopify/Location/"
	mostPages   = 40 // 10,000 locations; Shopify's own bound is 1,000
)

// placeID reads a location's id as people write it, "1" or "gid://shopify/Location/1", into the latter; "" stays "".
func placeID(text string) (string, error) {
	number := strings.TrimPrefix(strings.TrimSpace(text), placePrefix)
	if text == "" {
		return "", nil
	}
	if number == "" || strings.Trim(number, "0123456789") != "" {
		return "", fmt.Errorf("%.80q is no location of Shopify; write its id, as %s1 or 1", text, placePrefix)
	}
	return placePrefix + number, nil
}

const locationsDocument = `query Locations($after:String){locations(first:250,after:$after){nodes{id name isActive} pageInfo{hasNextPage endCursor}}}`

// pageInfo tells where a page ends.
type pageInfo struct {
	HasNextPage bool
	EndCursor   string
}

// Locations asks for the shop's active locations. Their codes are Shopify's ids (gid://shopify/Location/1).
func (s *Store) Locations(ctx context.Context) (all []channel.Location, err error) {
	after := (*string)(nil)
	for range mostPages {
		var data struct {
			Locations *struct {
				Nodes []struct {
					ID, Name string
					IsActive bool
				}
				PageInfo pageInfo
			}
		}
		r := request{name: "Locations", document: locationsDocument, variables: map[string]any{"after": after}, cost: 2 + 250, into: &data}
		r.check = func() error {
			if data.Locations == nil {
				return &failure{fault: fault.New(fault.BadReply, "the reply holds no locations")}
			}
			return nil
		}
		if _, err := s.ask(ctx, r); err != nil {
			return nil, fmt.Errorf("list the locations of %s: %w", s.cfg.Shop, err)
		}
		for _, n := range data.Locations.Nodes {
			if n.IsActive {
				all = append(all, channel.Location{Code: n.ID, Name: n.Name})
			}
		}
		if !data.Locations.PageInfo.HasNextPage {
			return all, nil
		}
		after = &data.Locations.PageInfo.EndCursor
	}
	return nil, fault.New(fault.BadReply, "the locations of %s do not end", s.cfg.Shop)
}

// onlyPlace remembers the location of a shop that has but one, asked for once by whoever comes first.
type onlyPlace struct {
	lock  chan struct{} // holds one token while nobody has the fields below
	id    string
	until time.Time
}

func newOnlyPlace() *onlyPlace {
	o := &onlyPlace{lock: make(chan struct{}, 1)}
	o.lock <- struct{}{}
	return o
}

// standing is the location of levels that name none: the setting's, else the shop's only one. A shop with none or with several is a
// fault at locationId.
func (s *Store) standing(ctx context.Context) (string, error) {
	if s.place != "" {
		return s.place, nil
	}
	select {
	case <-s.only.lock:
		defer func() { s.only.lock <- struct{}{} }()
	case <-ctx.Done():
		return "", ctx.Err()
	}
	now := s.peer.Clock().Time()
	if s.only.id != "" && now.Before(s.only.until) {
		return s.only.id, nil
	}
	all, err := s.Locations(ctx)
	if err != nil {
		return "", err
	}
	if len(all) != 1 {
		var names []string
		for _, l := range all[:min(len(all), 3)] {
			names = append(names, fmt.Sprintf("%s (%s)", l.Name, l.Code))
		}
		return "", fault.At("locationId", fault.Blank, "the shop has %d active locations; set locationId to the one that levels are for: %s", len(all), s.peer.Hide(strings.Join(names, ", ")))
	}
	if s.only.id, err = placeID(all[0].Code); err != nil {
		return "", fault.Wrap(err, fault.BadReply, "the shop's location has the id %.80q", all[0].Code)
	}
	s.only.until = now.Add(cacheLife)
	return s.only.id, nil
}

// forgetOnly has the shop's only location asked for again: Shopify said that it is none.
func (s *Store) forgetOnly() {
	<-s.only.lock
	s.only.id = ""
	s.only.lock <- struct{}{}
}

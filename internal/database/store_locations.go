package database

import (
	"context"
	"fmt"
	"slices"

	"stockbridge/ent"
	"stockbridge/ent/connection"
	"stockbridge/ent/locationlink"
	"stockbridge/ent/storelocation"
	"stockbridge/internal/fault"
)

// Location is one place of a store that shows stock of its own.
type Location struct {
	Code string // 1 to 255 bytes, unique in the store
	Name string // up to 255 bytes; blank is the code
}

// locations readies a store's locations for storing.
func (c *check) locations(in []Location) []Location {
	if !c.few("locations", len(in)) {
		return nil
	}
	out := make([]Location, len(in))
	for i, l := range in {
		at := fmt.Sprintf("locations.%d.", i)
		l.Code = c.name(at+"code", l.Code)
		l.Name = c.text(at+"name", l.Name, maxText)
		if l.Name == "" {
			l.Name = l.Code
		}
		twice := func(o Location) bool { return o.Code == l.Code }
		if l.Code != "" && slices.ContainsFunc(out[:i], twice) {
			c.add(at+"code", fault.Taken, "the location %.80q is named twice: leave one out", l.Code)
		}
		out[i] = l
	}
	return out
}

// locationsGone gives the ids of a store's locations that are not among those it is to have. None of them may be linked.
func (t *tx) locationsGone(ctx context.Context, c *check, s *ent.Store, locations []Location) ([]int64, error) {
	stored, err := s.QueryLocations().Order(storelocation.ByID()).All(ctx)
	if err != nil {
		return nil, err
	}
	var gone []int64
	for _, old := range stored {
		if slices.ContainsFunc(locations, func(l Location) bool { return l.Code == old.Code }) {
			continue
		}
		gone = append(gone, old.ID)
		linked, err := t.ent.LocationLink.Query().Where(locationlink.LocationID(old.ID)).QueryConnection().Order(connection.ByID()).All(ctx)
		if err != nil {
			return nil, err
		}
		if len(linked) > 0 {
			c.add("locations", fault.InUse, "the connection %.80q links the location %.80q: take that link away first, or keep the location", linked[0].Name, old.Code)
		}
	}
	return gone, nil
}

// replaceLocations adds and renames locations, and takes away those gone.
func (t *tx) replaceLocations(ctx context.Context, s *ent.Store, locations []Location, gone []int64) error {
	if _, err := t.ent.StoreLocation.Delete().Where(storelocation.IDIn(gone...)).Exec(ctx); err != nil {
		return err
	}
	stored, err := s.QueryLocations().All(ctx)
	if err != nil {
		return err
	}
	names := map[string]*ent.StoreLocation{}
	for _, old := range stored {
		names[old.Code] = old
	}
	for _, l := range locations {
		old := names[l.Code]
		if old == nil {
			err = t.addLocations(ctx, s, []Location{l})
		} else if old.Name != l.Name {
			err = old.Update().SetName(l.Name).Exec(ctx)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func (t *tx) addLocations(ctx context.Context, s *ent.Store, locations []Location) error {
	return t.ent.StoreLocation.MapCreateBulk(locations, func(c *ent.StoreLocationCreate, i int) {
		c.SetMerchantID(s.MerchantID).SetStoreID(s.ID).SetCode(locations[i].Code).SetName(locations[i].Name)
	}).Exec(ctx)
}

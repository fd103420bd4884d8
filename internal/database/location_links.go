package database

import (
	"context"
	"fmt"
	"slices"

	"stockbridge/ent"
	"stockbridge/ent/facility"
	"stockbridge/ent/locationlink"
	"stockbridge/ent/storelocation"
	"stockbridge/internal/fault"
)

// LocationLink lets a facility of a connection's warehouse feed a location of its store (spec 4.10).
type LocationLink struct {
	FacilityCode string // 1 to 255 bytes; a facility no report has named yet is made
	LocationCode string // of a location the store has
}

// SetLocationLinks replaces the links of a connection.
type SetLocationLinks struct {
	ExpectedVersion *int64         // the connection's version the change was made against, else STALE_VERSION; nil is any
	Links           []LocationLink // at most 1,000, each facility once
}

// SetLocationLinks replaces the links of a connection. Faults: NOT_FOUND of connectionId, STALE_VERSION, TOO_MANY of
// links; BLANK, TOO_LONG, INVALID or TAKEN of links.N.facilityCode; BLANK or NOT_FOUND of links.N.locationCode.
func (db *DB) SetLocationLinks(ctx context.Context, merchantID, connectionID int64, in SetLocationLinks) (*ent.Connection, error) {
	return change(ctx, db, merchantID, "set location links", func(t *tx) (*ent.Connection, error) {
		conn, err := t.connection(ctx, merchantID, connectionID)
		if err != nil {
			return nil, err
		}
		if err := upToDate(in.ExpectedVersion, conn.Version); err != nil {
			return nil, err
		}
		locations, err := t.ent.StoreLocation.Query().Where(storelocation.StoreID(conn.StoreID)).All(ctx)
		if err != nil {
			return nil, err
		}
		var c check
		wanted := c.links(in.Links, locations)
		if err := c.faults.Or(); err != nil {
			return nil, err
		}
		if err := t.replaceLinks(ctx, conn, wanted); err != nil {
			return nil, err
		}
		return conn.Update().SetUpdatedAt(db.Now()).AddVersion(1).Save(ctx)
	})
}

// link is a LocationLink whose location is found.
type link struct {
	facility string
	location int64
}

// links readies the links for storing.
func (c *check) links(in []LocationLink, locations []*ent.StoreLocation) []link {
	if !c.few("links", len(in)) {
		return nil
	}
	out := make([]link, len(in))
	for i, l := range in {
		at := fmt.Sprintf("links.%d.", i)
		out[i].facility = c.name(at+"facilityCode", l.FacilityCode)
		twice := func(o link) bool { return o.facility == out[i].facility }
		if out[i].facility != "" && slices.ContainsFunc(out[:i], twice) {
			c.add(at+"facilityCode", fault.Taken, "the facility %.80q is linked twice: it feeds one location at most", out[i].facility)
		}
		code := c.name(at+"locationCode", l.LocationCode)
		if found := slices.IndexFunc(locations, func(o *ent.StoreLocation) bool { return o.Code == code }); found >= 0 {
			out[i].location = locations[found].ID
		} else if code != "" {
			c.add(at+"locationCode", fault.NotFound, "the store has no location %.80q: add it to the store first, or write the code of one it has", code)
		}
	}
	return out
}

// replaceLinks does nothing where the links are these already.
func (t *tx) replaceLinks(ctx context.Context, conn *ent.Connection, links []link) error {
	old, err := conn.QueryLocationLinks().WithFacility().All(ctx)
	if err != nil {
		return err
	}
	fresh := func(l *ent.LocationLink) bool {
		return !slices.Contains(links, link{l.Edges.Facility.Code, l.LocationID})
	}
	if len(old) == len(links) && !slices.ContainsFunc(old, fresh) {
		return nil
	}
	if _, err := t.ent.LocationLink.Delete().Where(locationlink.ConnectionID(conn.ID)).Exec(ctx); err != nil {
		return err
	}
	facilities, err := t.facilities(ctx, conn, links)
	if err != nil {
		return err
	}
	err = t.ent.LocationLink.MapCreateBulk(links, func(c *ent.LocationLinkCreate, i int) {
		c.SetMerchantID(conn.MerchantID).SetConnectionID(conn.ID).SetFacilityID(facilities[links[i].facility]).SetLocationID(links[i].location)
	}).Exec(ctx)
	if err == nil && counts(conn) {
		err = t.markConnection(ctx, conn)
	}
	return err
}

// facilities gives the ids of the linked facilities by code, and makes those no report has named yet. A report that is
// being recorded may make one at the same time.
func (t *tx) facilities(ctx context.Context, conn *ent.Connection, links []link) (map[string]int64, error) {
	codes := make([]string, len(links))
	for i, l := range links {
		codes[i] = l.facility
	}
	slices.Sort(codes)
	insert := t.db.rebind("INSERT INTO facilities (merchant_id, warehouse_id, code, created_at) VALUES (?, ?, ?, ?) ON CONFLICT (warehouse_id, code) DO NOTHING")
	for _, code := range codes {
		if _, err := t.ExecContext(ctx, insert, conn.MerchantID, conn.WarehouseID, code, t.db.Now()); err != nil {
			return nil, fmt.Errorf("add a facility: %w", err)
		}
	}
	rows, err := t.ent.Facility.Query().Where(facility.WarehouseID(conn.WarehouseID), facility.CodeIn(codes...)).All(ctx)
	if err != nil {
		return nil, err
	}
	ids := make(map[string]int64, len(rows))
	for _, f := range rows {
		ids[f.Code] = f.ID
	}
	return ids, nil
}

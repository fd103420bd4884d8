package graph

import (
	"context"
	"encoding/base64"
	"encoding/json"

	"stockbridge/ent"
	"stockbridge/ent/schema/enum"
	"stockbridge/graph/model"
	"stockbridge/graph/page"
	"stockbridge/internal/database"
	"stockbridge/internal/fault"
	"stockbridge/internal/globalid"
)

// PreviewPartitionStrategy tells what a strategy would make of the levels (spec 5).
func (q query) PreviewPartitionStrategy(ctx context.Context, in model.PartitionStrategyInput, first *int64, after *string, where *model.LevelChangeWhere) (*model.LevelChangeConnection, error) {
	run, err := q.strategyPreview(ctx, in)
	return changes(ctx, first, after, where, run, err, "input")
}

// preview tells a scan of changes.
type preview func(context.Context, database.Scan) error

func (q query) strategyPreview(ctx context.Context, in model.PartitionStrategyInput) (preview, error) {
	buffer, shares, err := partition(in.Buffer.Value(), in.Shares)
	if err != nil {
		return nil, err
	}
	if in.PartitionStrategyID == nil {
		if in.WarehouseID == nil {
			return nil, fault.At("warehouseId", fault.Blank, "write the warehouse of a new strategy, or in partitionStrategyId the one that is to change")
		}
		warehouse, err := find(ctx, "Warehouse", "warehouseId", *in.WarehouseID, q.Reader.Warehouse.Get)
		if err != nil {
			return nil, err
		}
		return func(ctx context.Context, scan database.Scan) error {
			return q.DB.PreviewNewPartitionStrategy(ctx, database.CreatePartitionStrategy{MerchantID: warehouse.MerchantID, WarehouseID: warehouse.ID, Buffer: buffer,
				MinimumDistributable: given(in.MinimumDistributable), Distribution: given(in.Distribution), Remainder: given(in.Remainder), Shares: shares,
				Active: in.Active == nil || *in.Active}, in.Name, scan)
		}, nil
	}
	row, err := find(ctx, "PartitionStrategy", "partitionStrategyId", *in.PartitionStrategyID, q.Reader.PartitionStrategy.Get)
	if err != nil {
		return nil, err
	}
	if in.WarehouseID != nil && *in.WarehouseID != globalid.New("Warehouse", row.WarehouseID) {
		return nil, fault.At("warehouseId", fault.Invalid, "the strategy is of another warehouse, and stays there: leave this out")
	}
	u := database.UpdatePartitionStrategy{ExpectedVersion: in.ExpectedVersion, Name: in.Name, MinimumDistributable: in.MinimumDistributable, Distribution: in.Distribution, Remainder: in.Remainder, Active: in.Active}
	if in.Buffer.IsSet() {
		u.Buffer = &buffer
	}
	if in.Shares != nil {
		u.Shares = &shares
	}
	return func(ctx context.Context, scan database.Scan) error {
		return q.DB.PreviewPartitionStrategy(ctx, row.MerchantID, row.ID, u, scan)
	}, nil
}

// PreviewListing tells what a change of a listing would make of the levels.
func (q query) PreviewListing(ctx context.Context, in model.ListingPreviewInput, first *int64, after *string, where *model.LevelChangeWhere) (*model.LevelChangeConnection, error) {
	switch {
	case in.Create != nil:
		store, err := find(ctx, "Store", "storeId", in.Create.StoreID, q.Reader.Store.Get)
		return changes(ctx, first, after, where, func(ctx context.Context, scan database.Scan) error {
			return q.DB.PreviewNewListing(ctx, newListing(store, *in.Create), scan)
		}, err, "input", "create")
	case in.Update != nil:
		row, err := find(ctx, "Listing", "listingId", in.Update.ListingID, q.Reader.Listing.Get)
		return changes(ctx, first, after, where, func(ctx context.Context, scan database.Scan) error {
			return q.DB.PreviewListing(ctx, row.MerchantID, row.ID, changedListing(*in.Update), scan)
		}, err, "input", "update")
	case in.Delete != nil:
		row, err := find(ctx, "Listing", "listingId", in.Delete.ListingID, q.Reader.Listing.Get)
		return changes(ctx, first, after, where, func(ctx context.Context, scan database.Scan) error {
			return q.DB.PreviewNoListing(ctx, row.MerchantID, row.ID, scan)
		}, err, "input", "delete")
	}
	return nil, fault.At("input", fault.Invalid, "exactly one of create, update and delete is needed")
}

// PreviewBundle tells what other components of a product would make of the levels.
func (q query) PreviewBundle(ctx context.Context, in model.BundlePreviewInput, first *int64, after *string, where *model.LevelChangeWhere) (*model.LevelChangeConnection, error) {
	row, err := find(ctx, "Product", "productId", in.ProductID, q.Reader.Product.Get)
	return changes(ctx, first, after, where, func(ctx context.Context, scan database.Scan) error {
		return q.DB.PreviewBundle(ctx, row.MerchantID, row.ID, components(in.Components), scan)
	}, err, "input")
}

// PreviewStoreLimits tells what other limits of a store would make of the levels.
func (q query) PreviewStoreLimits(ctx context.Context, in model.SetStoreLimitsInput, first *int64, after *string, where *model.LevelChangeWhere) (*model.LevelChangeConnection, error) {
	row, err := find(ctx, "Store", "storeId", in.StoreID, q.Reader.Store.Get)
	return changes(ctx, first, after, where, func(ctx context.Context, scan database.Scan) error {
		return q.DB.PreviewStoreLimits(ctx, row.MerchantID, row.ID, database.SetStoreLimits{ExpectedVersion: in.ExpectedVersion, Scope: in.Scope, Limits: limits(in.Limits)}, scan)
	}, err, "input")
}

// changes reads the page of a preview that the caller asked for. Where err says that there is none, run is not called.
// The faults of both lie below the path.
func changes(ctx context.Context, first *int64, after *string, where *model.LevelChangeWhere, run preview, err error, path ...string) (*model.LevelChangeConnection, error) {
	size, _, serr := page.Args{First: first}.Size()
	if serr != nil {
		return nil, serr
	}
	var scan database.Scan
	if after != nil {
		at, ok := readPosition(*after)
		if !ok {
			return nil, fault.At("after", page.InvalidCursor, "%.40q is no cursor of a preview; use one that a page of it gave", *after)
		}
		scan.After = &at
	}
	if id := given(where).StoreID; id != nil {
		var ferr error
		if scan.Store, ferr = globalid.Of("Store", *id); ferr != nil {
			return nil, fault.At("where.storeId", fault.NotFound, "%s", fault.Message(ferr))
		}
	}
	var told []database.LevelChange
	if err == nil {
		scan.Tell = func(c database.LevelChange) bool {
			told = append(told, c)
			return len(told) <= size
		}
		err = run(ctx, scan)
	}
	if faults := below(err, path...); len(faults) > 0 {
		return nil, faults
	}
	if err != nil {
		return nil, err
	}
	p := &model.LevelChangeConnection{
		Edges:    make([]*model.LevelChangeEdge, min(size, len(told))),
		PageInfo: &model.PageInfo{HasNextPage: len(told) > size, HasPreviousPage: after != nil},
		Count: func(ctx context.Context) (n int, err error) {
			err = run(ctx, database.Scan{Store: scan.Store, Tell: func(database.LevelChange) bool { n++; return true }})
			return n, err
		},
	}
	for i := range p.Edges {
		p.Edges[i] = &model.LevelChangeEdge{Cursor: writePosition(told[i].LevelPosition), Node: &told[i]}
	}
	if n := len(p.Edges); n > 0 {
		p.PageInfo.StartCursor, p.PageInfo.EndCursor = &p.Edges[0].Cursor, &p.Edges[n-1].Cursor
	}
	return p, nil
}

// writePosition makes the cursor of a change: its position as JSON, [SKU, store, channel SKU, location], in unpadded
// URL-safe base64.
func writePosition(p database.LevelPosition) string {
	raw, err := json.Marshal([]any{p.SKU, p.Store, p.ChannelSKU, p.Location})
	if err != nil {
		panic(err) // texts and numbers have a JSON
	}
	return base64.RawURLEncoding.EncodeToString(raw)
}

// readPosition takes a cursor apart; false for one that writePosition did not make.
func readPosition(cursor string) (p database.LevelPosition, ok bool) {
	raw, err := base64.RawURLEncoding.DecodeString(cursor)
	if err != nil {
		return p, false
	}
	var parts []json.RawMessage
	if json.Unmarshal(raw, &parts) != nil || len(parts) != 4 {
		return p, false
	}
	for i, to := range []any{&p.SKU, &p.Store, &p.ChannelSKU, &p.Location} {
		if json.Unmarshal(parts[i], to) != nil {
			return p, false
		}
	}
	return p, p.SKU != "" && storable(p.SKU) && storable(p.ChannelSKU) && storable(p.Location)
}

type levelChangeFields struct{ *resolver }

func (levelChangeFields) Effect(_ context.Context, c *database.LevelChange) (model.LevelChangeEffect, error) {
	switch {
	case c.After.Status == enum.LevelExcluded:
		return model.LevelChangeEffectExcluded, nil
	case c.Before == nil || c.Before.Status == enum.LevelExcluded:
		return model.LevelChangeEffectAppears, nil
	}
	return model.LevelChangeEffectChanges, nil
}

func (f levelChangeFields) Store(ctx context.Context, c *database.LevelChange) (*ent.Store, error) {
	return named(ctx, f.Reader.Store.Query(), &c.Store)
}

func (f levelChangeFields) Location(ctx context.Context, c *database.LevelChange) (*ent.StoreLocation, error) {
	return named(ctx, f.Reader.StoreLocation.Query(), number(c.LocationID))
}

func (f levelChangeFields) Listing(ctx context.Context, c *database.LevelChange) (*ent.Listing, error) {
	return named(ctx, f.Reader.Listing.Query(), number(c.Listing))
}

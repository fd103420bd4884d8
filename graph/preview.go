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
func (q query) PreviewPartitionStrategy(ctx context.Context, in model.PartitionStrategyInput, first *int64, after *string, last *int64, before *string, where *model.LevelChangeWhere) (*model.LevelChangeConnection, error) {
	run, err := q.strategyPreview(ctx, in)
	return changes(ctx, page.Args{First: first, After: after, Last: last, Before: before}, where, run, err, "input")
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
func (q query) PreviewListing(ctx context.Context, in model.ListingPreviewInput, first *int64, after *string, last *int64, before *string, where *model.LevelChangeWhere) (*model.LevelChangeConnection, error) {
	switch {
	case in.Create != nil:
		store, err := find(ctx, "Store", "storeId", in.Create.StoreID, q.Reader.Store.Get)
		return changes(ctx, page.Args{First: first, After: after, Last: last, Before: before}, where, func(ctx context.Context, scan database.Scan) error {
			return q.DB.PreviewNewListing(ctx, newListing(store, *in.Create), scan)
		}, err, "input", "create")
	case in.Update != nil:
		row, err := find(ctx, "Listing", "listingId", in.Update.ListingID, q.Reader.Listing.Get)
		return changes(ctx, page.Args{First: first, After: after, Last: last, Before: before}, where, func(ctx context.Context, scan database.Scan) error {
			return q.DB.PreviewListing(ctx, row.MerchantID, row.ID, changedListing(*in.Update), scan)
		}, err, "input", "update")
	case in.Delete != nil:
		row, err := find(ctx, "Listing", "listingId", in.Delete.ListingID, q.Reader.Listing.Get)
		return changes(ctx, page.Args{First: first, After: after, Last: last, Before: before}, where, func(ctx context.Context, scan database.Scan) error {
			return q.DB.PreviewNoListing(ctx, row.MerchantID, row.ID, scan)
		}, err, "input", "delete")
	}
	return nil, fault.At("input", fault.Invalid, "exactly one of create, update and delete is needed")
}

// PreviewBundle tells what other components of a product would make of the levels.
func (q query) PreviewBundle(ctx context.Context, in model.BundlePreviewInput, first *int64, after *string, last *int64, before *string, where *model.LevelChangeWhere) (*model.LevelChangeConnection, error) {
	row, err := find(ctx, "Product", "productId", in.ProductID, q.Reader.Product.Get)
	return changes(ctx, page.Args{First: first, After: after, Last: last, Before: before}, where, func(ctx context.Context, scan database.Scan) error {
		return q.DB.PreviewBundle(ctx, row.MerchantID, row.ID, components(in.Components), scan)
	}, err, "input")
}

// PreviewStoreLimits tells what other limits of a store would make of the levels.
func (q query) PreviewStoreLimits(ctx context.Context, in model.SetStoreLimitsInput, first *int64, after *string, last *int64, before *string, where *model.LevelChangeWhere) (*model.LevelChangeConnection, error) {
	row, err := find(ctx, "Store", "storeId", in.StoreID, q.Reader.Store.Get)
	return changes(ctx, page.Args{First: first, After: after, Last: last, Before: before}, where, func(ctx context.Context, scan database.Scan) error {
		return q.DB.PreviewStoreLimits(ctx, row.MerchantID, row.ID, database.SetStoreLimits{ExpectedVersion: in.ExpectedVersion, Scope: in.Scope, Limits: limits(in.Limits)}, scan)
	}, err, "input")
}

// changes reads the page of a preview that the caller asked for. Where err says that there is none, run is not called.
// The faults of both lie below the path.
func changes(ctx context.Context, args page.Args, where *model.LevelChangeWhere, run preview, err error, path ...string) (*model.LevelChangeConnection, error) {
	size, backward, aerr := args.Size()
	if aerr != nil {
		return nil, aerr
	}
	after, aerr := readPosition("after", args.After)
	if aerr != nil {
		return nil, aerr
	}
	before, aerr := readPosition("before", args.Before)
	if aerr != nil {
		return nil, aerr
	}
	var store int64
	if id := given(where).StoreID; id != nil {
		if store, aerr = globalid.Of("Store", *id); aerr != nil {
			return nil, fault.At("where.storeId", fault.NotFound, "%s", fault.Message(aerr))
		}
	}
	var told []database.LevelChange
	if err == nil {
		err = run(ctx, database.Scan{After: after, Store: store, Tell: func(c database.LevelChange) bool {
			if before != nil && c.Compare(*before) >= 0 {
				return false
			}
			if backward && len(told) > 2*size+1 { // only the last of all are wanted
				told = append(told[:0], told[len(told)-size:]...)
			}
			told = append(told, c)
			return backward || len(told) <= size
		}})
	}
	if faults := below(err, path...); len(faults) > 0 {
		return nil, faults
	}
	if err != nil {
		return nil, err
	}
	more := len(told) > size
	if backward {
		told = told[max(0, len(told)-size):]
	} else {
		told = told[:min(size, len(told))]
	}
	p := &model.LevelChangeConnection{
		Edges:    make([]*model.LevelChangeEdge, len(told)),
		PageInfo: &model.PageInfo{HasNextPage: !backward && more || backward && before != nil, HasPreviousPage: backward && more || !backward && after != nil},
		Count: func(ctx context.Context) (n int, err error) {
			err = run(ctx, database.Scan{Store: store, Tell: func(database.LevelChange) bool { n++; return true }})
			return n, err
		},
	}
	for i := range told {
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

// readPosition takes the cursor in an argument apart, nil for none. The error is a fault INVALID_CURSOR of the argument.
func readPosition(argument string, cursor *string) (*database.LevelPosition, error) {
	if cursor == nil {
		return nil, nil
	}
	var p database.LevelPosition
	var parts []json.RawMessage
	raw, err := base64.RawURLEncoding.DecodeString(*cursor)
	ok := err == nil && json.Unmarshal(raw, &parts) == nil && len(parts) == 4
	for i, to := range []any{&p.SKU, &p.Store, &p.ChannelSKU, &p.Location} {
		ok = ok && json.Unmarshal(parts[i], to) == nil
	}
	if !ok || p.SKU == "" || !storable(p.SKU) || !storable(p.ChannelSKU) || !storable(p.Location) {
		return nil, fault.At(argument, page.InvalidCursor, "%.40q is no cursor of a preview; use one that a page of it gave", *cursor)
	}
	return &p, nil
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

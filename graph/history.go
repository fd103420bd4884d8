package graph

import (
	"context"
	"maps"
	"slices"
	"strings"
	"time"

	"stockbridge/ent"
	"stockbridge/graph/model"
	"stockbridge/internal/database"
	"stockbridge/internal/fault"
	"stockbridge/internal/globalid"
)

// Bounds of a history.
const (
	maxBuckets = 1000
	maxHistory = 100 * 366 * 24 * time.Hour
)

// LevelHistory tells a SKU's levels through time (spec 2.5).
func (q query) LevelHistory(ctx context.Context, merchantID, sku string, from, to time.Time, buckets *int64) (*model.LevelHistory, error) {
	merchant, err := find(ctx, "Merchant", "merchantId", merchantID, q.Reader.Merchant.Get)
	if err != nil {
		return nil, err
	}
	n := int64(100)
	if buckets != nil {
		n = *buckets
	}
	switch {
	case n < 1 || n > maxBuckets:
		return nil, fault.At("buckets", fault.OutOfRange, "%d is out of range; write a number from 1 to %d", n, maxBuckets)
	case !from.Before(to):
		return nil, fault.At("to", fault.Invalid, "the time ends before it begins: write a time later than from")
	case to.Sub(from) > maxHistory:
		return nil, fault.At("from", fault.OutOfRange, "the time is longer than a hundred years: begin later")
	}
	out := &model.LevelHistory{From: from, To: to, WarehouseLevels: []*model.WarehouseLevelSeries{}, ChannelLevels: []*model.ChannelLevelSeries{}}
	if sku = strings.TrimSpace(sku); !storable(sku) {
		out.Complete = true
		return out, nil
	}
	skus, err := q.using(ctx, merchant.ID, sku)
	if err != nil {
		return nil, err
	}
	all, kept, err := q.DB.History(ctx, merchant.ID, skus, database.Times{From: from, To: to, Buckets: int(n)})
	if err != nil {
		return nil, err
	}
	out.Complete, out.KeptSince = kept.Complete(from), since(kept)
	levels := map[database.Series]*model.ChannelLevelSeries{}
	for _, s := range all {
		if s.Warehouse.Valid {
			if s.SKU == sku { // what is reported of a bundle is not this SKU's
				out.WarehouseLevels = append(out.WarehouseLevels, &model.WarehouseLevelSeries{LevelPlace: levelPlace(s.Series), Points: points(s.Points)})
			}
			continue
		}
		level := s.Series
		level.Pushed = false
		l := levels[level]
		if l == nil {
			l = &model.ChannelLevelSeries{LevelPlace: levelPlace(level)}
			levels[level], out.ChannelLevels = l, append(out.ChannelLevels, l)
		}
		if s.Pushed {
			l.Pushed = points(s.Points)
		} else {
			l.Points = points(s.Points)
		}
	}
	return out, nil
}

func points(in []database.Point) []*model.LevelPoint {
	out := make([]*model.LevelPoint, len(in))
	for i, p := range in {
		out[i] = &model.LevelPoint{At: p.At, Min: p.Min, Max: p.Max}
		switch {
		case p.Last == nil:
		case p.Last.Excluded:
			out[i].Excluded = true
		default:
			out[i].Value = &p.Last.Value
		}
	}
	return out
}

// since is from when on activities are kept, as the API tells it.
func since(k database.Kept) *time.Time {
	if k.Since == nil || k.Since.IsZero() {
		return nil
	}
	return k.Since
}

// AsOf tells a SKU's levels as they were (spec 2.5).
func (f inventoryItemFields) AsOf(ctx context.Context, item *model.InventoryItem, at time.Time) (*model.InventoryItemAsOf, error) {
	skus, err := f.using(ctx, item.MerchantID, item.SKU)
	if err != nil {
		return nil, err
	}
	stands, kept, err := f.DB.AsOf(ctx, item.MerchantID, skus, at)
	if err != nil {
		return nil, err
	}
	out := &model.InventoryItemAsOf{At: at, Complete: kept.Complete(at), KeptSince: since(kept), WarehouseLevels: []*model.WarehouseLevelAsOf{}, ChannelLevels: []*model.ChannelLevelAsOf{}}
	levels := map[database.Series]*model.ChannelLevelAsOf{}
	for _, s := range slices.SortedFunc(maps.Keys(stands), database.Series.Compare) {
		stand := stands[s]
		if s.Warehouse.Valid {
			if s.SKU == item.SKU {
				out.WarehouseLevels = append(out.WarehouseLevels, &model.WarehouseLevelAsOf{LevelPlace: levelPlace(s), Figure: stand.Value})
			}
			continue
		}
		level := s
		level.Pushed = false
		l := levels[level]
		if l == nil {
			l = &model.ChannelLevelAsOf{LevelPlace: levelPlace(s)}
			levels[level], out.ChannelLevels = l, append(out.ChannelLevels, l)
		}
		switch {
		case s.Pushed:
			l.PushedQuantity = &stand.Value
		case stand.Excluded:
			l.Excluded = true
		default:
			l.Quantity = &stand.Value
		}
	}
	return out, nil
}

func levelPlace(s database.Series) model.LevelPlace {
	p := model.LevelPlace{WarehouseRow: number(s.Warehouse), FacilityRow: number(s.Facility), StoreRow: number(s.Store), LocationRow: number(s.Location), SKU: s.SKU, ChannelSKU: s.ChannelSKU}
	if s.Warehouse.Valid {
		p.WarehouseID = globalid.New("Warehouse", s.Warehouse.Int64)
	} else {
		p.StoreID = globalid.New("Store", s.Store.Int64)
	}
	return p
}

// placeFields finds what the place of a level names.
type placeFields[T any] struct {
	*resolver
	place func(*T) *model.LevelPlace
}

func (f placeFields[T]) Warehouse(ctx context.Context, l *T) (*ent.Warehouse, error) {
	return named(ctx, f.Reader.Warehouse.Query(), f.place(l).WarehouseRow)
}

func (f placeFields[T]) Facility(ctx context.Context, l *T) (*ent.Facility, error) {
	return named(ctx, f.Reader.Facility.Query(), f.place(l).FacilityRow)
}

func (f placeFields[T]) Store(ctx context.Context, l *T) (*ent.Store, error) {
	return named(ctx, f.Reader.Store.Query(), f.place(l).StoreRow)
}

func (f placeFields[T]) Location(ctx context.Context, l *T) (*ent.StoreLocation, error) {
	return named(ctx, f.Reader.StoreLocation.Query(), f.place(l).LocationRow)
}

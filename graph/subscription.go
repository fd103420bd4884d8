package graph

import (
	"context"
	"errors"
	"strings"
	"time"

	"github.com/99designs/gqlgen/graphql"

	"stockbridge/ent"
	"stockbridge/ent/channellevel"
	"stockbridge/ent/schema/enum"
	"stockbridge/ent/syncrun"
	"stockbridge/ent/warehouselevel"
	"stockbridge/internal/activity"
	"stockbridge/internal/fault"
)

// lookAgain is how long a subscription waits before it reads again what could not be read, or what nobody said has changed.
const lookAgain = 2 * time.Second

// Activity follows what happens to a merchant's SKUs (spec 5.1).
func (s subscription) Activity(ctx context.Context, merchantID string, sku, storeID, warehouseID *string, kinds []enum.ActivityKind, after *string) (<-chan *ent.Activity, error) {
	filter, err := s.filter(ctx, merchantID, sku, storeID, warehouseID)
	if err != nil {
		return nil, err
	}
	filter.Kinds = kinds
	t := trackOf(ctx)
	t.resumable = true
	if t.After != "" {
		after = &t.After
	}
	var position int64
	switch {
	case t.From != nil:
		position = *t.From
	case after != nil:
		if position, err = readActivityCursor(*after); err == nil {
			err = s.Feed.Kept(ctx, s.Reader, filter.MerchantID, position)
		}
	default:
		position, err = s.Feed.Newest(ctx)
	}
	if err != nil {
		return nil, err
	}
	t.begin(position)
	return stream(ctx, func(send func(*ent.Activity) bool) {
		s.follow(ctx, position, filter, false, func(page []*ent.Activity) bool {
			for _, a := range page {
				t.push(a.ID)
				if !send(a) {
					return false
				}
			}
			return true
		})
	}), nil
}

// SyncRun follows a run until it ended.
func (s subscription) SyncRun(ctx context.Context, id string) (<-chan *ent.SyncRun, error) {
	changed := s.Feed.Changed()
	run, err := find(ctx, "SyncRun", "id", id, s.Reader.SyncRun.Get)
	if err != nil {
		return nil, err
	}
	selection := graphql.GetFieldContext(ctx).Field.Selections
	return stream(ctx, func(send func(*ent.SyncRun) bool) {
		told := ""
		for {
			if now := run.String(); now != told {
				if !send(run) {
					return
				}
				told = now
			}
			if run.Status.Ended() {
				return
			}
			select {
			case <-changed:
			case <-time.After(lookAgain):
			case <-ctx.Done():
				return
			}
			changed = s.Feed.Changed()
			switch found, err := s.Reader.SyncRun.Query().Where(syncrun.ID(run.ID)).Collect(ctx, selection).Only(ctx); {
			case ent.IsNotFound(err): // it went with its connection
				return
			case err != nil:
				s.unread(ctx, err)
			default:
				run = found
			}
		}
	}), nil
}

// WarehouseLevelChanged follows the warehouse levels of a merchant.
func (s subscription) WarehouseLevelChanged(ctx context.Context, merchantID string, sku, warehouseID *string) (<-chan *ent.WarehouseLevel, error) {
	filter, err := s.filter(ctx, merchantID, sku, nil, warehouseID)
	if err != nil {
		return nil, err
	}
	filter.Kinds = []enum.ActivityKind{enum.LevelReported}
	return levels(ctx, s, filter, func(ctx context.Context, a *ent.Activity) (*ent.WarehouseLevel, error) {
		q := s.Reader.WarehouseLevel.Query().Where(warehouselevel.WarehouseID(given(a.WarehouseID)), warehouselevel.Sku(a.Sku))
		if a.FacilityID != nil {
			q.Where(warehouselevel.FacilityID(*a.FacilityID))
		} else {
			q.Where(warehouselevel.FacilityIDIsNil())
		}
		return q.Collect(ctx, graphql.GetFieldContext(ctx).Field.Selections).Only(ctx)
	})
}

// ChannelLevelChanged follows the channel levels of a merchant.
func (s subscription) ChannelLevelChanged(ctx context.Context, merchantID string, sku, storeID *string) (<-chan *ent.ChannelLevel, error) {
	filter, err := s.filter(ctx, merchantID, sku, storeID, nil)
	if err != nil {
		return nil, err
	}
	filter.Kinds = []enum.ActivityKind{enum.QuantityChanged, enum.QuantityPushed, enum.QuantityFailed, enum.QuantityExcluded}
	return levels(ctx, s, filter, func(ctx context.Context, a *ent.Activity) (*ent.ChannelLevel, error) {
		q := s.Reader.ChannelLevel.Query().Where(channellevel.StoreID(given(a.StoreID)), channellevel.ChannelSku(given(a.ChannelSku)))
		if a.LocationID != nil {
			q.Where(channellevel.LocationID(*a.LocationID))
		} else {
			q.Where(channellevel.LocationIDIsNil())
		}
		return q.Collect(ctx, graphql.GetFieldContext(ctx).Field.Selections).Only(ctx)
	})
}

// levels follows the levels that activities tell of, from now on. Of several changes of one level that are read at once only
// the last is told, for the level is shown as it stands anyway. One that is gone by now is passed over.
func levels[T any](ctx context.Context, s subscription, filter activity.Filter, load func(context.Context, *ent.Activity) (*T, error)) (<-chan *T, error) {
	t := trackOf(ctx)
	var position int64
	var err error
	if t.From != nil {
		position = *t.From
	} else if position, err = s.Feed.Newest(ctx); err != nil {
		return nil, err
	}
	t.begin(position)
	tell := func(a *ent.Activity, send func(*T) bool) bool {
		for {
			level, err := load(ctx, a)
			if err == nil {
				t.push(a.ID)
				return send(level)
			}
			if ent.IsNotFound(err) {
				return true
			}
			if !s.unread(ctx, err) {
				return false
			}
		}
	}
	return stream(ctx, func(send func(*T) bool) {
		s.follow(ctx, position, filter, true, func(page []*ent.Activity) bool {
			last := make(map[levelOf]int64, len(page))
			for _, a := range page {
				last[levelIn(a)] = a.ID
			}
			for _, a := range page {
				if last[levelIn(a)] == a.ID && !tell(a, send) {
					return false
				}
			}
			return true
		})
	}), nil
}

// levelOf is the level that an activity tells of. Of the ids, 0 is none.
type levelOf struct {
	warehouse, facility, store, location int64
	sku, channelSKU                      string
}

func levelIn(a *ent.Activity) levelOf {
	return levelOf{given(a.WarehouseID), given(a.FacilityID), given(a.StoreID), given(a.LocationID), a.Sku, given(a.ChannelSku)}
}

// filter reads what a subscription is narrowed to. Faults: NOT_FOUND of what the viewer does not see.
func (s subscription) filter(ctx context.Context, merchantID string, sku, storeID, warehouseID *string) (f activity.Filter, err error) {
	merchant, err := find(ctx, "Merchant", "merchantId", merchantID, s.Reader.Merchant.Get)
	if err != nil {
		return f, err
	}
	f.MerchantID = merchant.ID
	if sku != nil {
		if f.SKU = strings.TrimSpace(*sku); f.SKU == "" || !storable(f.SKU) {
			return f, fault.At("sku", fault.Invalid, "%.40q can be no SKU; leave it out for all SKUs", *sku)
		}
	}
	if storeID != nil {
		store, err := find(ctx, "Store", "storeId", *storeID, s.Reader.Store.Get)
		if err != nil {
			return f, err
		}
		f.StoreID = store.ID
	}
	if warehouseID != nil {
		warehouse, err := find(ctx, "Warehouse", "warehouseId", *warehouseID, s.Reader.Warehouse.Get)
		if err != nil {
			return f, err
		}
		f.WarehouseID = warehouse.ID
	}
	return f, nil
}

// follow hands out activities, some at a time, until ctx ends or send answers false. What cannot be read is read again
// later, from where it was left: the stream has no gap, and does not end as if nothing more could come. Only where what
// comes next was deleted before it was read the stream ends; whoever asks to go on is told why. A track with Once ends it
// where all was told that was stored. Of states, which are read after the activities that tell of them and may be ahead of
// these, it ends only where nothing more was found: all that follows the position then is newer than what was told.
func (s subscription) follow(ctx context.Context, position int64, filter activity.Filter, states bool, send func([]*ent.Activity) bool) {
	t := trackOf(ctx)
	found := false
	yield := func(page []*ent.Activity) error {
		found = true
		if !send(page) {
			return errGone
		}
		position = page[len(page)-1].ID
		return nil
	}
	for {
		var err error
		if t.Once {
			var end int64
			found = false
			if end, err = s.Feed.CatchUp(ctx, s.Reader, position, filter, yield); err == nil {
				if states && found {
					continue
				}
				t.end(end)
				return
			}
		} else {
			err = s.Feed.Follow(ctx, s.Reader, position, filter, yield)
		}
		if errors.Is(err, errGone) || fault.CodeOf(err) == fault.CursorExpired || !s.unread(ctx, err) {
			return
		}
	}
}

// errGone says that nobody takes what is sent.
var errGone = errors.New("the receiver is gone")

// unread waits a while after a failed read; false when ctx ended.
func (s subscription) unread(ctx context.Context, err error) bool {
	if ctx.Err() != nil {
		return false
	}
	s.Log.WarnContext(ctx, "a subscription could not read on; it looks again", "error", err)
	select {
	case <-time.After(lookAgain):
		return true
	case <-ctx.Done():
		return false
	}
}

// stream runs f, which sends until it returns or send answers false: then the receiver is gone, for ctx has ended.
func stream[T any](ctx context.Context, f func(send func(*T) bool)) <-chan *T {
	out := make(chan *T)
	go func() {
		defer close(out)
		f(func(v *T) bool {
			select {
			case out <- v:
				return true
			case <-ctx.Done():
				return false
			}
		})
	}()
	return out
}

package graph

import (
	"context"
	"errors"
	"io"
	"iter"
	"strings"
	"time"

	"github.com/99designs/gqlgen/graphql"
	"github.com/vektah/gqlparser/v2/ast"

	"stockbridge/ent"
	entactivity "stockbridge/ent/activity"
	"stockbridge/ent/channellevel"
	"stockbridge/ent/schema/enum"
	"stockbridge/ent/syncrun"
	"stockbridge/ent/warehouselevel"
	"stockbridge/graph/plan"
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
	f := s.follow(ctx, position, filter)
	field := graphql.GetFieldContext(ctx).Field
	if object := s.plans.Object(graphql.GetOperationContext(ctx), field, "Activity"); object != nil {
		t.answer = s.write(f, object)
		return nil, nil // nobody receives
	}
	return stream(ctx, func(send func(*ent.Activity) bool) {
		for page := range s.pages(ctx, f) {
			for _, a := range s.collected(ctx, page, field.Selections) {
				t.push(a.ID)
				if !send(a) {
					return
				}
			}
		}
	}), nil
}

// collected are activities with what is asked of the objects they lead to, read for many at once. Where that fails the resolvers
// read for each, and tell of the fault.
func (s subscription) collected(ctx context.Context, page []*ent.Activity, asked ast.SelectionSet) []*ent.Activity {
	if len(page) > 1 {
		ids := make([]int64, len(page))
		for i, a := range page {
			ids[i] = a.ID
		}
		rows, err := s.Reader.Activity.Query().Where(entactivity.IDIn(ids...)).Order(ent.Asc(entactivity.FieldID)).Collect(ctx, asked).All(ctx)
		if err == nil && len(rows) == len(page) { // else some are too old by now, and were deleted
			return rows
		}
	}
	own := make([]*ent.Activity, len(page))
	for i, a := range page {
		own[i] = new(*a) // what it leads to is noted in it
	}
	return own
}

// write answers with activities of which no more is asked than they hold themselves, each written by a plan.
func (s subscription) write(f *activity.Follower, object *plan.Object) graphql.ResponseHandler {
	var page []*ent.Activity
	return func(ctx context.Context) *graphql.Response {
		if len(page) == 0 {
			if page = s.next(ctx, f); page == nil {
				return nil
			}
		}
		a := page[0]
		page = page[1:]
		trackOf(ctx).push(a.ID)
		text, err := object.Write(func(field string) any { return activityField(a, field) })
		if err != nil {
			panic(err) // a row has all its columns
		}
		return &graphql.Response{Data: text}
	}
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
	f := s.follow(ctx, position, filter)
	return stream(ctx, func(send func(*T) bool) {
		for page := range s.pages(ctx, f) {
			last := make(map[levelOf]int64, len(page))
			for _, a := range page {
				last[levelIn(a)] = a.ID
			}
			for _, a := range page {
				if last[levelIn(a)] == a.ID && !tell(a, send) {
					return
				}
			}
		}
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

// follow makes a follower that ends with ctx. A track with Once ends it where all was told that was stored.
func (s subscription) follow(ctx context.Context, position int64, filter activity.Filter) *activity.Follower {
	f := s.Feed.Follow(s.Reader, position, filter, trackOf(ctx).Once)
	context.AfterFunc(ctx, f.Close)
	return f
}

// pages are what a follower gives, some activities at a time, until it ends.
func (s subscription) pages(ctx context.Context, f *activity.Follower) iter.Seq[[]*ent.Activity] {
	return func(yield func([]*ent.Activity) bool) {
		for page := s.next(ctx, f); page != nil && yield(page); page = s.next(ctx, f) {
		}
	}
}

// next is what a follower gives next, nil at its end. What cannot be read is read again later, from where it was left: the
// stream has no gap, and does not end as if nothing more could come. Only where what comes next was deleted before it was read
// the stream ends; whoever asks to go on is told why.
func (s subscription) next(ctx context.Context, f *activity.Follower) []*ent.Activity {
	for {
		page, err := f.Next(ctx)
		switch {
		case err == nil:
			return page
		case errors.Is(err, io.EOF):
			trackOf(ctx).end(f.At())
			return nil
		case fault.CodeOf(err) == fault.CursorExpired || !s.unread(ctx, err):
			return nil
		}
	}
}

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

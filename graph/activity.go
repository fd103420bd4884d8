package graph

import (
	"context"
	"encoding/base64"
	"strconv"
	"strings"

	"stockbridge/ent"
	"stockbridge/ent/activity"
	"stockbridge/graph/model"
	"stockbridge/graph/page"
	"stockbridge/internal/fault"
)

func (q query) Activities(ctx context.Context, first *int64, after *string, last *int64, before *string, in *model.ActivityWhere, orderBy *model.ActivityOrder) (*model.Page[ent.Activity], error) {
	var w where
	w.id("merchantId", activity.FieldMerchantID, "Merchant", given(in).MerchantID)
	w.id("storeId", activity.FieldStoreID, "Store", given(in).StoreID)
	w.id("warehouseId", activity.FieldWarehouseID, "Warehouse", given(in).WarehouseID)
	w.id("runId", activity.FieldRunID, "SyncRun", given(in).RunID)
	w.text("sku", activity.FieldSku, &model.StringFilter{Eq: given(in).SKU})
	w.text("channelSku", activity.FieldChannelSku, &model.StringFilter{Eq: given(in).ChannelSKU})
	among(&w, "kinds", activity.FieldKind, given(in).Kinds)
	return q.activities(ctx, w, page.Args{First: first, After: after, Last: last, Before: before}, orderBy)
}

// activities are in the order of facts, which is that of their ids.
func (r *resolver) activities(ctx context.Context, w where, args page.Args, orderBy *model.ActivityOrder) (*model.Page[ent.Activity], error) {
	return list(ctx, r.Reader.Activity.Query(), w, args, page.Order[ent.Activity]{
		ID:   func(a *ent.Activity) int64 { return a.ID },
		Desc: orderBy == nil || orderBy.Direction == model.OrderDirectionDesc,
	})
}

type activityFields struct{}

func (activityFields) Cursor(_ context.Context, a *ent.Activity) (string, error) {
	return activityCursor(a.ID), nil
}

// Merchant is nil where it is gone: facts outlive what they name.
func (activityFields) Merchant(ctx context.Context, a *ent.Activity) (*ent.Merchant, error) {
	m, err := a.Merchant(ctx)
	return m, ent.MaskNotFound(err)
}

// activityField is a field of an activity that it holds itself, for a plan to write; nil for null.
func activityField(a *ent.Activity, field string) any {
	switch field {
	case "id":
		return a.ID
	case "cursor":
		return activityCursor(a.ID)
	case "at":
		return a.At
	case "kind":
		return string(a.Kind)
	case "sku":
		return a.Sku
	case "channelSku":
		return orNull(a.ChannelSku)
	case "before":
		return orNull(a.Before)
	case "after":
		return orNull(a.After)
	case "message":
		return orNull(a.Message)
	}
	panic("an activity does not hold " + field)
}

func orNull[T any](v *T) any {
	if v == nil {
		return nil
	}
	return *v
}

// activityCursor is where an activity stands in the order of facts, opaque to clients.
func activityCursor(id int64) string {
	return base64.RawURLEncoding.EncodeToString([]byte("a:" + strconv.FormatInt(id, 10)))
}

// readActivityCursor is the inverse of activityCursor. The error is a fault INVALID_CURSOR of "after".
func readActivityCursor(cursor string) (int64, error) {
	raw, err := base64.RawURLEncoding.DecodeString(cursor)
	number, ok := strings.CutPrefix(string(raw), "a:")
	id, nerr := strconv.ParseInt(number, 10, 64)
	if err != nil || nerr != nil || !ok || id < 0 || activityCursor(id) != cursor {
		return 0, fault.At("after", page.InvalidCursor, "%.40q is no cursor of an activity; use the cursor of the last activity seen", cursor)
	}
	return id, nil
}

package activity

import (
	"slices"

	"stockbridge/ent"
	"stockbridge/ent/activity"
	"stockbridge/ent/predicate"
	"stockbridge/ent/schema/enum"
)

// Filter narrows a feed to one merchant and, where set, to more.
type Filter struct {
	MerchantID  int64
	SKU         string              // the product's or warehouse's; "" for all
	StoreID     int64               // 0 for all
	WarehouseID int64               // 0 for all
	Kinds       []enum.ActivityKind // nil for all
}

// where is the filter for the database.
func (f Filter) where() []predicate.Activity {
	where := []predicate.Activity{activity.MerchantID(f.MerchantID)}
	if f.SKU != "" {
		where = append(where, activity.Sku(f.SKU))
	}
	if f.StoreID != 0 {
		where = append(where, activity.StoreID(f.StoreID))
	}
	if f.WarehouseID != 0 {
		where = append(where, activity.WarehouseID(f.WarehouseID))
	}
	if f.Kinds != nil {
		where = append(where, activity.KindIn(f.Kinds...))
	}
	return where
}

// lets tells the same of a row in memory. The merchant and the SKU are looked up before (Feed.live).
func (f Filter) lets(a *ent.Activity) bool {
	return (f.StoreID == 0 || a.StoreID != nil && *a.StoreID == f.StoreID) &&
		(f.WarehouseID == 0 || a.WarehouseID != nil && *a.WarehouseID == f.WarehouseID) &&
		(f.Kinds == nil || slices.Contains(f.Kinds, a.Kind))
}

// place is where the feed looks for those who want a row: two look-ups, however many follow.
type place struct {
	merchant int64
	sku      string // "" for those who want all
}

func (f Filter) place() place { return place{f.MerchantID, f.SKU} }

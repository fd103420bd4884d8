package graph

import (
	"context"
	"strings"

	"entgo.io/ent/dialect/sql"
	"github.com/99designs/gqlgen/graphql"

	"stockbridge/ent"
	"stockbridge/ent/activity"
	"stockbridge/ent/bundlecomponent"
	"stockbridge/ent/channellevel"
	"stockbridge/ent/merchant"
	"stockbridge/ent/product"
	"stockbridge/ent/warehouselevel"
	"stockbridge/graph/model"
	"stockbridge/graph/page"
	"stockbridge/internal/fault"
	"stockbridge/internal/globalid"
)

// InventoryItem is what the SKU page shows (spec 2.3).
func (q query) InventoryItem(ctx context.Context, merchantID, sku string) (*model.InventoryItem, error) {
	m, err := globalid.Of("Merchant", merchantID)
	if err != nil {
		return nil, fault.At("merchantId", fault.NotFound, "%s", fault.Message(err))
	}
	sku = strings.TrimSpace(sku)
	if !storable(sku) {
		return nil, nil
	}
	for _, known := range []func(context.Context) (bool, error){
		q.Reader.Product.Query().Where(product.MerchantID(m), product.Sku(sku)).Exist,
		q.Reader.WarehouseLevel.Query().Where(warehouselevel.MerchantID(m), warehouselevel.Sku(sku)).Exist,
		q.Reader.ChannelLevel.Query().Where(channellevel.MerchantID(m), channellevel.Sku(sku)).Exist,
		q.Reader.Activity.Query().Where(activity.MerchantID(m), activity.Sku(sku)).Exist,
	} {
		if ok, err := known(ctx); ok || err != nil {
			return &model.InventoryItem{SKU: sku, MerchantID: m}, err
		}
	}
	return nil, nil
}

type inventoryItemFields struct{ *resolver }

func (f inventoryItemFields) Merchant(ctx context.Context, item *model.InventoryItem) (*ent.Merchant, error) {
	return f.Reader.Merchant.Query().Where(merchant.ID(item.MerchantID)).Collect(ctx, graphql.GetFieldContext(ctx).Field.Selections).Only(ctx)
}

func (f inventoryItemFields) Product(ctx context.Context, item *model.InventoryItem) (*ent.Product, error) {
	return f.product(ctx, item.MerchantID, item.SKU)
}

func (f inventoryItemFields) WarehouseLevels(ctx context.Context, item *model.InventoryItem, first *int64, after *string, last *int64, before *string, orderBy *model.WarehouseLevelOrder) (*model.Page[ent.WarehouseLevel], error) {
	w := where{all: []func(*sql.Selector){sql.FieldEQ(warehouselevel.FieldMerchantID, item.MerchantID), sql.FieldEQ(warehouselevel.FieldSku, item.SKU)}}
	return f.warehouseLevels(ctx, w, page.Args{First: first, After: after, Last: last, Before: before}, orderBy)
}

// ChannelLevels are those of the SKU itself and of the bundles that it is part of. Bundles do not nest.
func (f inventoryItemFields) ChannelLevels(ctx context.Context, item *model.InventoryItem, first *int64, after *string, last *int64, before *string, orderBy *model.ChannelLevelOrder) (*model.Page[ent.ChannelLevel], error) {
	skus, err := f.using(ctx, item.MerchantID, item.SKU)
	if err != nil {
		return nil, err
	}
	w := where{all: []func(*sql.Selector){sql.FieldEQ(channellevel.FieldMerchantID, item.MerchantID), sql.FieldIn(channellevel.FieldSku, skus...)}}
	return f.channelLevels(ctx, w, page.Args{First: first, After: after, Last: last, Before: before}, orderBy)
}

// using gives a SKU and the bundles that it is part of.
func (r *resolver) using(ctx context.Context, merchantID int64, sku string) ([]string, error) {
	bundles, err := r.Reader.Product.Query().
		Where(product.MerchantID(merchantID), product.HasComponentsWith(bundlecomponent.HasComponentWith(product.Sku(sku)))).
		Select(product.FieldSku).Strings(ctx)
	return append(bundles, sku), err
}

func (f inventoryItemFields) Activities(ctx context.Context, item *model.InventoryItem, first *int64, after *string, last *int64, before *string, orderBy *model.ActivityOrder) (*model.Page[ent.Activity], error) {
	w := where{all: []func(*sql.Selector){sql.FieldEQ(activity.FieldMerchantID, item.MerchantID), sql.FieldEQ(activity.FieldSku, item.SKU)}}
	return f.activities(ctx, w, page.Args{First: first, After: after, Last: last, Before: before}, orderBy)
}

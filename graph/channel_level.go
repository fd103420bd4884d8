package graph

import (
	"context"
	"time"

	"stockbridge/ent"
	"stockbridge/ent/channellevel"
	"stockbridge/graph/model"
	"stockbridge/graph/page"
)

func (q query) ChannelLevels(ctx context.Context, first *int64, after *string, last *int64, before *string, in *model.ChannelLevelWhere, orderBy *model.ChannelLevelOrder) (*model.Page[ent.ChannelLevel], error) {
	var w where
	w.id("merchantId", channellevel.FieldMerchantID, "Merchant", given(in).MerchantID)
	w.id("storeId", channellevel.FieldStoreID, "Store", given(in).StoreID)
	w.id("locationId", channellevel.FieldLocationID, "StoreLocation", given(in).LocationID)
	w.id("listingId", channellevel.FieldListingID, "Listing", given(in).ListingID)
	w.text("channelSku", channellevel.FieldChannelSku, given(in).ChannelSKU)
	w.text("sku", channellevel.FieldSku, given(in).SKU)
	if status := given(in).Status; status != nil {
		equal(&w, channellevel.FieldStatus, status.Eq)
		among(&w, "status.in", channellevel.FieldStatus, status.In)
	}
	return q.channelLevels(ctx, w, page.Args{First: first, After: after, Last: last, Before: before}, orderBy)
}

func (r *resolver) channelLevels(ctx context.Context, w where, args page.Args, orderBy *model.ChannelLevelOrder) (*model.Page[ent.ChannelLevel], error) {
	order := ordered(func(l *ent.ChannelLevel) int64 { return l.ID }, orderBy, map[model.ChannelLevelOrderField]*page.Column[ent.ChannelLevel]{
		model.ChannelLevelOrderFieldChannelSKU:     page.Text(channellevel.FieldChannelSku, func(l *ent.ChannelLevel) string { return l.ChannelSku }),
		model.ChannelLevelOrderFieldSKU:            page.Text(channellevel.FieldSku, func(l *ent.ChannelLevel) string { return l.Sku }),
		model.ChannelLevelOrderFieldQuantity:       page.Number(channellevel.FieldQuantity, func(l *ent.ChannelLevel) int64 { return l.Quantity }),
		model.ChannelLevelOrderFieldPushedQuantity: page.MaybeNumber(channellevel.FieldPushedQuantity, func(l *ent.ChannelLevel) *int64 { return l.PushedQuantity }),
		model.ChannelLevelOrderFieldStatus:         page.Text(channellevel.FieldStatus, func(l *ent.ChannelLevel) string { return string(l.Status) }),
		model.ChannelLevelOrderFieldLastPushedAt:   page.MaybeMoment(channellevel.FieldLastPushedAt, func(l *ent.ChannelLevel) *time.Time { return l.LastPushedAt }),
		model.ChannelLevelOrderFieldUpdatedAt:      page.Moment(channellevel.FieldUpdatedAt, func(l *ent.ChannelLevel) time.Time { return l.UpdatedAt }),
	})
	if planned(ctx, r, "ChannelLevel", w, args, order) {
		return nothing[ent.ChannelLevel](), nil
	}
	p, err := list(ctx, r.Reader.ChannelLevel.Query(), w, args, order)
	if err != nil {
		return nil, err
	}
	if err := r.prefetchExplanations(ctx, p.Nodes()); err != nil {
		return nil, err
	}
	keys := make([]productKey, len(p.Edges))
	for i, e := range p.Edges {
		keys[i] = productKey{e.Node.MerchantID, e.Node.Sku}
	}
	return p, r.prefetchProducts(ctx, "ChannelLevel", keys)
}

type channelLevelFields struct{ *resolver }

func (f channelLevelFields) Product(ctx context.Context, l *ent.ChannelLevel) (*ent.Product, error) {
	return f.product(ctx, l.MerchantID, l.Sku)
}

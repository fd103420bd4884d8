package graph

import (
	"context"
	"time"

	"stockbridge/ent"
	"stockbridge/ent/listing"
	"stockbridge/ent/predicate"
	"stockbridge/ent/product"
	"stockbridge/graph/model"
	"stockbridge/graph/page"
	"stockbridge/internal/database"
)

func (q query) Listings(ctx context.Context, first *int64, after *string, last *int64, before *string, in *model.ListingWhere, orderBy *model.ListingOrder) (*model.Page[ent.Listing], error) {
	var w where
	w.id("merchantId", listing.FieldMerchantID, "Merchant", given(in).MerchantID)
	w.id("storeId", listing.FieldStoreID, "Store", given(in).StoreID)
	w.id("productId", listing.FieldProductID, "Product", given(in).ProductID)
	w.text("channelSku", listing.FieldChannelSku, given(in).ChannelSKU)
	equal(&w, listing.FieldInventoryEnabled, given(in).InventoryEnabled)
	rows := q.Reader.Listing.Query()
	if f := given(in).SKU; f != nil {
		w.few("sku.in", len(f.In))
		var of []predicate.Product
		for _, p := range matches(product.FieldSku, *f) {
			of = append(of, p)
		}
		rows.Where(listing.HasProductWith(of...))
	}
	return list(ctx, rows, w, page.Args{First: first, After: after, Last: last, Before: before},
		ordered(func(l *ent.Listing) int64 { return l.ID }, orderBy, map[model.ListingOrderField]*page.Column[ent.Listing]{
			model.ListingOrderFieldChannelSKU: page.Text(listing.FieldChannelSku, func(l *ent.Listing) string { return l.ChannelSku }),
			model.ListingOrderFieldCreatedAt:  page.Moment(listing.FieldCreatedAt, func(l *ent.Listing) time.Time { return l.CreatedAt }),
			model.ListingOrderFieldUpdatedAt:  page.Moment(listing.FieldUpdatedAt, func(l *ent.Listing) time.Time { return l.UpdatedAt }),
		}))
}

func (m mutation) CreateListing(ctx context.Context, in model.CreateListingInput) (out *model.CreateListingPayload, err error) {
	out = &model.CreateListingPayload{}
	out.UserErrors, err = change(ctx, func() error {
		store, err := find(ctx, "Store", "storeId", in.StoreID, m.Reader.Store.Get)
		if err != nil {
			return err
		}
		row, err := m.DB.CreateListing(ctx, newListing(store, in))
		if err != nil {
			return err
		}
		out.Replanning = m.replan(ctx, store.MerchantID)
		out.Listing, err = again(ctx, m.Reader.Listing.Query(), row.ID, "listing")
		return err
	})
	return out, err
}

func (m mutation) UpdateListing(ctx context.Context, in model.UpdateListingInput) (out *model.UpdateListingPayload, err error) {
	out = &model.UpdateListingPayload{}
	out.UserErrors, err = change(ctx, func() error {
		row, err := find(ctx, "Listing", "listingId", in.ListingID, m.Reader.Listing.Get)
		if err != nil {
			return err
		}
		if _, err := m.DB.UpdateListing(ctx, row.MerchantID, row.ID, changedListing(in)); err != nil {
			return err
		}
		out.Replanning = m.replan(ctx, row.MerchantID)
		out.Listing, err = again(ctx, m.Reader.Listing.Query(), row.ID, "listing")
		return err
	})
	return out, err
}

func (m mutation) DeleteListing(ctx context.Context, in model.DeleteListingInput) (out *model.DeleteListingPayload, err error) {
	out = &model.DeleteListingPayload{}
	out.UserErrors, err = change(ctx, func() error {
		row, err := find(ctx, "Listing", "listingId", in.ListingID, m.Reader.Listing.Get)
		if err != nil {
			return err
		}
		if err := m.DB.DeleteListing(ctx, row.MerchantID, row.ID); err != nil {
			return err
		}
		out.DeletedID, out.Replanning = &in.ListingID, m.replan(ctx, row.MerchantID)
		return nil
	})
	return out, err
}

func newListing(store *ent.Store, in model.CreateListingInput) database.CreateListing {
	return database.CreateListing{MerchantID: store.MerchantID, StoreID: store.ID, SKU: in.SKU, ChannelSKU: given(in.ChannelSKU), InventoryEnabled: in.InventoryEnabled,
		MaxQuantity: in.MaxQuantity, Name: in.Name, Price: in.Price, Weight: in.Weight, ImageURL: in.ImageURL, Description: in.Description}
}

func changedListing(in model.UpdateListingInput) database.UpdateListing {
	return database.UpdateListing{ExpectedVersion: in.ExpectedVersion, SKU: in.SKU, ChannelSKU: in.ChannelSKU, InventoryEnabled: in.InventoryEnabled, MaxQuantity: opt(in.MaxQuantity),
		Name: opt(in.Name), Price: opt(in.Price), Weight: opt(in.Weight), ImageURL: opt(in.ImageURL), Description: opt(in.Description)}
}

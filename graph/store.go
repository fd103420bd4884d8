package graph

import (
	"context"
	"time"

	"stockbridge/ent"
	"stockbridge/ent/store"
	"stockbridge/graph/model"
	"stockbridge/graph/page"
	"stockbridge/internal/database"
)

func (q query) Stores(ctx context.Context, first *int64, after *string, last *int64, before *string, in *model.StoreWhere, orderBy *model.StoreOrder) (*model.Page[ent.Store], error) {
	var w where
	w.id("merchantId", store.FieldMerchantID, "Merchant", given(in).MerchantID)
	w.text("name", store.FieldName, given(in).Name)
	equal(&w, store.FieldPlatform, given(in).Platform)
	return list(ctx, q.Reader.Store.Query(), w, page.Args{First: first, After: after, Last: last, Before: before},
		ordered(func(s *ent.Store) int64 { return s.ID }, orderBy, map[model.StoreOrderField]*page.Column[ent.Store]{
			model.StoreOrderFieldName:      page.Text(store.FieldName, func(s *ent.Store) string { return s.Name }),
			model.StoreOrderFieldCreatedAt: page.Moment(store.FieldCreatedAt, func(s *ent.Store) time.Time { return s.CreatedAt }),
			model.StoreOrderFieldUpdatedAt: page.Moment(store.FieldUpdatedAt, func(s *ent.Store) time.Time { return s.UpdatedAt }),
		}))
}

type storeFields struct{ *resolver }

func (storeFields) Settings(_ context.Context, s *ent.Store) (model.StoreSettings, error) {
	return storeSettings(s)
}

func (m mutation) CreateStore(ctx context.Context, in model.CreateStoreInput) (out *model.CreateStorePayload, err error) {
	out = &model.CreateStorePayload{}
	out.UserErrors, err = change(ctx, func() error {
		merchant, err := find(ctx, "Merchant", "merchantId", in.MerchantID, m.Reader.Merchant.Get)
		if err != nil {
			return err
		}
		settings, err := m.storeStore(merchant.ID, *in.Platform, nil)
		if err != nil {
			return err
		}
		row, err := m.DB.CreateStore(ctx, database.CreateStore{MerchantID: merchant.ID, Name: in.Name, Platform: settings, Scope: given(in.Scope),
			OnExclude: given(in.OnExclude), Limits: limits(in.Limits), Locations: locations(in.Locations)})
		if err == nil {
			out.Store, err = again(ctx, m.Reader.Store.Query(), row.ID, "store")
		}
		return err
	})
	return out, err
}

func (m mutation) UpdateStore(ctx context.Context, in model.UpdateStoreInput) (out *model.UpdateStorePayload, err error) {
	out = &model.UpdateStorePayload{}
	out.UserErrors, err = change(ctx, func() error {
		row, err := find(ctx, "Store", "storeId", in.StoreID, m.Reader.Store.Get)
		if err != nil {
			return err
		}
		u := database.UpdateStore{ExpectedVersion: in.ExpectedVersion, Name: in.Name, Scope: in.Scope, OnExclude: in.OnExclude}
		if in.Platform != nil {
			settings, err := m.storeStore(row.MerchantID, *in.Platform, row)
			if err != nil {
				return err
			}
			u.Platform = &settings
		}
		if in.Limits != nil {
			u.Limits = new(limits(in.Limits))
		}
		if in.Locations != nil {
			u.Locations = new(locations(in.Locations))
		}
		if _, err := m.DB.UpdateStore(ctx, row.MerchantID, row.ID, u); err != nil {
			return err
		}
		out.Replanning = m.replan(ctx, row.MerchantID)
		out.Store, err = again(ctx, m.Reader.Store.Query(), row.ID, "store")
		return err
	})
	return out, err
}

func (m mutation) DeleteStore(ctx context.Context, in model.DeleteStoreInput) (out *model.DeleteStorePayload, err error) {
	out = &model.DeleteStorePayload{}
	out.UserErrors, err = change(ctx, func() error {
		row, err := find(ctx, "Store", "storeId", in.StoreID, m.Reader.Store.Get)
		if err != nil {
			return err
		}
		connections, err := row.QueryConnections().IDs(ctx)
		if err != nil {
			return err
		}
		if err := m.DB.DeleteStore(ctx, row.MerchantID, row.ID); err != nil {
			return err
		}
		out.DeletedID, out.Replanning = &in.StoreID, m.replan(ctx, row.MerchantID)
		m.reschedule(ctx, connections...)
		return nil
	})
	return out, err
}

func (m mutation) SetStoreLimits(ctx context.Context, in model.SetStoreLimitsInput) (out *model.SetStoreLimitsPayload, err error) {
	out = &model.SetStoreLimitsPayload{}
	out.UserErrors, err = change(ctx, func() error {
		row, err := find(ctx, "Store", "storeId", in.StoreID, m.Reader.Store.Get)
		if err != nil {
			return err
		}
		if _, err := m.DB.SetStoreLimits(ctx, row.MerchantID, row.ID, database.SetStoreLimits{ExpectedVersion: in.ExpectedVersion, Scope: in.Scope, Limits: limits(in.Limits)}); err != nil {
			return err
		}
		out.Replanning = m.replan(ctx, row.MerchantID)
		out.Store, err = again(ctx, m.Reader.Store.Query(), row.ID, "store")
		return err
	})
	return out, err
}

func (m mutation) TestStore(ctx context.Context, in model.TestStoreInput) (out *model.TestStorePayload, err error) {
	out = &model.TestStorePayload{}
	out.UserErrors, err = change(ctx, func() error {
		row, err := find(ctx, "Store", "storeId", in.StoreID, m.Reader.Store.Get)
		if err != nil {
			return err
		}
		out.Tried = triedStore(row)
		words, took, err := m.Pipeline.TestStore(ctx, row)
		out.Message, out.DurationMs, err = tested(ctx, words, took, err)
		out.Ok = err == nil
		return err
	})
	return out, err
}

func limits(in []*model.StoreLimitInput) []database.Limit {
	out := make([]database.Limit, len(in))
	for i, l := range in {
		out[i] = database.Limit{Pattern: l.Pattern, Action: l.Action}
	}
	return out
}

func locations(in []*model.StoreLocationInput) []database.Location {
	out := make([]database.Location, len(in))
	for i, l := range in {
		out[i] = database.Location{Code: l.Code, Name: given(l.Name)}
	}
	return out
}

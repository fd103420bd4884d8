package graph

import (
	"context"
	"time"

	"stockbridge/ent"
	"stockbridge/ent/merchant"
	"stockbridge/ent/schema/enum"
	"stockbridge/graph/model"
	"stockbridge/graph/page"
	"stockbridge/internal/access"
	"stockbridge/internal/database"
)

func (q query) Viewer(ctx context.Context) (*model.Viewer, error) {
	v, err := access.From(ctx)
	if err != nil {
		return nil, err
	}
	return &model.Viewer{Name: v.Name, Role: enum.Role(v.Role)}, nil
}

type viewerFields struct{ *resolver }

func (f viewerFields) Merchants(ctx context.Context, _ *model.Viewer) ([]*ent.Merchant, error) {
	return f.Reader.Merchant.Query().Order(ent.Asc(merchant.FieldName)).All(ctx)
}

func (q query) Merchants(ctx context.Context, first *int64, after *string, last *int64, before *string, in *model.MerchantWhere, orderBy *model.MerchantOrder) (*model.Page[ent.Merchant], error) {
	var w where
	w.text("name", merchant.FieldName, given(in).Name)
	return list(ctx, q.Reader.Merchant.Query(), w, page.Args{First: first, After: after, Last: last, Before: before},
		ordered(func(m *ent.Merchant) int64 { return m.ID }, orderBy, map[model.MerchantOrderField]*page.Column[ent.Merchant]{
			model.MerchantOrderFieldName:      page.Text(merchant.FieldName, func(m *ent.Merchant) string { return m.Name }),
			model.MerchantOrderFieldCreatedAt: page.Moment(merchant.FieldCreatedAt, func(m *ent.Merchant) time.Time { return m.CreatedAt }),
			model.MerchantOrderFieldUpdatedAt: page.Moment(merchant.FieldUpdatedAt, func(m *ent.Merchant) time.Time { return m.UpdatedAt }),
		}))
}

func (m mutation) CreateMerchant(ctx context.Context, in model.CreateMerchantInput) (out *model.CreateMerchantPayload, err error) {
	out = &model.CreateMerchantPayload{}
	out.UserErrors, err = administer(ctx, func() error {
		row, err := m.DB.CreateMerchant(ctx, database.CreateMerchant{Name: in.Name})
		if err == nil {
			out.Merchant, err = again(ctx, m.Reader.Merchant.Query(), row.ID, "merchant")
		}
		return err
	})
	return out, err
}

func (m mutation) UpdateMerchant(ctx context.Context, in model.UpdateMerchantInput) (out *model.UpdateMerchantPayload, err error) {
	out = &model.UpdateMerchantPayload{}
	out.UserErrors, err = administer(ctx, func() error {
		row, err := find(ctx, "Merchant", "merchantId", in.MerchantID, m.Reader.Merchant.Get)
		if err != nil {
			return err
		}
		if _, err := m.DB.UpdateMerchant(ctx, row.ID, database.UpdateMerchant{ExpectedVersion: in.ExpectedVersion, Name: in.Name}); err != nil {
			return err
		}
		out.Merchant, err = again(ctx, m.Reader.Merchant.Query(), row.ID, "merchant")
		return err
	})
	return out, err
}

func (m mutation) DeleteMerchant(ctx context.Context, in model.DeleteMerchantInput) (out *model.DeleteMerchantPayload, err error) {
	out = &model.DeleteMerchantPayload{}
	out.UserErrors, err = administer(ctx, func() error {
		row, err := find(ctx, "Merchant", "merchantId", in.MerchantID, m.Reader.Merchant.Get)
		if err != nil {
			return err
		}
		if err := m.DB.DeleteMerchant(ctx, row.ID); err != nil {
			return err
		}
		out.DeletedID = &in.MerchantID
		return nil
	})
	return out, err
}

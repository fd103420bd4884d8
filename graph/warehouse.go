package graph

import (
	"context"
	"time"

	"stockbridge/ent"
	"stockbridge/ent/warehouse"
	"stockbridge/graph/model"
	"stockbridge/graph/page"
	"stockbridge/internal/database"
)

func (q query) Warehouses(ctx context.Context, first *int64, after *string, last *int64, before *string, in *model.WarehouseWhere, orderBy *model.WarehouseOrder) (*model.Page[ent.Warehouse], error) {
	var w where
	w.id("merchantId", warehouse.FieldMerchantID, "Merchant", given(in).MerchantID)
	w.text("name", warehouse.FieldName, given(in).Name)
	equal(&w, warehouse.FieldPlatform, given(in).Platform)
	return list(ctx, q.Reader.Warehouse.Query(), w, page.Args{First: first, After: after, Last: last, Before: before},
		ordered(func(w *ent.Warehouse) int64 { return w.ID }, orderBy, map[model.WarehouseOrderField]*page.Column[ent.Warehouse]{
			model.WarehouseOrderFieldName:      page.Text(warehouse.FieldName, func(w *ent.Warehouse) string { return w.Name }),
			model.WarehouseOrderFieldCreatedAt: page.Moment(warehouse.FieldCreatedAt, func(w *ent.Warehouse) time.Time { return w.CreatedAt }),
			model.WarehouseOrderFieldUpdatedAt: page.Moment(warehouse.FieldUpdatedAt, func(w *ent.Warehouse) time.Time { return w.UpdatedAt }),
		}))
}

type warehouseFields struct{}

func (warehouseFields) Settings(_ context.Context, w *ent.Warehouse) (model.WarehouseSettings, error) {
	return warehouseSettings(w)
}

func (m mutation) CreateWarehouse(ctx context.Context, in model.CreateWarehouseInput) (out *model.CreateWarehousePayload, err error) {
	out = &model.CreateWarehousePayload{}
	out.UserErrors, err = change(ctx, func() error {
		merchant, err := find(ctx, "Merchant", "merchantId", in.MerchantID, m.Reader.Merchant.Get)
		if err != nil {
			return err
		}
		settings, err := m.storeWarehouse(merchant.ID, *in.Platform, nil)
		if err != nil {
			return err
		}
		row, err := m.DB.CreateWarehouse(ctx, database.CreateWarehouse{MerchantID: merchant.ID, Name: in.Name, Platform: settings,
			QuantitySource: given(in.QuantitySource), MissingSKUPolicy: given(in.MissingSKUPolicy), MaxDropPercent: narrow(in.MaxDropPercent)})
		if err == nil {
			out.Warehouse, err = again(ctx, m.Reader.Warehouse.Query(), row.ID, "warehouse")
		}
		return err
	})
	return out, err
}

func (m mutation) UpdateWarehouse(ctx context.Context, in model.UpdateWarehouseInput) (out *model.UpdateWarehousePayload, err error) {
	out = &model.UpdateWarehousePayload{}
	out.UserErrors, err = change(ctx, func() error {
		row, err := find(ctx, "Warehouse", "warehouseId", in.WarehouseID, m.Reader.Warehouse.Get)
		if err != nil {
			return err
		}
		u := database.UpdateWarehouse{ExpectedVersion: in.ExpectedVersion, Name: in.Name, QuantitySource: in.QuantitySource,
			MissingSKUPolicy: in.MissingSKUPolicy, MaxDropPercent: narrow(in.MaxDropPercent)}
		if in.Platform != nil {
			settings, err := m.storeWarehouse(row.MerchantID, *in.Platform, row)
			if err != nil {
				return err
			}
			u.Platform = &settings
		}
		if _, err := m.DB.UpdateWarehouse(ctx, row.MerchantID, row.ID, u); err != nil {
			return err
		}
		out.Replanning = m.replan(ctx, row.MerchantID)
		out.Warehouse, err = again(ctx, m.Reader.Warehouse.Query(), row.ID, "warehouse")
		return err
	})
	return out, err
}

func (m mutation) DeleteWarehouse(ctx context.Context, in model.DeleteWarehouseInput) (out *model.DeleteWarehousePayload, err error) {
	out = &model.DeleteWarehousePayload{}
	out.UserErrors, err = change(ctx, func() error {
		row, err := find(ctx, "Warehouse", "warehouseId", in.WarehouseID, m.Reader.Warehouse.Get)
		if err != nil {
			return err
		}
		connections, err := row.QueryConnections().IDs(ctx)
		if err != nil {
			return err
		}
		if err := m.DB.DeleteWarehouse(ctx, row.MerchantID, row.ID); err != nil {
			return err
		}
		out.DeletedID, out.Replanning = &in.WarehouseID, m.replan(ctx, row.MerchantID)
		m.reschedule(ctx, connections...)
		return nil
	})
	return out, err
}

func (m mutation) TestWarehouse(ctx context.Context, in model.TestWarehouseInput) (out *model.TestWarehousePayload, err error) {
	out = &model.TestWarehousePayload{}
	out.UserErrors, err = change(ctx, func() error {
		row, err := find(ctx, "Warehouse", "warehouseId", in.WarehouseID, m.Reader.Warehouse.Get)
		if err != nil {
			return err
		}
		out.Tried = triedWarehouse(row)
		words, took, err := m.Pipeline.TestWarehouse(ctx, row)
		out.Message, out.DurationMs, err = tested(ctx, words, took, err)
		out.Ok = err == nil
		return err
	})
	return out, err
}

package graph

import (
	"context"
	"time"

	"stockbridge/ent"
	"stockbridge/ent/warehouselevel"
	"stockbridge/graph/model"
	"stockbridge/graph/page"
	"stockbridge/internal/warehouse"
)

func (q query) WarehouseLevels(ctx context.Context, first *int64, after *string, last *int64, before *string, in *model.WarehouseLevelWhere, orderBy *model.WarehouseLevelOrder) (*model.Page[ent.WarehouseLevel], error) {
	var w where
	w.id("merchantId", warehouselevel.FieldMerchantID, "Merchant", given(in).MerchantID)
	w.id("warehouseId", warehouselevel.FieldWarehouseID, "Warehouse", given(in).WarehouseID)
	w.id("facilityId", warehouselevel.FieldFacilityID, "Facility", given(in).FacilityID)
	w.text("sku", warehouselevel.FieldSku, given(in).SKU)
	return q.warehouseLevels(ctx, w, page.Args{First: first, After: after, Last: last, Before: before}, orderBy)
}

func (r *resolver) warehouseLevels(ctx context.Context, w where, args page.Args, orderBy *model.WarehouseLevelOrder) (*model.Page[ent.WarehouseLevel], error) {
	order := ordered(func(l *ent.WarehouseLevel) int64 { return l.ID }, orderBy, map[model.WarehouseLevelOrderField]*page.Column[ent.WarehouseLevel]{
		model.WarehouseLevelOrderFieldSKU:        page.Text(warehouselevel.FieldSku, func(l *ent.WarehouseLevel) string { return l.Sku }),
		model.WarehouseLevelOrderFieldAvailable:  page.MaybeNumber(warehouselevel.FieldAvailable, func(l *ent.WarehouseLevel) *int64 { return l.Available }),
		model.WarehouseLevelOrderFieldOnHand:     page.MaybeNumber(warehouselevel.FieldOnHand, func(l *ent.WarehouseLevel) *int64 { return l.OnHand }),
		model.WarehouseLevelOrderFieldCommitted:  page.MaybeNumber(warehouselevel.FieldCommitted, func(l *ent.WarehouseLevel) *int64 { return l.Committed }),
		model.WarehouseLevelOrderFieldReportedAt: page.Moment(warehouselevel.FieldReportedAt, func(l *ent.WarehouseLevel) time.Time { return l.ReportedAt }),
		model.WarehouseLevelOrderFieldUpdatedAt:  page.Moment(warehouselevel.FieldUpdatedAt, func(l *ent.WarehouseLevel) time.Time { return l.UpdatedAt }),
	})
	if planned(ctx, r, "WarehouseLevel", w, args, order) {
		return nothing[ent.WarehouseLevel](), nil
	}
	p, err := list(ctx, r.Reader.WarehouseLevel.Query(), w, args, order)
	if err != nil {
		return nil, err
	}
	keys := make([]productKey, len(p.Edges))
	for i, e := range p.Edges {
		keys[i] = productKey{e.Node.MerchantID, e.Node.Sku}
	}
	return p, r.prefetchProducts(ctx, "WarehouseLevel", keys)
}

type warehouseLevelFields struct{ *resolver }

func (f warehouseLevelFields) Product(ctx context.Context, l *ent.WarehouseLevel) (*ent.Product, error) {
	return f.product(ctx, l.MerchantID, l.Sku)
}

func (m mutation) ReportWarehouseLevels(ctx context.Context, in model.ReportWarehouseLevelsInput) (out *model.ReportWarehouseLevelsPayload, err error) {
	out = &model.ReportWarehouseLevelsPayload{}
	out.UserErrors, err = change(ctx, func() error {
		row, err := find(ctx, "Warehouse", "warehouseId", in.WarehouseID, m.Reader.Warehouse.Get)
		if err != nil {
			return err
		}
		rows := make([]warehouse.Row, len(in.Levels))
		for i, l := range in.Levels {
			rows[i] = warehouse.Row{SKU: l.SKU, Facility: given(l.Facility), Available: given(l.Available), OnHand: given(l.OnHand), Committed: given(l.Committed)}
		}
		r, err := m.Pipeline.Report(ctx, row, given(in.Complete), rows)
		if err != nil {
			return err
		}
		out.Reported, out.Changed, out.Rejected = &r.Counts.Reported, &r.Counts.Changed, &r.Counts.Rejected
		for _, p := range r.Problems[:min(page.Max, len(r.Problems))] {
			problem := &ent.RunProblem{Kind: p.Kind, Report: p.Report, Sku: p.SKU, Code: p.Code, Message: p.Message}
			if p.Line > 0 {
				problem.Line = &p.Line
			}
			out.Problems = append(out.Problems, problem)
		}
		return nil
	})
	return out, err
}

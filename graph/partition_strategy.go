package graph

import (
	"context"
	"fmt"
	"time"

	"stockbridge/ent"
	"stockbridge/ent/partitionstrategy"
	"stockbridge/ent/schema/enum"
	"stockbridge/graph/model"
	"stockbridge/graph/page"
	"stockbridge/internal/database"
	"stockbridge/internal/fault"
	"stockbridge/internal/globalid"
	"stockbridge/internal/inventory"
)

func (q query) PartitionStrategies(ctx context.Context, first *int64, after *string, last *int64, before *string, in *model.PartitionStrategyWhere, orderBy *model.PartitionStrategyOrder) (*model.Page[ent.PartitionStrategy], error) {
	var w where
	w.id("merchantId", partitionstrategy.FieldMerchantID, "Merchant", given(in).MerchantID)
	w.id("warehouseId", partitionstrategy.FieldWarehouseID, "Warehouse", given(in).WarehouseID)
	w.text("name", partitionstrategy.FieldName, given(in).Name)
	equal(&w, partitionstrategy.FieldActive, given(in).Active)
	return list(ctx, q.Reader.PartitionStrategy.Query(), w, page.Args{First: first, After: after, Last: last, Before: before},
		ordered(func(s *ent.PartitionStrategy) int64 { return s.ID }, orderBy, map[model.PartitionStrategyOrderField]*page.Column[ent.PartitionStrategy]{
			model.PartitionStrategyOrderFieldName:      page.Text(partitionstrategy.FieldName, func(s *ent.PartitionStrategy) string { return s.Name }),
			model.PartitionStrategyOrderFieldCreatedAt: page.Moment(partitionstrategy.FieldCreatedAt, func(s *ent.PartitionStrategy) time.Time { return s.CreatedAt }),
			model.PartitionStrategyOrderFieldUpdatedAt: page.Moment(partitionstrategy.FieldUpdatedAt, func(s *ent.PartitionStrategy) time.Time { return s.UpdatedAt }),
		}))
}

type strategyFields struct{}

func (strategyFields) Buffer(_ context.Context, s *ent.PartitionStrategy) (*model.PartitionBuffer, error) {
	switch s.BufferType {
	case enum.PercentageBuffer:
		return &model.PartitionBuffer{Percentage: new(inventory.Percentage(s.BufferBasisPoints).String())}, nil
	case enum.FixedBuffer:
		return &model.PartitionBuffer{Quantity: &s.BufferQuantity}, nil
	}
	return nil, nil
}

func (m mutation) CreatePartitionStrategy(ctx context.Context, in model.CreatePartitionStrategyInput) (out *model.CreatePartitionStrategyPayload, err error) {
	out = &model.CreatePartitionStrategyPayload{}
	out.UserErrors, err = change(ctx, func() error {
		warehouse, err := find(ctx, "Warehouse", "warehouseId", in.WarehouseID, m.Reader.Warehouse.Get)
		if err != nil {
			return err
		}
		buffer, shares, err := partition(in.Buffer, in.Shares)
		if err != nil {
			return err
		}
		row, err := m.DB.CreatePartitionStrategy(ctx, database.CreatePartitionStrategy{MerchantID: warehouse.MerchantID, WarehouseID: warehouse.ID, Name: in.Name, Buffer: buffer,
			MinimumDistributable: given(in.MinimumDistributable), Distribution: given(in.Distribution), Remainder: given(in.Remainder), Shares: shares, Active: given(in.Active)})
		if err != nil {
			return err
		}
		out.Replanning = m.replan(ctx, warehouse.MerchantID)
		out.PartitionStrategy, err = again(ctx, m.Reader.PartitionStrategy.Query(), row.ID, "partitionStrategy")
		return err
	})
	return out, err
}

func (m mutation) UpdatePartitionStrategy(ctx context.Context, in model.UpdatePartitionStrategyInput) (out *model.UpdatePartitionStrategyPayload, err error) {
	out = &model.UpdatePartitionStrategyPayload{}
	out.UserErrors, err = change(ctx, func() error {
		row, err := find(ctx, "PartitionStrategy", "partitionStrategyId", in.PartitionStrategyID, m.Reader.PartitionStrategy.Get)
		if err != nil {
			return err
		}
		buffer, shares, err := partition(in.Buffer.Value(), in.Shares)
		if err != nil {
			return err
		}
		u := database.UpdatePartitionStrategy{ExpectedVersion: in.ExpectedVersion, Name: in.Name, MinimumDistributable: in.MinimumDistributable,
			Distribution: in.Distribution, Remainder: in.Remainder, Active: in.Active}
		if in.Buffer.IsSet() {
			u.Buffer = &buffer
		}
		if in.Shares != nil {
			u.Shares = &shares
		}
		if _, err := m.DB.UpdatePartitionStrategy(ctx, row.MerchantID, row.ID, u); err != nil {
			return err
		}
		out.Replanning = m.replan(ctx, row.MerchantID)
		out.PartitionStrategy, err = again(ctx, m.Reader.PartitionStrategy.Query(), row.ID, "partitionStrategy")
		return err
	})
	return out, err
}

func (m mutation) DeletePartitionStrategy(ctx context.Context, in model.DeletePartitionStrategyInput) (out *model.DeletePartitionStrategyPayload, err error) {
	out = &model.DeletePartitionStrategyPayload{}
	out.UserErrors, err = change(ctx, func() error {
		row, err := find(ctx, "PartitionStrategy", "partitionStrategyId", in.PartitionStrategyID, m.Reader.PartitionStrategy.Get)
		if err != nil {
			return err
		}
		if err := m.DB.DeletePartitionStrategy(ctx, row.MerchantID, row.ID); err != nil {
			return err
		}
		out.DeletedID, out.Replanning = &in.PartitionStrategyID, m.replan(ctx, row.MerchantID)
		return nil
	})
	return out, err
}

// partition reads how stock is to be split. Faults: OUT_OF_RANGE of buffer.percentage, NOT_FOUND of shares.N.storeId.
func partition(in *model.PartitionBufferInput, given []*model.PartitionShareInput) (buffer database.Buffer, shares []database.Share, err error) {
	var faults fault.List
	if in != nil {
		buffer.Quantity = in.Quantity
		if in.Percentage != nil {
			p, err := inventory.ParsePercentage(*in.Percentage)
			if err != nil {
				faults = append(faults, fault.At("buffer.percentage", fault.OutOfRange, "%s", err))
			}
			buffer.BasisPoints = new(int64(p))
		}
	}
	shares = make([]database.Share, len(given))
	for i, s := range given {
		id, err := globalid.Of("Store", s.StoreID)
		if err != nil {
			faults = append(faults, fault.At(fmt.Sprintf("shares.%d.storeId", i), fault.NotFound, "%s", fault.Message(err)))
		}
		shares[i] = database.Share{StoreID: id, Weight: s.Weight, Cap: s.Cap, Quantity: s.Quantity}
	}
	return buffer, shares, faults.Or()
}

package database

import (
	"context"

	"stockbridge/ent"
	"stockbridge/ent/partitionstrategy"
	"stockbridge/ent/schema/enum"
	"stockbridge/internal/fault"
)

// CreatePartitionStrategy says how a warehouse's stock is split (spec 4.6 to 4.8).
type CreatePartitionStrategy struct {
	MerchantID           int64
	WarehouseID          int64  // of the merchant
	Name                 string // 1 to 255 bytes, unique in the warehouse
	Buffer               Buffer
	MinimumDistributable int64             // 0 to 2³¹−1 units
	Distribution         enum.Distribution // blank is EQUAL
	Remainder            enum.Remainder    // blank is SPREAD
	Shares               []Share           // at most 1,000, each store once
	Active               bool              // the strategy of the warehouse that was active until now is so no more
}

// Buffer is the stock that no store gets: a percentage, a number of units, or nothing.
type Buffer struct {
	BasisPoints *int64 // hundredths of a per cent, 0 to 10,000; the API's field "percentage"
	Quantity    *int64 // 0 to 2³¹−1 units
}

// UpdatePartitionStrategy changes a strategy; nil leaves a field as it is.
type UpdatePartitionStrategy struct {
	ExpectedVersion      *int64 // the version the change was made against, else STALE_VERSION; nil is any
	Name                 *string
	Buffer               *Buffer // an empty one holds nothing back
	MinimumDistributable *int64
	Distribution         *enum.Distribution
	Remainder            *enum.Remainder
	Shares               *[]Share // all of them
	Active               *bool
}

// CreatePartitionStrategy adds a strategy. Where it is to be active, it takes over from the one that is. Faults:
// NOT_FOUND of warehouseId; BLANK, TOO_LONG, INVALID or TAKEN of name; INVALID of buffer; OUT_OF_RANGE of
// buffer.percentage, buffer.quantity and minimumDistributable; INVALID of distribution and remainder; TOO_MANY of shares;
// NOT_FOUND or TAKEN of shares.N.storeId; OUT_OF_RANGE of shares.N.weight, shares.N.cap and shares.N.quantity.
func (db *DB) CreatePartitionStrategy(ctx context.Context, in CreatePartitionStrategy) (*ent.PartitionStrategy, error) {
	return change(ctx, db, in.MerchantID, "create a partition strategy", func(t *tx) (*ent.PartitionStrategy, error) {
		want, err := t.newStrategy(ctx, in, &in.Name)
		if err != nil {
			return nil, err
		}
		if in.Active {
			if err := t.deactivate(ctx, in.WarehouseID); err != nil {
				return nil, err
			}
			if err := t.markWarehouses(ctx, in.MerchantID, in.WarehouseID); err != nil {
				return nil, err
			}
		}
		now := db.Now()
		row, err := t.ent.PartitionStrategy.Create().SetMerchantID(in.MerchantID).SetWarehouseID(in.WarehouseID).SetName(want.Name).
			SetBufferType(want.BufferType).SetBufferBasisPoints(want.BufferBasisPoints).SetBufferQuantity(want.BufferQuantity).
			SetMinimumDistributable(want.MinimumDistributable).SetDistribution(want.Distribution).SetRemainder(want.Remainder).
			SetActive(want.Active).SetCreatedAt(now).SetUpdatedAt(now).Save(ctx)
		if err != nil {
			return nil, err
		}
		return row, t.addShares(ctx, row, in.Shares)
	})
}

// newStrategy checks a strategy and makes it ready for storing. A preview need not name it.
func (t *tx) newStrategy(ctx context.Context, in CreatePartitionStrategy, name *string) (*ent.PartitionStrategy, error) {
	var c check
	if _, err := t.warehouse(ctx, in.MerchantID, in.WarehouseID); c.keep(err) != nil {
		return nil, err
	}
	want := &ent.PartitionStrategy{MerchantID: in.MerchantID, WarehouseID: in.WarehouseID, MinimumDistributable: in.MinimumDistributable, Active: in.Active}
	if name != nil {
		var err error
		if want.Name, err = t.strategyName(ctx, &c, in.MerchantID, in.WarehouseID, *name, 0); err != nil {
			return nil, err
		}
	}
	want.BufferType, want.BufferBasisPoints, want.BufferQuantity = c.buffer(in.Buffer)
	within(&c, "minimumDistributable", &in.MinimumDistributable, 0, maxUnits)
	want.Distribution = oneOf(&c, "distribution", in.Distribution, enum.Equal)
	want.Remainder = oneOf(&c, "remainder", in.Remainder, enum.Spread)
	if err := t.checkShares(ctx, &c, in.MerchantID, in.Shares); err != nil {
		return nil, err
	}
	return want, c.faults.Or()
}

// UpdatePartitionStrategy changes a strategy. Where it becomes active, it takes over from the one that is. Faults: those
// of CreatePartitionStrategy, NOT_FOUND and STALE_VERSION.
func (db *DB) UpdatePartitionStrategy(ctx context.Context, merchantID, id int64, in UpdatePartitionStrategy) (*ent.PartitionStrategy, error) {
	return change(ctx, db, merchantID, "update a partition strategy", func(t *tx) (*ent.PartitionStrategy, error) {
		row, err := t.strategy(ctx, merchantID, id)
		if err != nil {
			return nil, err
		}
		want, err := t.changedStrategy(ctx, row, in)
		if err != nil {
			return nil, err
		}
		changed := want.Active != row.Active || !sameTerms(want, row)
		if in.Shares != nil {
			other, err := t.replaceShares(ctx, row, *in.Shares)
			if err != nil {
				return nil, err
			}
			changed = changed || other
		}
		if want.Active && !row.Active {
			if err := t.deactivate(ctx, row.WarehouseID); err != nil {
				return nil, err
			}
		}
		if changed && (want.Active || row.Active) {
			if err := t.markWarehouses(ctx, merchantID, row.WarehouseID); err != nil {
				return nil, err
			}
		}
		return row.Update().SetUpdatedAt(db.Now()).AddVersion(1).SetName(want.Name).
			SetBufferType(want.BufferType).SetBufferBasisPoints(want.BufferBasisPoints).SetBufferQuantity(want.BufferQuantity).
			SetMinimumDistributable(want.MinimumDistributable).SetDistribution(want.Distribution).SetRemainder(want.Remainder).
			SetActive(want.Active).Save(ctx)
	})
}

// changedStrategy checks a change, and gives the strategy as it is to be, its shares aside.
func (t *tx) changedStrategy(ctx context.Context, row *ent.PartitionStrategy, in UpdatePartitionStrategy) (*ent.PartitionStrategy, error) {
	if err := upToDate(in.ExpectedVersion, row.Version); err != nil {
		return nil, err
	}
	var c check
	want := *row
	if in.Name != nil {
		var err error
		if want.Name, err = t.strategyName(ctx, &c, row.MerchantID, row.WarehouseID, *in.Name, row.ID); err != nil {
			return nil, err
		}
	}
	if in.Buffer != nil {
		want.BufferType, want.BufferBasisPoints, want.BufferQuantity = c.buffer(*in.Buffer)
	}
	if in.MinimumDistributable != nil {
		want.MinimumDistributable = *in.MinimumDistributable
		within(&c, "minimumDistributable", in.MinimumDistributable, 0, maxUnits)
	}
	if in.Distribution != nil {
		want.Distribution = oneOf(&c, "distribution", *in.Distribution, "")
	}
	if in.Remainder != nil {
		want.Remainder = oneOf(&c, "remainder", *in.Remainder, "")
	}
	if in.Active != nil {
		want.Active = *in.Active
	}
	if in.Shares != nil {
		if err := t.checkShares(ctx, &c, row.MerchantID, *in.Shares); err != nil {
			return nil, err
		}
	}
	return &want, c.faults.Or()
}

// DeletePartitionStrategy takes a strategy away. If it was active, every store gets the full sellable quantity from now
// on (spec 4.6). Fault: NOT_FOUND.
func (db *DB) DeletePartitionStrategy(ctx context.Context, merchantID, id int64) error {
	return remove(ctx, db, merchantID, "delete a partition strategy", func(t *tx) error {
		row, err := t.strategy(ctx, merchantID, id)
		if err != nil {
			return err
		}
		if row.Active {
			if err := t.markWarehouses(ctx, merchantID, row.WarehouseID); err != nil {
				return err
			}
		}
		return t.ent.PartitionStrategy.DeleteOne(row).Exec(ctx)
	})
}

func (t *tx) strategy(ctx context.Context, merchantID, id int64) (*ent.PartitionStrategy, error) {
	row, err := t.ent.PartitionStrategy.Query().Where(partitionstrategy.ID(id), partitionstrategy.MerchantID(merchantID)).Only(ctx)
	return row, found(err, "partitionStrategyId", "partition strategy")
}

// strategyName readies the name of the strategy with this id, 0 for a new one.
func (t *tx) strategyName(ctx context.Context, c *check, merchantID, warehouseID int64, name string, id int64) (string, error) {
	name = c.name("name", name)
	taken, err := t.ent.PartitionStrategy.Query().Where(partitionstrategy.MerchantID(merchantID), partitionstrategy.WarehouseID(warehouseID),
		partitionstrategy.Name(name), partitionstrategy.IDNEQ(id)).Exist(ctx)
	c.free("name", name, "strategy of the warehouse", taken)
	return name, err
}

// deactivate ends the rule of a warehouse's active strategy, if it has one.
func (t *tx) deactivate(ctx context.Context, warehouseID int64) error {
	return t.ent.PartitionStrategy.Update().Where(partitionstrategy.WarehouseID(warehouseID), partitionstrategy.Active(true)).
		SetActive(false).SetUpdatedAt(t.db.Now()).AddVersion(1).Exec(ctx)
}

func sameTerms(a, b *ent.PartitionStrategy) bool {
	return a.BufferType == b.BufferType && a.BufferBasisPoints == b.BufferBasisPoints && a.BufferQuantity == b.BufferQuantity &&
		a.MinimumDistributable == b.MinimumDistributable && a.Distribution == b.Distribution && a.Remainder == b.Remainder
}

// buffer gives the columns of a buffer.
func (c *check) buffer(b Buffer) (kind enum.BufferType, basisPoints, quantity int64) {
	if b.BasisPoints != nil && (*b.BasisPoints < 0 || *b.BasisPoints > 10000) {
		c.add("buffer.percentage", fault.OutOfRange, "%d hundredths of a per cent are out of range: write 0 to 100 per cent", *b.BasisPoints)
	}
	within(c, "buffer.quantity", b.Quantity, 0, maxUnits)
	switch {
	case b.BasisPoints != nil && b.Quantity != nil:
		c.add("buffer", fault.Invalid, "a buffer is a percentage or a quantity: leave one out")
	case b.BasisPoints != nil:
		return enum.PercentageBuffer, *b.BasisPoints, 0
	case b.Quantity != nil:
		return enum.FixedBuffer, 0, *b.Quantity
	}
	return enum.NoBuffer, 0, 0
}

package graph

import (
	"context"

	"stockbridge/ent"
	"stockbridge/graph/model"
	"stockbridge/internal/fault"
)

func (m mutation) ReleaseSync(ctx context.Context, in model.ReleaseSyncInput) (out *model.ReleaseSyncPayload, err error) {
	out = &model.ReleaseSyncPayload{}
	out.Run, out.UserErrors, err = m.decide(ctx, in.RunID, in.WarehouseID, m.Pipeline.Release, func(ctx context.Context, w *ent.Warehouse) error {
		_, err := m.Pipeline.ReleaseReported(ctx, w)
		return err
	})
	return out, err
}

func (m mutation) RejectSync(ctx context.Context, in model.RejectSyncInput) (out *model.RejectSyncPayload, err error) {
	out = &model.RejectSyncPayload{}
	out.Run, out.UserErrors, err = m.decide(ctx, in.RunID, in.WarehouseID, m.Pipeline.Reject, m.Pipeline.RejectReported)
	return out, err
}

// decide finds the run or the warehouse of a held report, and does with it what is asked.
func (m mutation) decide(ctx context.Context, runID, warehouseID *string, run func(ctx context.Context, merchantID, runID int64) error, reported func(context.Context, *ent.Warehouse) error) (out *ent.SyncRun, faults fault.List, err error) {
	faults, err = change(ctx, func() error {
		if warehouseID != nil {
			w, err := find(ctx, "Warehouse", "warehouseId", *warehouseID, m.Reader.Warehouse.Get)
			if err != nil {
				return err
			}
			return reported(ctx, w)
		}
		row, err := find(ctx, "SyncRun", "runId", given(runID), m.Reader.SyncRun.Get)
		if err != nil {
			return err
		}
		if err := run(ctx, row.MerchantID, row.ID); err != nil {
			return err
		}
		out, err = again(ctx, m.Reader.SyncRun.Query(), row.ID, "run")
		return err
	})
	return out, faults, err
}

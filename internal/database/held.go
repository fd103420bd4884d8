package database

import (
	"context"
	"errors"
	"fmt"
	"iter"

	"stockbridge/ent"
	"stockbridge/ent/connection"
	"stockbridge/ent/heldreport"
	"stockbridge/ent/schema/enum"
	"stockbridge/ent/syncrun"
	"stockbridge/internal/fault"
)

// Hold is a complete report that waits for an operator's word (spec 3.10).
type Hold struct {
	MerchantID, WarehouseID int64
	Run                     Int
	Name, Stamp, Reason     string
	Rejected                []string // SKUs that are named though their row could not be used
}

// HoldReport keeps a report with its levels, which come in order of their keys, until it is released, rejected or
// replaced. It answers the run of the held report it replaced, absent when there was none.
func (db *DB) HoldReport(ctx context.Context, hold Hold, levels iter.Seq2[ReportedLevel, error]) (replaced *ent.HeldReport, err error) {
	err = db.inTx(ctx, func(t *tx) error {
		if replaced, err = t.dropHeld(ctx, hold.WarehouseID); err != nil {
			return err
		}
		create := t.ent.HeldReport.Create().SetMerchantID(hold.MerchantID).SetWarehouseID(hold.WarehouseID).SetName(hold.Name).SetStamp(hold.Stamp).SetReason(hold.Reason).
			SetRejected(hold.Rejected).SetLevels(0).SetCreatedAt(db.Now())
		if hold.Run.Valid {
			create.SetRunID(hold.Run.Int64)
		}
		report, err := create.Save(ctx)
		if err != nil {
			return err
		}
		page, count := make([]ReportedLevel, 0, pageRows), int64(0)
		flush := func() error {
			count += int64(len(page))
			err := t.insert(ctx, "held_levels", []string{"merchant_id", "report_id", "sku", "facility_code", "available", "on_hand", "committed", "reported_at"}, len(page), func(i int) []any {
				l := &page[i]
				var at any
				if !l.At.IsZero() {
					at = l.At
				}
				return []any{hold.MerchantID, report.ID, l.SKU, l.Facility, l.Available, l.OnHand, l.Committed, at}
			})
			page = page[:0]
			return err
		}
		for l, err := range levels {
			if err != nil {
				return err
			}
			if page = append(page, l); len(page) == cap(page) {
				if err := flush(); err != nil {
					return err
				}
			}
		}
		if err := flush(); err != nil {
			return err
		}
		_, err = t.ExecContext(ctx, db.rebind("UPDATE held_reports SET levels = ? WHERE id = ?"), count, report.ID)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("hold report %s: %w", hold.Name, err)
	}
	return replaced, nil
}

// dropHeld takes away what is held of a warehouse, and answers it; nil when nothing is.
func (t *tx) dropHeld(ctx context.Context, warehouseID int64) (*ent.HeldReport, error) {
	old, err := t.ent.HeldReport.Query().Where(heldreport.WarehouseID(warehouseID)).Only(ctx)
	if ent.IsNotFound(err) {
		return nil, nil //nolint:nilnil // nothing held is the ordinary case
	}
	if err != nil {
		return nil, err
	}
	return old, t.ent.HeldReport.DeleteOne(old).Exec(ctx)
}

// Held is the report held of a warehouse, nil when none is.
func (db *DB) Held(ctx context.Context, warehouseID int64) (*ent.HeldReport, error) {
	held, err := db.reader.HeldReport.Query().Where(heldreport.WarehouseID(warehouseID)).Only(ctx)
	if err != nil && !ent.IsNotFound(err) {
		return nil, fmt.Errorf("read the held report of warehouse %d: %w", warehouseID, err)
	}
	return held, nil
}

// HeldLevels are the levels of a held report, in order of their keys.
func (db *DB) HeldLevels(ctx context.Context, reportID int64) iter.Seq2[ReportedLevel, error] {
	return func(yield func(ReportedLevel, error) bool) {
		var at LevelKey
		for {
			page, err := db.heldPage(ctx, reportID, at)
			if err != nil {
				yield(ReportedLevel{}, fmt.Errorf("read a held report: %w", err))
				return
			}
			for _, l := range page {
				if !yield(l, nil) {
					return
				}
				at = l.LevelKey
			}
			if len(page) < pageRows {
				return
			}
		}
	}
}

func (db *DB) heldPage(ctx context.Context, reportID int64, after LevelKey) (page []ReportedLevel, err error) {
	rows, err := db.read.QueryContext(ctx, db.rebind(`SELECT sku, facility_code, available, on_hand, committed, reported_at FROM held_levels
		WHERE report_id = ? AND (sku, facility_code) > (?, ?) ORDER BY sku, facility_code LIMIT ?`), reportID, after.SKU, after.Facility, pageRows)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	for rows.Next() {
		var l ReportedLevel
		var at nullTime
		if err := rows.Scan(&l.SKU, &l.Facility, &l.Available, &l.OnHand, &l.Committed, &at); err != nil {
			return nil, err
		}
		l.At = at.V
		page = append(page, l)
	}
	return page, rows.Err()
}

// DropHeld takes away the held report of a warehouse: it was recorded, rejected, or a later one was recorded.
func (db *DB) DropHeld(ctx context.Context, warehouseID int64) error {
	err := db.inTx(ctx, func(t *tx) error {
		_, err := t.dropHeld(ctx, warehouseID)
		return err
	})
	if err != nil {
		return fmt.Errorf("drop the held report of warehouse %d: %w", warehouseID, err)
	}
	return nil
}

// HeldRun finds the report that a run was held for. Faults at runId: NOT_FOUND; WRONG_STATE when the run is not HELD, or its
// report was replaced, recorded or dropped since.
func (db *DB) HeldRun(ctx context.Context, merchantID, runID int64) (*ent.SyncRun, *ent.HeldReport, error) {
	run, err := db.reader.SyncRun.Query().Where(syncrun.ID(runID), syncrun.MerchantID(merchantID)).WithConnection().Only(ctx)
	if ent.IsNotFound(err) {
		return nil, nil, fault.At("runId", fault.NotFound, "no sync run has this id")
	}
	if err != nil {
		return nil, nil, fmt.Errorf("read run %d: %w", runID, err)
	}
	if run.Status != enum.Held {
		return nil, nil, fault.At("runId", fault.WrongState, "the run is %s: only one that is HELD can be released or rejected", run.Status)
	}
	held, err := db.Held(ctx, run.Edges.Connection.WarehouseID)
	switch {
	case err != nil:
		return nil, nil, err
	case held == nil:
		return nil, nil, fault.At("runId", fault.WrongState, "the report this run was held for is held no more: a later one was recorded, or it was released or rejected")
	case held.RunID == nil || *held.RunID > run.ID:
		return nil, nil, fault.At("runId", fault.WrongState, "a later report, %s, is held in place of the one of this run: release or reject that one", held.Name)
	}
	return run, held, nil
}

// ReleaseHeld lets a held report through: the next pull of its warehouse records it. Its run is queued again, unless the
// connection has a run waiting already.
func (db *DB) ReleaseHeld(ctx context.Context, held *ent.HeldReport, run *ent.SyncRun) error {
	err := db.inTx(ctx, func(t *tx) error {
		if err := t.ent.HeldReport.UpdateOneID(held.ID).SetReleased(true).Exec(ctx); err != nil {
			return err
		}
		if run == nil {
			return nil
		}
		if err := t.lock(ctx, lockRuns, run.ConnectionID); err != nil {
			return err
		}
		c, err := t.ent.Connection.Query().Where(connection.ID(run.ConnectionID)).Only(ctx)
		if err != nil {
			return err
		}
		waiting, err := t.ent.SyncRun.Query().Where(syncrun.ConnectionID(run.ConnectionID), syncrun.StatusEQ(enum.Queued), syncrun.ModeEQ(run.Mode)).Exist(ctx)
		if err != nil || waiting || !c.Enabled || !c.InventoryEnabled {
			return err
		}
		if err := t.ent.SyncRun.UpdateOneID(run.ID).SetStatus(enum.Queued).SetStep(enum.Waiting).ClearFinishedAt().ClearError().ClearErrorCode().SetCancelRequested(false).Exec(ctx); err != nil {
			return err
		}
		return t.wake(ctx)
	})
	if err != nil {
		return fmt.Errorf("release report %s: %w", held.Name, err)
	}
	return nil
}

// EndHeldRun ends a run whose report was rejected.
func (db *DB) EndHeldRun(ctx context.Context, runID int64, words string) error {
	return db.saveRun(ctx, runID, func(u *ent.SyncRunUpdateOne) { u.SetStatus(enum.Canceled).SetError(words) })
}

package pipeline

import (
	"context"
	"errors"
	"fmt"
	"io"

	"stockbridge/ent"
	"stockbridge/ent/schema/enum"
	"stockbridge/internal/database"
	"stockbridge/internal/fault"
)

// Release lets the report through that a run is HELD for (spec 3.10): the run goes on with it, and pushes. It does not
// wait. Faults at runId: NOT_FOUND, WRONG_STATE.
func (p *Pipeline) Release(ctx context.Context, merchantID, runID int64) error {
	run, held, err := p.db.HeldRun(ctx, merchantID, runID)
	if err != nil {
		return err
	}
	if err := p.db.ReleaseHeld(ctx, held, run); err != nil {
		return err
	}
	p.kick(run.ConnectionID)
	return nil
}

// Reject turns down the report that a run is HELD for: nothing of it is recorded, a file moves to rejected/, and the run
// ends CANCELED. Faults at runId: NOT_FOUND, WRONG_STATE; besides those of reaching the warehouse.
func (p *Pipeline) Reject(ctx context.Context, merchantID, runID int64) error {
	run, report, err := p.db.HeldRun(ctx, merchantID, runID)
	if err != nil {
		return err
	}
	const words = "an operator rejected the held report"
	if err := p.drop(ctx, run.Edges.Connection.WarehouseID, report, words); err != nil {
		return err
	}
	return p.db.EndHeldRun(ctx, run.ID, words)
}

// drop puts a held report aside for good.
func (p *Pipeline) drop(ctx context.Context, warehouseID int64, h *ent.HeldReport, words string) (err error) {
	defer wrap("reject "+h.Name, &err)
	ctx, release, err := p.hold(ctx, database.WarehouseLease, warehouseID)
	if err != nil {
		return err
	}
	defer release()
	if h.Stamp != "" {
		if err := p.moveAside(ctx, warehouseID, h, fault.New(fault.Held, "%s: %s", words, h.Reason)); err != nil {
			return err
		}
	}
	return p.db.DropHeld(ctx, warehouseID)
}

// moveAside finds the held report where the warehouse still offers it, and rejects it there.
func (p *Pipeline) moveAside(ctx context.Context, warehouseID int64, h *ent.HeldReport, reason error) (err error) {
	w, err := p.db.Reader().Warehouse.Get(ctx, warehouseID)
	if err != nil {
		return err
	}
	src, err := p.cfg.Source(ctx, w)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, src.Close()) }()
	for {
		report, err := src.Next(ctx)
		switch {
		case errors.Is(err, io.EOF):
			return nil // somebody took it away
		case err != nil:
			return err
		case same(h, report):
			return report.Reject(ctx, reason)
		}
	}
}

// ReleaseReported lets the held report of a warehouse that reports by itself through, and plans what it changes, before
// it returns. Faults at warehouseId: WRONG_STATE.
func (p *Pipeline) ReleaseReported(ctx context.Context, w *ent.Warehouse) (r Reported, err error) {
	ctx, release, err := p.hold(ctx, database.WarehouseLease, w.ID)
	if err != nil {
		return r, err
	}
	defer release()
	h, err := p.heldHere(ctx, w)
	if err != nil {
		return r, err
	}
	defer wrap(fmt.Sprintf("release the report of warehouse %q", w.Name), &err)
	pl := &pull{}
	take := &taking{p: p, w: w, pl: pl, touched: &changes{}}
	if err := p.db.ReleaseHeld(ctx, h, nil); err != nil {
		return r, err
	}
	if err := take.released(ctx); err != nil {
		p.leaveBe(ctx, take.touched.marks)
		return r, err
	}
	if err := p.planChanges(ctx, w, database.Int{}, take.touched); err != nil {
		return r, err
	}
	return Reported{Counts: pl.counts}, p.pushOnChange(ctx, w)
}

// RejectReported turns the held report of a warehouse that reports by itself down. Faults at warehouseId: WRONG_STATE.
func (p *Pipeline) RejectReported(ctx context.Context, w *ent.Warehouse) error {
	h, err := p.heldHere(ctx, w)
	if err != nil {
		return err
	}
	return p.drop(ctx, w.ID, h, "an operator rejected the held report")
}

func (p *Pipeline) heldHere(ctx context.Context, w *ent.Warehouse) (*ent.HeldReport, error) {
	if w.Platform != enum.Push {
		return nil, fault.At("warehouseId", fault.WrongState, "warehouse %q is pulled from: name the run that is HELD by runId", w.Name)
	}
	h, err := p.db.Held(ctx, w.ID)
	if err == nil && h == nil {
		err = fault.At("warehouseId", fault.WrongState, "no report of warehouse %q is held", w.Name)
	}
	return h, err
}

package pipeline

import (
	"context"
	"errors"
	"fmt"

	"stockbridge/ent"
	"stockbridge/ent/schema/enum"
	"stockbridge/internal/database"
	"stockbridge/internal/fault"
	"stockbridge/internal/warehouse"
)

// Reported is what became of levels a warehouse reported itself (spec 3.12).
type Reported struct {
	Counts   database.Counts // reported, changed and rejected
	Problems []database.Problem
}

// MaxReported is how many levels one report may hold.
const MaxReported = 10_000

// Report records levels that a warehouse reports itself and plans what they change, before it returns. Levels are numbered
// from 1 in the problems. Faults: WRONG_STATE, TOO_MANY, HELD.
func (p *Pipeline) Report(ctx context.Context, w *ent.Warehouse, complete bool, rows []warehouse.Row) (r Reported, err error) {
	switch {
	case w.Platform != enum.Push:
		return r, fault.At("warehouseId", fault.WrongState, "warehouse %q is pulled from (platform %s): only a warehouse of platform PUSH reports by itself", w.Name, w.Platform)
	case len(rows) > MaxReported:
		return r, fault.At("levels", fault.TooMany, "%d levels in one report: send at most %d, in several reports with complete: false", len(rows), MaxReported)
	case len(rows) == 0 && !complete:
		return r, nil
	}
	defer wrap(fmt.Sprintf("report of warehouse %q", w.Name), &err)
	in := newSpool()
	defer func() { err = errors.Join(err, in.close()) }()
	rejected := &rejects{}
	for i, row := range rows {
		row.Line = i + 1
		r.Counts.Reported++
		l, bad := row.Level()
		if bad != nil {
			r.Counts.Rejected++
			rejected.add(bad)
			r.Problems = append(r.Problems, database.Problem{Kind: enum.RowProblem, Line: bad.Line, SKU: bad.SKU, Message: bad.Reason})
			continue
		}
		if l.Note != "" {
			r.Problems = append(r.Problems, database.Problem{Kind: enum.RowNote, Line: l.Line, SKU: l.SKU, Message: l.Note})
		}
		if err := in.add(l); err != nil {
			return r, err
		}
	}
	ctx, release, err := p.hold(ctx, database.WarehouseLease, w.ID)
	if err != nil {
		return r, err
	}
	defer release()
	rec := p.recording(w, database.Int{}, complete, rejected)
	if complete {
		if err := p.guard(ctx, w, "the report", "", in, rec, rejected, len(rows) == 0); err != nil {
			return r, err
		}
	}
	var touched changes
	err = p.record(ctx, rec, in.levels(func(k database.LevelKey, line int64) {
		r.Problems = append(r.Problems, database.Problem{Kind: enum.RowNote, Line: int(line), SKU: k.SKU, Message: "the same SKU and facility come again further down; the last one counts"})
	}), func() {})
	touched.add(rec)
	if err == nil {
		r.Counts.Changed = rec.Changed
		err = p.db.DropHeld(ctx, w.ID) // a later report takes the place of one that is held
	}
	if err != nil {
		p.leaveBe(ctx, touched.marks)
		return r, err
	}
	if err := p.planChanges(ctx, w, database.Int{}, &touched); err != nil {
		return r, err
	}
	return r, p.pushOnChange(ctx, w)
}

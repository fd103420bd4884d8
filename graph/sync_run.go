package graph

import (
	"context"
	"time"

	"stockbridge/ent"
	"stockbridge/ent/runproblem"
	"stockbridge/ent/syncrun"
	"stockbridge/graph/model"
	"stockbridge/graph/page"
)

func (q query) SyncRuns(ctx context.Context, first *int64, after *string, last *int64, before *string, in *model.SyncRunWhere, orderBy *model.SyncRunOrder) (*model.Page[ent.SyncRun], error) {
	var w where
	w.id("merchantId", syncrun.FieldMerchantID, "Merchant", given(in).MerchantID)
	w.id("connectionId", syncrun.FieldConnectionID, "Connection", given(in).ConnectionID)
	equal(&w, syncrun.FieldMode, given(in).Mode)
	equal(&w, syncrun.FieldTrigger, given(in).Trigger)
	if status := given(in).Status; status != nil {
		equal(&w, syncrun.FieldStatus, status.Eq)
		among(&w, "status.in", syncrun.FieldStatus, status.In)
	}
	order := ordered(func(r *ent.SyncRun) int64 { return r.ID }, orderBy, map[model.SyncRunOrderField]*page.Column[ent.SyncRun]{
		model.SyncRunOrderFieldCreatedAt:  page.Moment(syncrun.FieldCreatedAt, func(r *ent.SyncRun) time.Time { return r.CreatedAt }),
		model.SyncRunOrderFieldStartedAt:  page.MaybeMoment(syncrun.FieldStartedAt, func(r *ent.SyncRun) *time.Time { return r.StartedAt }),
		model.SyncRunOrderFieldFinishedAt: page.MaybeMoment(syncrun.FieldFinishedAt, func(r *ent.SyncRun) *time.Time { return r.FinishedAt }),
	})
	order.Desc = order.Desc || orderBy == nil
	return list(ctx, q.Reader.SyncRun.Query(), w, page.Args{First: first, After: after, Last: last, Before: before}, order)
}

type syncRunFields struct{ *resolver }

func (f syncRunFields) Problems(ctx context.Context, run *ent.SyncRun, first *int64, after *string, last *int64, before *string) (*model.Page[ent.RunProblem], error) {
	var w where
	equal(&w, runproblem.FieldRunID, &run.ID)
	return list(ctx, f.Reader.RunProblem.Query(), w, page.Args{First: first, After: after, Last: last, Before: before},
		page.Order[ent.RunProblem]{ID: func(p *ent.RunProblem) int64 { return p.ID }})
}

func (m mutation) CancelSync(ctx context.Context, in model.CancelSyncInput) (out *model.CancelSyncPayload, err error) {
	out = &model.CancelSyncPayload{}
	out.UserErrors, err = change(ctx, func() error {
		row, err := find(ctx, "SyncRun", "runId", in.RunID, m.Reader.SyncRun.Get)
		if err != nil {
			return err
		}
		if _, err := m.Pipeline.Cancel(ctx, row.MerchantID, row.ID); err != nil {
			return err
		}
		out.Run, err = again(ctx, m.Reader.SyncRun.Query(), row.ID, "run")
		return err
	})
	return out, err
}

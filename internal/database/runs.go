package database

import (
	"context"
	"errors"
	"fmt"

	"stockbridge/ent"
	"stockbridge/ent/connection"
	"stockbridge/ent/schema/enum"
	"stockbridge/ent/syncrun"
	"stockbridge/internal/fault"
)

// EnqueueRun asks for a sync of a connection (spec 3.8). While one is under way it answers that one; only a Full Sync
// asked for during a Smart one is queued, once. fresh tells whether the run was made now.
func (db *DB) EnqueueRun(ctx context.Context, merchantID, connectionID int64, mode enum.SyncMode, trigger enum.SyncTrigger) (run *ent.SyncRun, fresh bool, err error) {
	err = db.inTx(ctx, func(t *tx) (err error) {
		run, fresh, err = t.enqueue(ctx, merchantID, connectionID, mode, trigger)
		return err
	})
	if err != nil {
		return nil, false, fmt.Errorf("ask for a sync of connection %d: %w", connectionID, err)
	}
	return run, fresh, nil
}

func (t *tx) enqueue(ctx context.Context, merchantID, connectionID int64, mode enum.SyncMode, trigger enum.SyncTrigger) (run *ent.SyncRun, fresh bool, err error) {
	c, err := t.ent.Connection.Query().Where(connection.ID(connectionID), connection.MerchantID(merchantID)).Only(ctx)
	if ent.IsNotFound(err) {
		return nil, false, fault.At("connectionId", fault.NotFound, "no connection has this id")
	}
	if err != nil {
		return nil, false, err
	}
	if (!c.Enabled || !c.InventoryEnabled) && trigger != enum.Excluding {
		return nil, false, fault.At("connectionId", fault.Disabled, "connection %q does not sync: enable it with enableConnection and enableInventory first", c.Name)
	}
	if err := t.lock(ctx, lockRuns, connectionID); err != nil {
		return nil, false, err
	}
	live, err := t.ent.SyncRun.Query().Where(syncrun.ConnectionID(connectionID), syncrun.StatusIn(enum.Running, enum.Queued)).Order(ent.Desc(syncrun.FieldID)).All(ctx)
	if err != nil {
		return nil, false, err
	}
	for _, r := range live {
		if r.Mode == mode || r.Mode == enum.Full {
			return r, false, nil
		}
	}
	run, err = t.ent.SyncRun.Create().SetMerchantID(merchantID).SetConnectionID(connectionID).SetMode(mode).SetTrigger(trigger).SetCreatedAt(t.db.Now()).Save(ctx)
	if err != nil {
		return nil, false, err
	}
	return run, true, t.wake(ctx)
}

// ClaimRun starts the oldest queued run of a connection, unless one is running: then, or when none is queued, it answers nil.
// The run is the replica's whose context this is.
func (db *DB) ClaimRun(ctx context.Context, connectionID int64) (run *ent.SyncRun, err error) {
	err = db.inTx(ctx, func(t *tx) error {
		if err := t.lock(ctx, lockRuns, connectionID); err != nil {
			return err
		}
		busy, err := t.ent.SyncRun.Query().Where(syncrun.ConnectionID(connectionID), syncrun.StatusEQ(enum.Running)).Exist(ctx)
		if busy || err != nil {
			return err
		}
		next, err := t.ent.SyncRun.Query().Where(syncrun.ConnectionID(connectionID), syncrun.StatusEQ(enum.Queued)).Order(ent.Asc(syncrun.FieldID)).First(ctx)
		if ent.IsNotFound(err) {
			return nil
		}
		if err != nil {
			return err
		}
		u := next.Update().SetStatus(enum.Running).SetStartedAt(db.Now()).ClearReplicaID()
		if replica := replicaOf(ctx); replica.Valid {
			u.SetReplicaID(replica.Int64)
		}
		run, err = u.Save(ctx)
		if err != nil {
			return err
		}
		return t.wake(ctx)
	})
	if err != nil {
		return nil, fmt.Errorf("start the next run of connection %d: %w", connectionID, err)
	}
	return run, nil
}

// Counts are what a run has done so far (spec 3.13).
type Counts struct{ Reported, Changed, Rejected, Planned, Pushed, Unchanged, Failed, Excluded int64 }

// Problem names what did not come through in a run.
type Problem struct {
	Kind    enum.ProblemKind
	Report  string
	Line    int // 0 for none
	SKU     string
	Code    string
	Message string
}

// MaxProblems is how many problems of a run are kept; all are counted.
const MaxProblems = 1000

// SaveRun stores how far a run is.
func (db *DB) SaveRun(ctx context.Context, runID int64, step enum.SyncStep, c Counts) error {
	return db.saveRun(ctx, runID, func(u *ent.SyncRunUpdateOne) { tally(u, c).SetStep(step).Where(syncrun.FinishedAtIsNil()) })
}

// FinishRun ends a run. reason is nil where nothing went wrong. It fails where somebody else has ended it.
func (db *DB) FinishRun(ctx context.Context, runID int64, status enum.SyncStatus, reason error, c Counts) error {
	return db.saveRun(ctx, runID, func(u *ent.SyncRunUpdateOne) {
		tally(u, c).SetStatus(status).SetStep(enum.Done).SetFinishedAt(db.Now()).Where(syncrun.FinishedAtIsNil())
		if reason != nil {
			u.SetError(fault.Message(reason))
			if code := fault.CodeOf(reason); code != "" {
				u.SetErrorCode(string(code))
			}
		}
	})
}

func (db *DB) saveRun(ctx context.Context, runID int64, set func(*ent.SyncRunUpdateOne)) error {
	err := db.inTx(ctx, func(t *tx) error {
		u := t.ent.SyncRun.UpdateOneID(runID)
		set(u)
		if err := u.Exec(ctx); ent.IsNotFound(err) {
			return errors.New("it has ended already")
		} else if err != nil {
			return err
		}
		return t.wake(ctx)
	})
	if err != nil {
		return fmt.Errorf("save run %d: %w", runID, err)
	}
	return nil
}

func tally(u *ent.SyncRunUpdateOne, c Counts) *ent.SyncRunUpdateOne {
	return u.SetReported(c.Reported).SetChanged(c.Changed).SetRejected(c.Rejected).SetPlanned(c.Planned).SetPushed(c.Pushed).
		SetUnchanged(c.Unchanged).SetFailed(c.Failed).SetExcluded(c.Excluded)
}

// AddProblems stores problems of a run, up to MaxProblems in all, and counts every one and more that are not told.
func (db *DB) AddProblems(ctx context.Context, merchantID, runID int64, problems []Problem, more int64) error {
	err := db.inTx(ctx, func(t *tx) error {
		r, err := t.ent.SyncRun.Query().Where(syncrun.ID(runID)).Only(ctx)
		if err != nil {
			return err
		}
		keep := problems[:max(0, min(len(problems), int(MaxProblems-r.ProblemCount)))]
		err = t.insert(ctx, "run_problems", []string{"merchant_id", "run_id", "kind", "report", "line", "sku", "code", "message"}, len(keep), func(i int) []any {
			p := &keep[i]
			return []any{merchantID, runID, string(p.Kind), p.Report, Int{Int64: int64(p.Line), Valid: p.Line > 0}, p.SKU, p.Code, p.Message}
		})
		if err != nil {
			return err
		}
		return r.Update().AddProblemCount(int64(len(problems)) + more).Exec(ctx)
	})
	if err != nil {
		return fmt.Errorf("save problems of run %d: %w", runID, err)
	}
	return nil
}

// RequestCancel marks a run to be canceled. A queued one ends here; a running one is told by whoever runs it.
func (db *DB) RequestCancel(ctx context.Context, merchantID, runID int64) (run *ent.SyncRun, err error) {
	err = db.inTx(ctx, func(t *tx) error {
		r, err := t.ent.SyncRun.Query().Where(syncrun.ID(runID), syncrun.MerchantID(merchantID)).Only(ctx)
		if ent.IsNotFound(err) {
			return fault.At("runId", fault.NotFound, "no sync run has this id")
		}
		if err != nil {
			return err
		}
		if err := t.lock(ctx, lockRuns, r.ConnectionID); err != nil {
			return err
		}
		if r.Status.Ended() {
			return fault.At("runId", fault.WrongState, "the run has ended as %s already", r.Status)
		}
		u := r.Update().SetCancelRequested(true)
		if r.Status == enum.Queued {
			u.SetStatus(enum.Canceled).SetStep(enum.Done).SetFinishedAt(db.Now())
		}
		if run, err = u.Save(ctx); err != nil {
			return err
		}
		return t.wake(ctx)
	})
	if err != nil {
		return nil, fmt.Errorf("cancel run %d: %w", runID, err)
	}
	return run, nil
}

// ConnectionToSync is a connection with its warehouse and store.
func (db *DB) ConnectionToSync(ctx context.Context, id int64) (c *ent.Connection, err error) {
	c, err = db.reader.Connection.Query().Where(connection.ID(id)).WithWarehouse().WithStore().Only(ctx)
	if err != nil {
		return nil, fmt.Errorf("read connection %d: %w", id, err)
	}
	return c, nil
}

// ConnectionsToPush are the connections of a warehouse that count and push on change.
func (db *DB) ConnectionsToPush(ctx context.Context, warehouseID int64) ([]*ent.Connection, error) {
	found, err := db.reader.Connection.Query().Where(connection.WarehouseID(warehouseID), connection.Enabled(true), connection.InventoryEnabled(true), connection.PushOnChange(true)).All(ctx)
	if err != nil {
		return nil, fmt.Errorf("read the connections of warehouse %d: %w", warehouseID, err)
	}
	return found, nil
}

// Run reads a run.
func (db *DB) Run(ctx context.Context, id int64) (*ent.SyncRun, error) {
	run, err := db.reader.SyncRun.Get(ctx, id)
	if err != nil {
		return nil, fmt.Errorf("read run %d: %w", id, err)
	}
	return run, nil
}

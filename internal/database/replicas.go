package database

import (
	"context"
	"fmt"

	"stockbridge/ent/catalogimport"
	"stockbridge/ent/predicate"
	"stockbridge/ent/replica"
	"stockbridge/ent/schema/enum"
	"stockbridge/ent/syncrun"
	"stockbridge/internal/fault"
)

// Bury ends what a replica left behind whose session is gone: its runs end INTERRUPTED and its imports FAILED, once, and
// what it was to plan is anybody's. From the commit on it can write no more. how says in words what became of it. What was on
// its way to stores is known by stores.pushing. Where its last transactions are still under way it fails: try again. buried is
// false where another replica was sooner.
func (db *DB) Bury(ctx context.Context, replicaID int64, how string) (buried bool, err error) {
	err = db.inTx(ctx, func(t *tx) error {
		if _, err := t.ExecContext(ctx, "SET LOCAL lock_timeout = '2s'"); err != nil {
			return err
		}
		// This waits for the transactions that check the row (fence), and those that come later do not find it.
		n, err := t.ent.Replica.Delete().Where(replica.ID(replicaID)).Exec(ctx)
		if buried = n > 0; err != nil || !buried {
			return err
		}
		if _, err := t.interruptRuns(ctx, how, syncrun.ReplicaID(replicaID)); err != nil {
			return err
		}
		if err := t.interruptImports(ctx, how, catalogimport.ReplicaID(replicaID)); err != nil {
			return err
		}
		if _, err := t.ExecContext(ctx, "UPDATE plan_marks SET replica_id = NULL WHERE replica_id = $1", replicaID); err != nil {
			return err
		}
		return t.wake(ctx)
	})
	if err != nil {
		return false, fmt.Errorf("take over from replica %d: %w", replicaID, err)
	}
	return buried, nil
}

func (t *tx) interruptRuns(ctx context.Context, how string, whose predicate.SyncRun) (n int, err error) {
	return t.ent.SyncRun.Update().Where(syncrun.StatusEQ(enum.Running), whose).SetStatus(enum.Interrupted).SetStep(enum.Done).SetFinishedAt(t.db.Now()).
		SetError(how + " while this sync was running; the next Smart Sync goes on from what is stored").Save(ctx)
}

func (t *tx) interruptImports(ctx context.Context, how string, whose predicate.CatalogImport) error {
	return t.ent.CatalogImport.Update().Where(catalogimport.StatusEQ(enum.ImportRunning), whose).SetStatus(enum.ImportFailed).SetFinishedAt(t.db.Now()).
		SetError(how + " before the import was done; nothing of it was written: import the file again").SetErrorCode(string(fault.Conflict)).Exec(ctx)
}

// Interrupt ends the runs that a process left behind when it died which was no replica, as on SQLite.
func (db *DB) Interrupt(ctx context.Context) (runs int, err error) {
	err = db.inTx(ctx, func(t *tx) error {
		runs, err = t.interruptRuns(ctx, "the server stopped", syncrun.ReplicaIDIsNil())
		return err
	})
	if err != nil {
		return 0, fmt.Errorf("end interrupted runs: %w", err)
	}
	return runs, nil
}

// InterruptImports ends the imports that such a process left behind: nothing of them was written.
func (db *DB) InterruptImports(ctx context.Context) error {
	err := db.inTx(ctx, func(t *tx) error {
		return t.interruptImports(ctx, "the server stopped", catalogimport.ReplicaIDIsNil())
	})
	if err != nil {
		return fmt.Errorf("end interrupted imports: %w", err)
	}
	return nil
}

// Waiting are the connections with runs that nobody works off: queued ones while none is running.
func (db *DB) Waiting(ctx context.Context) (connections []int64, err error) {
	err = db.scan(ctx, `SELECT DISTINCT connection_id FROM sync_runs q WHERE status = 'QUEUED'
		AND NOT EXISTS (SELECT 1 FROM sync_runs r WHERE r.connection_id = q.connection_id AND r.status = 'RUNNING')`, nil, func(scan func(...any) error) error {
		var id int64
		err := scan(&id)
		connections = append(connections, id)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("look for queued runs: %w", err)
	}
	return connections, nil
}

// ToCancel are those of some running runs that were asked to stop, by whatever replica.
func (db *DB) ToCancel(ctx context.Context, runs []int64) ([]int64, error) {
	ids, err := db.reader.SyncRun.Query().Where(syncrun.IDIn(runs...), syncrun.CancelRequested(true)).IDs(ctx)
	if err != nil {
		return nil, fmt.Errorf("look for canceled runs: %w", err)
	}
	return ids, nil
}

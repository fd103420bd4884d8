package pipeline

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"

	"stockbridge/ent"
	"stockbridge/ent/schema/enum"
	"stockbridge/internal/database"
	"stockbridge/internal/fault"
)

// syncing is one run under way.
type syncing struct {
	p    *Pipeline
	run  *ent.SyncRun
	conn *ent.Connection // with its warehouse and store
	log  *slog.Logger

	mu     sync.Mutex // guards what follows
	step   enum.SyncStep
	counts database.Counts
}

// run carries a claimed run through to its end. Whatever happens, the run does not stay RUNNING; where this replica lost it,
// another one ends it.
func (p *Pipeline) run(ctx context.Context, run *ent.SyncRun) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	p.mu.Lock()
	p.running[run.ID] = cancel
	p.mu.Unlock()
	defer func() {
		p.mu.Lock()
		delete(p.running, run.ID)
		p.signalEnd()
		p.mu.Unlock()
	}()
	s := &syncing{p: p, run: run, step: enum.Waiting, log: p.log.With("run", run.ID, "connection", run.ConnectionID, "merchant", run.MerchantID)}
	start := time.Now()
	s.log.Info("sync starts", "mode", run.Mode, "trigger", run.Trigger)
	stop := s.report(ctx)
	reason := s.sync(ctx)
	stop()
	if cause := context.Cause(ctx); cause != nil && reason != nil {
		reason = cause
	}
	status := s.status(reason)
	p.mu.Lock()
	p.tally(status, s.counts)
	p.mu.Unlock()
	if err := p.db.FinishRun(context.WithoutCancel(ctx), run.ID, status, reason, s.counts); errors.Is(err, database.ErrLost) {
		s.log.Warn("a sync was lost; another replica ends it", "error", err)
	} else if err != nil {
		s.log.Error("a sync's end cannot be stored", "error", err)
	}
	level := slog.LevelInfo
	if status == enum.Failed {
		level = slog.LevelError
	}
	s.log.Log(ctx, level, "sync ends", "status", status, "took", time.Since(start).Round(time.Millisecond), "reported", s.counts.Reported, "changed", s.counts.Changed,
		"rejected", s.counts.Rejected, "pushed", s.counts.Pushed, "failed", s.counts.Failed, "error", reason)
}

// sync is the whole of it, step by step.
func (s *syncing) sync(ctx context.Context) error {
	err := s.load(ctx)
	if err != nil {
		return err
	}
	var partial error
	if s.run.Trigger != enum.Excluding {
		// Records and plans. Where a report is held, pushing goes on from what is stored.
		if partial, err = s.pull(ctx); err != nil {
			return err
		}
	} else if err := s.p.planMarks(ctx, s.run.MerchantID, database.IntOf(s.run.ID)); err != nil {
		return err
	}
	if err := s.push(ctx); err != nil {
		return err
	}
	return partial
}

func (s *syncing) load(ctx context.Context) (err error) {
	if s.conn, err = s.p.db.ConnectionToSync(ctx, s.run.ConnectionID); err != nil {
		return err
	}
	if (!s.conn.Enabled || !s.conn.InventoryEnabled) && s.run.Trigger != enum.Excluding {
		return fault.New(fault.Disabled, "connection %q was disabled before its sync began", s.conn.Name)
	}
	return nil
}

// partially is an error that leaves a run PARTIAL and does not stop it.
type partially struct{ error }

func (e partially) Unwrap() error { return e.error }

// held is a report that waits for an operator (spec 3.10).
type held struct{ error }

func (e held) Unwrap() error { return e.error }

// status is what a run ends as (spec 3.13).
func (s *syncing) status(reason error) enum.SyncStatus {
	var part partially
	var hold held
	switch {
	case errors.Is(reason, errCanceled):
		return enum.Canceled
	case errors.Is(reason, errStopping), errors.Is(reason, database.ErrLost):
		return enum.Interrupted
	case errors.As(reason, &hold):
		return enum.Held
	case errors.As(reason, &part):
		return enum.Partial
	case reason != nil:
		return enum.Failed
	case s.counts.Rejected > 0 || s.counts.Failed > 0:
		return enum.Partial
	default:
		return enum.Succeeded
	}
}

// progress changes what is told of the run.
func (s *syncing) progress(change func(*database.Counts)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	change(&s.counts)
}

func (s *syncing) enter(step enum.SyncStep) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.step = step
}

// reportEvery is how often a run's progress is stored while it moves.
const reportEvery = 500 * time.Millisecond

// report stores the run's progress from time to time, until the function it returns is called.
func (s *syncing) report(ctx context.Context) (stop func()) {
	ctx, cancel := context.WithCancel(ctx)
	var done sync.WaitGroup
	done.Go(func() {
		var step enum.SyncStep
		var counts database.Counts
		tick := time.NewTicker(reportEvery)
		defer tick.Stop()
		for {
			select {
			case <-ctx.Done():
				return
			case <-tick.C:
			}
			s.mu.Lock()
			moved := s.step != step || s.counts != counts
			step, counts = s.step, s.counts
			s.mu.Unlock()
			if !moved {
				continue
			}
			if err := s.p.db.SaveRun(ctx, s.run.ID, step, counts); err != nil && ctx.Err() == nil {
				s.log.Warn("a sync's progress cannot be stored", "error", err)
			}
		}
	})
	return func() { cancel(); done.Wait() }
}

// problems stores problems of the run. A run goes on without them; that they are missing is logged.
func (s *syncing) problems(ctx context.Context, problems []database.Problem, more int64) {
	if len(problems) == 0 && more == 0 {
		return
	}
	if err := s.p.db.AddProblems(context.WithoutCancel(ctx), s.run.MerchantID, s.run.ID, problems, more); err != nil {
		s.log.Error("a sync's problems cannot be stored", "error", err)
	}
}

func describe(report string, err error) database.Problem {
	return database.Problem{Kind: enum.ReportProblem, Report: report, Code: string(fault.CodeOf(err)), Message: fault.Message(err)}
}

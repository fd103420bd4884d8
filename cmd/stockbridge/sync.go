package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"stockbridge/ent"
	"stockbridge/ent/connection"
	"stockbridge/ent/runproblem"
	"stockbridge/ent/schema/enum"
	"stockbridge/internal/globalid"
)

type syncCommand struct {
	outside
	Connection string `help:"The connection's id, as the API gives it." required:"" placeholder:"ID"`
	Mode       string `help:"SMART pushes what the store does not show yet, FULL every level." enum:"SMART,FULL" default:"SMART"`
}

// shownProblems is how many problems of a run are printed; the API gives all that are kept.
const shownProblems = 50

// Run runs one sync and tells its counts and problems. A run that did not succeed is an error.
func (c *syncCommand) Run(i *invocation) (err error) {
	id, err := globalid.Of("Connection", c.Connection)
	if err != nil {
		return fmt.Errorf("--connection: %w", err)
	}
	a, err := i.open(c.outside, 0)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, a.platforms.Close(), a.db.Close()) }()
	defer a.pipeline.Close(i) // on a signal the run ends INTERRUPTED
	if err := a.pipeline.Join(i); err != nil {
		return err
	}
	reader := a.db.Reader()
	conn, err := reader.Connection.Query().Where(connection.ID(id)).Only(i)
	if ent.IsNotFound(err) {
		return fmt.Errorf("--connection: no connection has the id %s", c.Connection)
	}
	if err != nil {
		return fmt.Errorf("read connection %s: %w", c.Connection, err)
	}
	run, err := a.pipeline.Start(i, conn.MerchantID, id, enum.SyncMode(c.Mode), enum.Manual)
	if err != nil {
		return err
	}
	if run, err = await(i, reader, run.ID); err != nil {
		return err
	}
	i.say("%s sync of %s: %s", run.Mode, conn.Name, run.Status)
	i.say("reported %d, changed %d, rejected %d, planned %d, pushed %d, unchanged %d, failed %d, excluded %d",
		run.Reported, run.Changed, run.Rejected, run.Planned, run.Pushed, run.Unchanged, run.Failed, run.Excluded)
	problems, err := reader.RunProblem.Query().Where(runproblem.RunID(run.ID)).Order(ent.Asc(runproblem.FieldID)).Limit(shownProblems).All(i)
	if err != nil {
		return fmt.Errorf("read the run's problems: %w", err)
	}
	for _, p := range problems {
		i.say("%s", problem(p))
	}
	if run.Status != enum.Succeeded {
		return fmt.Errorf("the sync ended %s", run.Status)
	}
	return nil
}

// await looks at a run until it has ended. It may run in another process, so nobody here knows when.
func await(ctx context.Context, reader *ent.Client, id int64) (*ent.SyncRun, error) {
	look := time.NewTicker(50 * time.Millisecond)
	defer look.Stop()
	for {
		run, err := reader.SyncRun.Get(ctx, id)
		if err != nil {
			return nil, fmt.Errorf("read the run: %w", err)
		}
		if run.FinishedAt != nil {
			return run, nil
		}
		select {
		case <-look.C:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

// problem is one line about what did not come through.
func problem(p *ent.RunProblem) string {
	var b strings.Builder
	b.WriteString(string(p.Kind))
	if p.Report != "" {
		b.WriteString(" " + p.Report)
	}
	if p.Line != nil {
		fmt.Fprintf(&b, " line %d", *p.Line)
	}
	if p.Sku != "" {
		b.WriteString(" SKU " + p.Sku)
	}
	if p.Code != "" {
		b.WriteString(" " + p.Code)
	}
	return b.String() + ": " + p.Message
}

package cron

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/go-co-op/gocron/v2"
)

// Keep deletes once an hour what is older than keep: activities, but for the latest of each SKU, and problems of runs;
// and idempotency keys that mean nothing any more. With 0 activities and problems are kept for good. Call it before Start.
//
// Of several replicas the keeper does so for all.
func (c *Cron) Keep(keep time.Duration) error {
	p := &pruning{Cron: c, keep: keep}
	_, err := c.jobs.NewJob(gocron.DurationRandomJob(55*time.Minute, 65*time.Minute), gocron.NewTask(p.run), gocron.WithName("pruning"),
		gocron.WithStartAt(gocron.WithStartDateTime(c.db.Now().Add(time.Minute))), gocron.WithSingletonMode(gocron.LimitModeReschedule))
	if err != nil {
		return fmt.Errorf("schedule pruning: %w", err)
	}
	return nil
}

// pruning is where the job is. Only one run at a time touches it.
type pruning struct {
	*Cron
	keep time.Duration
	runs int
	at   int64 // activities up to here were looked at
}

// fromStart is how many runs go on from where the last was, before one begins at the oldest activity again: what was kept
// as one of the latest of its SKU may be none of them any more.
const fromStart = 24

func (p *pruning) run(ctx context.Context) {
	if p.keeper != nil {
		keeping, done, ok := p.keeper(ctx)
		if !ok {
			return
		}
		defer done()
		ctx = keeping
	}
	if p.runs%fromStart == 0 {
		p.at = 0
	}
	p.runs++
	var activities, problems int
	keys, err := drain(ctx, func() (bool, int, error) { return p.db.PruneKeys(ctx) })
	if before := p.db.Now().Add(-p.keep); p.keep > 0 {
		var errs [2]error
		activities, errs[0] = drain(ctx, func() (more bool, deleted int, err error) {
			p.at, more, deleted, err = p.db.PruneActivities(ctx, before, p.at)
			return more, deleted, err
		})
		at := int64(0)
		problems, errs[1] = drain(ctx, func() (more bool, deleted int, err error) {
			at, more, deleted, err = p.db.PruneProblems(ctx, before, at)
			return more, deleted, err
		})
		err = errors.Join(err, errs[0], errs[1])
	}
	if err != nil && ctx.Err() == nil {
		p.log.ErrorContext(ctx, "not all that is too old could be deleted; it is tried again in an hour", "error", err)
	}
	p.log.InfoContext(ctx, "deleted what is too old", "activities", activities, "problems", problems, "keys", keys)
}

// drain deletes page after page until there are no more, one fails or ctx ends.
func drain(ctx context.Context, page func() (more bool, deleted int, err error)) (all int, err error) {
	for more := true; more && err == nil && ctx.Err() == nil; {
		var n int
		more, n, err = page()
		all += n
	}
	return all, err
}

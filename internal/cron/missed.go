package cron

import (
	"context"
	"time"
)

const (
	// watchEvery is how often a replica looks what others changed and missed.
	watchEvery = 5 * time.Second
	// grace is how much later than its place in the window a sync may begin before it counts as missed.
	grace = 5 * time.Second
	// lookBack is how far the clocks of replicas may be apart for a changed schedule to be taken up at once.
	lookBack = time.Minute
)

// Watch takes up the schedules that other replicas change, and starts what was due and nobody started: its replica died, or
// a clock was set. It returns when ctx ends. A process that is the only one has nothing to watch.
func (c *Cron) Watch(ctx context.Context) {
	tick := time.NewTicker(watchEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			if err := c.look(ctx); err != nil && ctx.Err() == nil {
				c.log.WarnContext(ctx, "cannot look for schedules that others changed or missed", "error", err)
			}
		}
	}
}

func (c *Cron) look(ctx context.Context) error {
	now := c.db.Now()
	changed, err := c.db.SchedulesSince(ctx, now.Add(-lookBack-2*watchEvery))
	if err != nil {
		return err
	}
	c.mu.Lock()
	for _, s := range changed {
		if err = c.put(s); err != nil {
			break
		}
	}
	c.mu.Unlock()
	if err != nil {
		return err
	}
	overdue, err := c.db.Overdue(ctx, now.Add(-grace))
	for _, s := range overdue {
		if !s.NextRunAt.After(now.Add(-grace - c.offset(s.ConnectionID))) {
			c.due(ctx, s)
		}
	}
	return err
}

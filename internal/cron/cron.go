// Package cron lets schedules start syncs: gocron holds one job per connection and mode, package schedule says when.
package cron

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/bits"
	"sync"
	"time"

	"github.com/go-co-op/gocron/v2"
	"github.com/google/uuid"

	"stockbridge/ent"
	"stockbridge/ent/schema/enum"
	"stockbridge/internal/database"
	"stockbridge/internal/fault"
	"stockbridge/internal/schedule"
)

// Starter starts a sync that is due, unless another replica has, and does not wait for it; due tells whether it did. The sync
// runs on a context of its own: changing a schedule ends the context of a job that is under way.
type Starter func(context.Context, database.Due) (due bool, err error)

// Keeper tells whether this replica is the one that tidies up, and gives a context to do so under.
type Keeper func(context.Context) (context.Context, context.CancelFunc, bool)

// Config is what a Cron works with.
type Config struct {
	DB    *database.DB
	Start Starter
	Log   *slog.Logger
	// Keeper is asked before what is too old is deleted; nil is a process that has no others beside it.
	Keeper Keeper
	// Jitter is the window over which syncs that are due at one time begin. A connection begins at the same place in it every
	// time, never before it is due. 0: all begin at once.
	Jitter time.Duration
}

// Cron holds the jobs. It is safe for concurrent use.
type Cron struct {
	db     *database.DB
	start  Starter
	keeper Keeper
	log    *slog.Logger
	jitter time.Duration
	jobs   gocron.Scheduler
	slots  chan struct{} // how many runs are asked for at a time

	mu   sync.Mutex // guards held, and makes one change of jobs at a time
	held map[key]job
}

// job is the job of a schedule.
type job struct {
	id      uuid.UUID
	version int64 // of the schedule
}

type key struct {
	connection int64
	mode       enum.SyncMode
}

// starts is how many runs are asked for at a time. Each is one short transaction; more would only wait for each other.
const starts = 8

// New makes a Cron without jobs.
func New(c Config) (*Cron, error) { return newWith(c) }

func newWith(c Config, options ...gocron.SchedulerOption) (*Cron, error) {
	jobs, err := gocron.NewScheduler(append(options, gocron.WithLocation(time.UTC), gocron.WithStopTimeout(5*time.Second))...)
	if err != nil {
		return nil, fmt.Errorf("make the scheduler: %w", err)
	}
	return &Cron{db: c.DB, start: c.Start, keeper: c.Keeper, log: c.Log, jitter: c.Jitter, jobs: jobs, slots: make(chan struct{}, starts), held: map[key]job{}}, nil
}

// Start takes up all schedules. A run that was due while no server ran happens now, within the jitter, once (spec 3.7).
func (c *Cron) Start(ctx context.Context) error {
	all, err := c.db.Schedules(ctx, 0)
	if err != nil {
		return err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	now := c.db.Now()
	missed := map[int64][]*ent.Schedule{} // by connection; Full before Smart: a missed Full Sync does for both
	for _, s := range all {
		if s.NextRunAt != nil && !s.NextRunAt.After(now) && counts(s) {
			missed[s.ConnectionID] = append(missed[s.ConnectionID], s)
		}
		if err := c.put(s); err != nil {
			return err
		}
	}
	for id, schedules := range missed {
		at := gocron.OneTimeJobStartImmediately()
		if offset := c.offset(id); offset >= time.Second { // a sooner one could have passed by the time the job is added, which is refused
			at = gocron.OneTimeJobStartDateTime(c.db.Now().Add(offset))
		}
		task := gocron.NewTask(func(ctx context.Context) {
			for _, s := range schedules {
				c.due(ctx, s)
			}
		})
		if _, err := c.jobs.NewJob(gocron.OneTimeJob(at), task, gocron.WithName(fmt.Sprintf("missed syncs of connection %d", id))); err != nil {
			return fmt.Errorf("schedule what connection %d missed: %w", id, err)
		}
	}
	c.jobs.Start()
	return nil
}

// offset is how long after its due time a connection begins: its place in the window, the same whenever it is asked for.
func (c *Cron) offset(connectionID int64) time.Duration {
	if c.jitter <= 0 {
		return 0
	}
	h := uint64(connectionID) * 0x9e3779b97f4a7c15 // 2⁶⁴ ÷ the golden ratio: ids that follow each other spread evenly
	place, _ := bits.Mul64(h, uint64(c.jitter))
	return time.Duration(place)
}

// Set brings the jobs of a connection in line with what is stored: after its schedules, time zone or state changed, or it
// went. A sync under way goes on undisturbed.
func (c *Cron) Set(ctx context.Context, connectionID int64) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	stored, err := c.db.Schedules(ctx, connectionID)
	if err != nil {
		return err
	}
	gone := map[enum.SyncMode]bool{enum.Full: true, enum.Smart: true}
	for _, s := range stored {
		delete(gone, s.Mode)
		if err := c.put(s); err != nil {
			return err
		}
	}
	for mode := range gone {
		if err := c.remove(key{connectionID, mode}); err != nil {
			return err
		}
	}
	return nil
}

// Jobs is how many schedules are waiting for their next run.
func (c *Cron) Jobs() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.held)
}

// Close stops the jobs.
func (c *Cron) Close() error {
	if err := c.jobs.Shutdown(); err != nil {
		return fmt.Errorf("stop the scheduler: %w", err)
	}
	return nil
}

func counts(s *ent.Schedule) bool {
	conn := s.Edges.Connection
	return conn.Enabled && conn.InventoryEnabled
}

// put adds, changes or removes the job of a schedule. c.mu is held.
func (c *Cron) put(s *ent.Schedule) error {
	k := key{s.ConnectionID, s.Mode}
	rules, err := database.ScheduleOf(s)
	if err != nil {
		return err
	}
	if len(rules.Rules) == 0 || !counts(s) {
		return c.remove(k)
	}
	def := gocron.CronJob("by our own rule", false)
	task := gocron.NewTask(func(ctx context.Context) { c.due(ctx, s) })
	options := []gocron.JobOption{gocron.WithCronImplementation(times{rules, c.offset(s.ConnectionID)}), gocron.WithName(fmt.Sprintf("%s sync of connection %d", s.Mode, s.ConnectionID))}
	if held, ok := c.held[k]; ok {
		if held.version == s.Version {
			return nil
		}
		if _, err := c.jobs.Update(held.id, def, task, options...); err != nil {
			return fmt.Errorf("change the schedule of connection %d: %w", s.ConnectionID, err)
		}
		c.held[k] = job{held.id, s.Version}
		return nil
	}
	made, err := c.jobs.NewJob(def, task, options...)
	if err != nil {
		return fmt.Errorf("schedule connection %d: %w", s.ConnectionID, err)
	}
	c.held[k] = job{made.ID(), s.Version}
	return nil
}

func (c *Cron) remove(k key) error {
	held, ok := c.held[k]
	if !ok {
		return nil
	}
	delete(c.held, k)
	if err := c.jobs.RemoveJob(held.id); err != nil && !errors.Is(err, gocron.ErrJobNotFound) {
		return fmt.Errorf("drop the schedule of connection %d: %w", k.connection, err)
	}
	return nil
}

// early is by how much a clock may have run fast between arming a timer and reading the time of day. It is less than the time
// between two runs of any rule.
const early = time.Second

// due is what a job does: with one transaction it asks for the sync and stores when the next one is due, which tells other
// replicas, and the next process, whether they missed one. Where another replica has done so already, or has changed the
// schedule, the jobs here are brought in line.
func (c *Cron) due(ctx context.Context, s *ent.Schedule) {
	select {
	case c.slots <- struct{}{}:
		defer func() { <-c.slots }()
	case <-ctx.Done(): // it counts as missed, and happens at the next start
		return
	}
	ctx = context.WithoutCancel(ctx)
	log := c.log.With("connection", s.ConnectionID, "merchant", s.MerchantID, "mode", s.Mode)
	rules, err := database.ScheduleOf(s)
	if err != nil {
		log.ErrorContext(ctx, "a scheduled sync cannot start", "error", err)
		return
	}
	d := database.Due{ScheduleID: s.ID, Version: s.Version, MerchantID: s.MerchantID, ConnectionID: s.ConnectionID, Mode: s.Mode, By: c.db.Now().Add(early - c.offset(s.ConnectionID))}
	if next, ok := rules.Next(d.By); ok {
		d.Next = &next
	}
	due, err := c.start(ctx, d)
	switch {
	case fault.CodeOf(err) == fault.Disabled: // elsewhere
	case err != nil:
		log.ErrorContext(ctx, "a scheduled sync cannot start", "error", err)
		return
	case due:
		return
	}
	if err := c.Set(ctx, s.ConnectionID); err != nil {
		log.ErrorContext(ctx, "a schedule that was changed elsewhere cannot be taken up", "error", err)
	}
}

// times lets gocron ask our rules: its own skip or double runs where clocks change (spec 3.7). Every run is later by an offset.
type times struct {
	schedule.Schedule
	offset time.Duration
}

// IsValid accepts every schedule: rules are checked before they are stored.
func (times) IsValid(string, *time.Location, time.Time) error { return nil }

// Next is the first run after another; the end of time when there is none.
func (t times) Next(after time.Time) time.Time {
	if next, ok := t.Schedule.Next(after.Add(-t.offset)); ok {
		return next.Add(t.offset)
	}
	return time.Date(9999, 1, 1, 0, 0, 0, 0, time.UTC)
}

// Package pipeline is the sync: pull, record, plan, push. Every step works from what is stored, so what a crash cut off
// is mended by running again.
package pipeline

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"stockbridge/ent"
	"stockbridge/ent/schema/enum"
	"stockbridge/internal/channel"
	"stockbridge/internal/database"
	"stockbridge/internal/warehouse"
)

// Config is what a pipeline works with.
type Config struct {
	DB *database.DB
	// Source connects to a warehouse that is pulled from; Sink to a store. The caller of the pipeline closes neither.
	Source func(context.Context, *ent.Warehouse) (warehouse.Source, error)
	Sink   func(context.Context, *ent.Store) (channel.Sink, error)
	Log    *slog.Logger
	// Syncs is how many syncs run at once; 0 is 16. Others wait, QUEUED.
	Syncs int
	// Window is how long changes that a warehouse reports are gathered before they are pushed (pushOnChange); 0 is 500 ms.
	Window time.Duration
	// Version is the program's, which the replicas of a database tell each other.
	Version string
}

// Pipeline runs syncs in the background. It is safe for concurrent use.
type Pipeline struct {
	cfg   Config
	db    *database.DB
	log   *slog.Logger
	slots chan struct{}

	base   context.Context // of everything in the background
	cancel context.CancelCauseFunc
	work   sync.WaitGroup

	locks keyedLock          // what hold has leases for among replicas, within this one
	life  sync.WaitGroup     // of the replica
	die   context.CancelFunc // ends it; nil where it is none

	mu      sync.Mutex // guards what follows
	closed  bool
	workers map[int64]bool                    // by connection that has a worker: true to look for queued runs once more
	running map[int64]context.CancelCauseFunc // by run
	pulls   map[int64]*pull                   // by warehouse
	marks   map[int64]bool                    // plan marks that a pull under way will meet itself
	behind  map[int64]bool                    // by merchant that is being planned behind a request: true to go once more
	soon    map[int64]bool                    // by store that is pushed to on change: true to go once more
	ended   chan struct{}                     // closed when the next run ends, and when one elsewhere may have
	totals  Totals
	replica replica
}

var (
	errCanceled = errors.New("the sync was canceled")
	errStopping = errors.New("the server is stopping; the next Smart Sync goes on from what is stored")
)

// New makes a pipeline. Call Recover or Join once before anything else, and Close at the end.
func New(cfg Config) *Pipeline {
	if cfg.Syncs == 0 {
		cfg.Syncs = 16
	}
	if cfg.Window == 0 {
		cfg.Window = 500 * time.Millisecond
	}
	p := &Pipeline{cfg: cfg, db: cfg.DB, log: cfg.Log, slots: make(chan struct{}, cfg.Syncs), workers: map[int64]bool{}, running: map[int64]context.CancelCauseFunc{},
		pulls: map[int64]*pull{}, marks: map[int64]bool{}, behind: map[int64]bool{}, soon: map[int64]bool{}, ended: make(chan struct{})}
	p.base, p.cancel = context.WithCancelCause(context.Background())
	return p
}

// Recover joins the replicas, and takes up what others left: running syncs of those that are gone end INTERRUPTED, queued ones
// start, and what was marked to be planned is planned behind. From now on it goes on doing so until Close.
func (p *Pipeline) Recover(ctx context.Context) error {
	if err := p.Join(ctx); err != nil {
		return err
	}
	merchants, err := p.db.MerchantsToPlan(ctx)
	if err != nil {
		return err
	}
	for id := range merchants {
		p.planBehind(id)
	}
	p.mu.Lock()
	p.replica.takes = true
	p.mu.Unlock()
	return p.takeRuns(ctx)
}

// Start asks for a sync of a connection and returns its run, or the one under way (spec 3.8). It does not wait.
// Faults: NOT_FOUND, CONNECTION_DISABLED.
func (p *Pipeline) Start(ctx context.Context, merchantID, connectionID int64, mode enum.SyncMode, trigger enum.SyncTrigger) (*ent.SyncRun, error) {
	run, _, err := p.db.EnqueueRun(ctx, merchantID, connectionID, mode, trigger)
	if err != nil {
		return nil, err
	}
	p.kick(connectionID)
	return run, nil
}

// StartDue asks for the sync that a schedule is due for, if no other replica has. It does not wait. Faults: those of Start.
func (p *Pipeline) StartDue(ctx context.Context, d database.Due) (due bool, err error) {
	_, due, err = p.db.EnqueueDue(ctx, d)
	if due && err == nil {
		p.kick(d.ConnectionID)
	}
	return due, err
}

// Cancel asks a run to stop and returns it: one of another replica stops within a second or two. What was sent to the store is marked before it ends. Faults: NOT_FOUND, WRONG_STATE.
func (p *Pipeline) Cancel(ctx context.Context, merchantID, runID int64) (*ent.SyncRun, error) {
	run, err := p.db.RequestCancel(ctx, merchantID, runID)
	if err != nil {
		return nil, err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if cancel := p.running[runID]; cancel != nil {
		cancel(errCanceled)
	}
	p.signalEnd() // one that was queued has ended with that
	return run, nil
}

// signalEnd wakes who waits for a run's end. p.mu is held.
func (p *Pipeline) signalEnd() {
	close(p.ended)
	p.ended = make(chan struct{})
}

// Close lets running syncs end until ctx does, then stops them: they end INTERRUPTED. Nothing new starts.
func (p *Pipeline) Close(ctx context.Context) {
	p.mu.Lock()
	p.closed = true
	p.mu.Unlock()
	done := make(chan struct{})
	go func() { p.work.Wait(); close(done) }()
	select {
	case <-done:
	case <-ctx.Done():
	}
	p.cancel(errStopping)
	<-done
	p.leave()
}

// background runs f until it returns; Close waits for it. It answers false when the pipeline is closed. p.mu is held.
func (p *Pipeline) background(f func()) bool {
	if p.closed {
		return false
	}
	p.work.Go(f)
	return true
}

// kick makes sure that somebody works off a connection's queued runs.
func (p *Pipeline) kick(connectionID int64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if _, ok := p.workers[connectionID]; ok {
		p.workers[connectionID] = true
		return
	}
	if p.background(func() { p.workOff(connectionID) }) {
		p.workers[connectionID] = false
	}
}

// workOff runs a connection's queued runs one after the other until none is left.
func (p *Pipeline) workOff(connectionID int64) {
	for {
		if p.next(connectionID) {
			continue
		}
		p.mu.Lock()
		again := p.workers[connectionID] && !p.closed
		if !again {
			delete(p.workers, connectionID)
		} else {
			p.workers[connectionID] = false
		}
		p.mu.Unlock()
		if !again {
			return
		}
	}
}

// next runs one queued run of a connection and tells whether there was one.
func (p *Pipeline) next(connectionID int64) bool {
	select {
	case p.slots <- struct{}{}:
		defer func() { <-p.slots }()
	case <-p.base.Done():
		return false
	}
	p.mu.Lock()
	closed := p.closed
	p.mu.Unlock()
	if closed {
		return false // what is queued stays so and starts with the next process
	}
	ctx, done, err := p.Working(p.base)
	if err != nil {
		return false
	}
	defer done()
	run, err := p.db.ClaimRun(ctx, connectionID)
	if err != nil {
		p.log.Error("a queued sync cannot be started", "connection", connectionID, "error", err)
		return false
	}
	if run == nil {
		return false
	}
	p.run(ctx, run)
	return true
}

type lockKey struct {
	kind database.LeaseKind
	key  int64
}

// keyedLock is one lock per key.
type keyedLock struct {
	mu   sync.Mutex
	held map[lockKey]chan struct{} // closed when the holder lets go
}

// lock waits for a key's lock until ctx ends. Call the function it returns to let go.
func (l *keyedLock) lock(ctx context.Context, key lockKey) (unlock func(), err error) {
	for {
		l.mu.Lock()
		busy, ok := l.held[key]
		if !ok {
			mine := make(chan struct{})
			if l.held == nil {
				l.held = map[lockKey]chan struct{}{}
			}
			l.held[key] = mine
			l.mu.Unlock()
			return func() {
				l.mu.Lock()
				delete(l.held, key)
				l.mu.Unlock()
				close(mine)
			}, nil
		}
		l.mu.Unlock()
		select {
		case <-busy:
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		}
	}
}

// tested runs a warehouse's or store's test with a bound on its time.
func tested(ctx context.Context, test func(context.Context) (string, error)) (words string, took time.Duration, err error) {
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	start := time.Now()
	words, err = test(ctx)
	return words, time.Since(start), err
}

// TestWarehouse makes one real, harmless request to a warehouse and tells in words what came back, and how long it took.
func (p *Pipeline) TestWarehouse(ctx context.Context, w *ent.Warehouse) (string, time.Duration, error) {
	if w.Platform == enum.Push {
		return "nothing to ask: this warehouse reports by itself, through reportWarehouseLevels", 0, nil
	}
	return tested(ctx, func(ctx context.Context) (words string, err error) {
		src, err := p.cfg.Source(ctx, w)
		if err != nil {
			return "", err
		}
		defer func() { err = errors.Join(err, src.Close()) }()
		return src.Test(ctx)
	})
}

// TestStore does the same with a store.
func (p *Pipeline) TestStore(ctx context.Context, s *ent.Store) (string, time.Duration, error) {
	return tested(ctx, func(ctx context.Context) (words string, err error) {
		sink, err := p.cfg.Sink(ctx, s)
		if err != nil {
			return "", err
		}
		defer func() { err = errors.Join(err, sink.Close()) }()
		return sink.Test(ctx)
	})
}

func wrap(op string, err *error) {
	if *err != nil {
		*err = fmt.Errorf("%s: %w", op, *err)
	}
}

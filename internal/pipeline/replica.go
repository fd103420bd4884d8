package pipeline

import (
	"context"
	"errors"
	"time"

	"stockbridge/internal/database"
)

// Several processes, replicas, may work on one PostgreSQL database. What has to be done by one at a time needs a lease, which
// lives in the replica's session: a process that dies has none left at that moment. SQLite has one process, and there a
// lease is a lock in it.

const (
	// beatEvery is how often a replica shows that it lives, and looks for what others left or ask of it.
	beatEvery = time.Second
	// A lease that somebody else holds is asked for again after a while that grows from leaseSoon to leaseLater.
	leaseSoon, leaseLater = 10 * time.Millisecond, 250 * time.Millisecond
)

// replica is what a pipeline knows of itself as one of several.
type replica struct {
	session *database.Session // the present one, or the last; nil where there is but one process
	renewed chan struct{}     // closed when another session takes its place
	keeper  *database.Lease   // nil while another replica, or nobody, is the keeper
	takes   bool              // whether it takes up what others left
	held    int               // leases
	lost    int64             // sessions
	buried  int64             // replicas that it took over from
}

// Join makes this process a replica, where the database can have several, and ends what a process left behind that was
// none, or is gone. Without it leases are locks of this process alone.
func (p *Pipeline) Join(ctx context.Context) error {
	interrupted, err := p.db.Interrupt(ctx)
	if err != nil {
		return err
	}
	if interrupted > 0 {
		p.log.WarnContext(ctx, "an earlier process stopped in the middle of syncs", "interrupted", interrupted)
	}
	if !p.db.Shared() {
		return nil
	}
	if err := p.open(ctx); err != nil {
		return err
	}
	alive, die := context.WithCancel(context.Background())
	p.die = die
	p.life.Go(func() { p.live(alive) })
	return nil
}

// open begins a session, and takes over from those that are gone.
func (p *Pipeline) open(ctx context.Context) error {
	s, err := p.db.OpenSession(ctx, p.cfg.Version)
	if err != nil {
		return err
	}
	p.mu.Lock()
	if p.replica.renewed != nil {
		close(p.replica.renewed)
	}
	p.replica.session, p.replica.renewed, p.replica.keeper = s, make(chan struct{}), nil
	p.mu.Unlock()
	p.log.InfoContext(ctx, "joined the replicas of this database", "replica", s.ID())
	p.beat(ctx, s)
	return nil
}

// leave ends the session. Nothing works under it any more.
func (p *Pipeline) leave() {
	if p.die == nil {
		return
	}
	p.die()
	p.life.Wait()
	if err := p.replica.session.Close(); err != nil && !errors.Is(err, database.ErrLost) {
		p.log.Warn("leaving the replicas of this database went wrong; another one tidies up", "error", err)
	}
}

// live beats until ctx ends. A session that broke is followed by another.
func (p *Pipeline) live(ctx context.Context) {
	tick := time.NewTicker(beatEvery)
	defer tick.Stop()
	marks := map[int64]int64{}
	for n := 0; ; n++ {
		s := p.replica.session // changed by nobody but this loop
		select {
		case <-ctx.Done():
			return
		case <-s.Lost():
			p.lose(s)
			p.reopen(ctx, tick.C)
		case <-tick.C:
			p.beat(ctx, s)
			p.heed(ctx)
			if p.takes() {
				if err := p.takeRuns(ctx); err != nil {
					p.log.WarnContext(ctx, "cannot look for queued syncs", "error", err)
				}
				if n%2 == 0 {
					marks = p.takeMarks(ctx, marks)
				}
			}
		}
	}
}

// reopen tries to begin another session until it does or ctx ends.
func (p *Pipeline) reopen(ctx context.Context, again <-chan time.Time) {
	for told := false; ; told = true {
		err := p.open(ctx)
		if err == nil || ctx.Err() != nil {
			return
		}
		if !told {
			p.log.ErrorContext(ctx, "cannot join the replicas of this database again; trying every second", "error", err)
		}
		select {
		case <-ctx.Done():
			return
		case <-again:
		}
	}
}

func (p *Pipeline) lose(s *database.Session) {
	p.mu.Lock()
	p.replica.lost++
	p.mu.Unlock()
	p.log.Warn("lost the session in the database, and all leases with it; what worked under them stops, and starts anew under another session", "replica", s.ID())
}

func (p *Pipeline) takes() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.replica.takes && !p.closed
}

// beat shows that this replica lives, and takes over from those that do not.
func (p *Pipeline) beat(ctx context.Context, s *database.Session) {
	dead, err := s.Beat()
	if err != nil {
		if !errors.Is(err, database.ErrLost) {
			p.log.WarnContext(ctx, "cannot look for other replicas", "error", err)
		}
		return
	}
	for _, id := range dead {
		buried, err := p.db.Bury(ctx, id, "its server was lost")
		if err != nil {
			if ctx.Err() == nil {
				p.log.WarnContext(ctx, "cannot take over from a replica that is gone yet; trying again", "replica", id, "error", err)
			}
			continue
		}
		if buried {
			p.mu.Lock()
			p.replica.buried++
			p.mu.Unlock()
			p.log.WarnContext(ctx, "took over from a replica that is gone", "replica", id)
		}
	}
}

// heed does what other replicas ask for through the database, or have done: who waits for a run's end looks again, and runs
// that were canceled elsewhere stop.
func (p *Pipeline) heed(ctx context.Context) {
	p.mu.Lock()
	p.signalEnd()
	ids := make([]int64, 0, len(p.running))
	for id := range p.running {
		ids = append(ids, id)
	}
	p.mu.Unlock()
	if len(ids) == 0 {
		return
	}
	canceled, err := p.db.ToCancel(ctx, ids)
	if err != nil {
		if ctx.Err() == nil {
			p.log.WarnContext(ctx, "cannot look whether syncs were canceled", "error", err)
		}
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, id := range canceled {
		if cancel := p.running[id]; cancel != nil {
			cancel(errCanceled)
		}
	}
}

// takeRuns sees to it that queued runs are worked off that nobody runs, whoever queued them. All replicas try, and each
// takes as many as it has room for.
func (p *Pipeline) takeRuns(ctx context.Context) error {
	waiting, err := p.db.Waiting(ctx)
	for _, id := range waiting {
		p.kick(id)
	}
	return err
}

// takeMarks plans what has been marked since the last look, seen, and nobody has met: a request that marks something meets it
// at once, unless its process died.
func (p *Pipeline) takeMarks(ctx context.Context, seen map[int64]int64) map[int64]int64 {
	oldest, err := p.db.MerchantsToPlan(ctx)
	if err != nil {
		if ctx.Err() == nil {
			p.log.WarnContext(ctx, "cannot look for what is to be planned", "error", err)
		}
		return seen
	}
	for merchant, mark := range oldest {
		if seen[merchant] == mark {
			p.planBehind(merchant)
		}
	}
	return oldest
}

// living waits for a session that is not lost, until ctx ends. It is nil where there is but one process.
func (p *Pipeline) living(ctx context.Context) (*database.Session, error) {
	for {
		p.mu.Lock()
		s, renewed := p.replica.session, p.replica.renewed
		p.mu.Unlock()
		if s == nil {
			return nil, nil //nolint:nilnil // there are no others to be told from
		}
		select {
		case <-s.Lost():
		default:
			return s, nil
		}
		select {
		case <-renewed:
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		}
	}
}

// Working returns a context to work under as this replica: what it stores is known as this replica's, and another one ends it
// when this one is gone. Where there is but one process it is ctx. Cancel it when the work is done.
func (p *Pipeline) Working(ctx context.Context) (context.Context, context.CancelFunc, error) {
	s, err := p.living(ctx)
	if err != nil {
		return nil, nil, err
	}
	if s == nil {
		return ctx, func() {}, nil
	}
	ctx, cancel := s.Guard(ctx)
	return ctx, cancel, nil
}

// hold waits, until ctx ends, for the right to work on something alone among all replicas. Work under the context it
// returns, and release it then: the context ends when the lease is lost, with database.ErrLost for a cause.
func (p *Pipeline) hold(ctx context.Context, kind database.LeaseKind, key int64) (held context.Context, release func(), err error) {
	unlock, err := p.locks.lock(ctx, lockKey{kind, key})
	if err != nil {
		return nil, nil, err
	}
	for wait := leaseSoon; ; wait = min(2*wait, leaseLater) {
		s, err := p.living(ctx)
		if err == nil && s == nil {
			return ctx, unlock, nil
		}
		var lease *database.Lease
		var ok bool
		if err == nil {
			lease, ok, err = s.TryLease(kind, key)
		}
		switch {
		case ok:
			held, done := s.Guard(ctx, lease)
			p.holds(1)
			return held, func() {
				done()
				if err := lease.Release(); err != nil {
					p.log.Warn("a lease could not be released", "kind", kind, "key", key, "error", err)
				}
				p.holds(-1)
				unlock()
			}, nil
		case err != nil && !errors.Is(err, database.ErrLost):
			unlock()
			return nil, nil, err
		}
		select {
		case <-time.After(wait):
		case <-ctx.Done():
			unlock()
			return nil, nil, context.Cause(ctx)
		}
	}
}

func (p *Pipeline) holds(more int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.replica.held += more
}

// Keeper tells whether this replica is the one that tidies up, and gives a context to do so under. The first that asks is, as
// long as its session lasts. It is to be asked by one at a time.
func (p *Pipeline) Keeper(ctx context.Context) (context.Context, context.CancelFunc, bool) {
	s, err := p.living(ctx)
	if err != nil {
		return nil, nil, false
	}
	if s == nil {
		return ctx, func() {}, true
	}
	p.mu.Lock()
	lease := p.replica.keeper
	p.mu.Unlock()
	if lease == nil {
		var ok bool
		if lease, ok, err = s.TryLease(database.KeeperLease, 0); err != nil || !ok {
			if err != nil {
				p.log.WarnContext(ctx, "cannot ask to be the keeper", "error", err)
			}
			return nil, nil, false
		}
		p.mu.Lock()
		if p.replica.session == s {
			p.replica.keeper = lease
		}
		p.mu.Unlock()
	}
	ctx, cancel := s.Guard(ctx, lease)
	return ctx, cancel, true
}

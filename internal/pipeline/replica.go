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

// beatEvery is how often a replica shows that it lives, and looks for what others left or ask of it.
const beatEvery = time.Second

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
	dead, err := p.replica.session.Beat()
	if err != nil {
		return err
	}
	p.bury(ctx, dead)
	alive, die := context.WithCancel(context.Background())
	p.die = die
	left := make(chan []int64, 1)
	p.life.Go(func() { p.pulse(alive, left) })
	p.life.Go(func() { p.mind(alive, left) })
	return nil
}

// open begins a session.
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

// pulse beats until ctx ends, and tells mind of replicas that are gone. It waits for nothing but its own connection, so that
// this replica does not pass for hung when all others are taken. A session that broke is followed by another.
func (p *Pipeline) pulse(ctx context.Context, dead chan<- []int64) {
	tick := time.NewTicker(beatEvery)
	defer tick.Stop()
	for {
		s := p.replica.session // changed by nobody but this loop
		select {
		case <-ctx.Done():
			return
		case <-s.Lost():
			p.lose(s)
			p.reopen(ctx, tick.C)
			continue
		case <-tick.C:
		}
		gone, err := s.Beat()
		switch {
		case err == nil && len(gone) > 0:
			select {
			case dead <- gone:
			default: // it is at it; the next beat tells again
			}
		case err != nil && !errors.Is(err, database.ErrLost):
			p.log.WarnContext(ctx, "cannot look for other replicas", "error", err)
		}
	}
}

// mind does what other replicas ask for, and takes up what they leave, until ctx ends.
func (p *Pipeline) mind(ctx context.Context, dead <-chan []int64) {
	tick := time.NewTicker(beatEvery)
	defer tick.Stop()
	marks := map[int64]int64{}
	for n := 0; ; n++ {
		select {
		case <-ctx.Done():
			return
		case gone := <-dead:
			p.bury(ctx, gone)
		case <-tick.C:
		}
		p.heed(ctx)
		if !p.takes() {
			continue
		}
		if err := p.takeRuns(ctx); err != nil && ctx.Err() == nil {
			p.log.WarnContext(ctx, "cannot look for queued syncs", "error", err)
		}
		if n%2 == 0 {
			marks = p.takeMarks(ctx, marks)
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

// bury takes over from replicas that are gone.
func (p *Pipeline) bury(ctx context.Context, dead []int64) {
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

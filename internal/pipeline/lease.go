package pipeline

import (
	"context"
	"errors"
	"time"

	"stockbridge/internal/database"
)

// A lease that somebody else holds is asked for again after a while that grows from leaseSoon to leaseLater.
const leaseSoon, leaseLater = 10 * time.Millisecond, 250 * time.Millisecond

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

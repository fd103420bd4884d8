package server

import (
	"context"
	"slices"
	"sync"
	"time"

	"stockbridge/internal/access"
	"stockbridge/internal/fault"
)

// session is a socket or stream that goes on after its bearer signed in.
type session struct {
	grant access.Grant
	beat  func()    // gives a sign of life; nil for one that does so itself
	end   func()    // the bearer may no longer; called once, and does not wait
	due   time.Time // of the next beat; the sweeper's own
	ended bool      // guarded by sessions.mu
}

// sessions are those of one server. While there are any, one goroutine looks after all of them: it gives signs of life, and
// asks whether what the bearers signed in with still stands, all at once.
type sessions struct {
	*Server
	work sync.WaitGroup

	mu       sync.Mutex // guards the rest
	all      map[*session]struct{}
	open     map[int64]int // how many, by token
	sweeping bool
	empty    chan struct{} // the last has left, or somebody came meanwhile
}

// begin looks after a session until leave. It is false when the token has as many as it may.
func (l *sessions) begin(s *session) (leave func(), ok bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	token := s.grant.Viewer.TokenID
	if l.open[token] >= l.MaxSockets {
		return nil, false
	}
	l.open[token]++
	s.due = time.Now().Add(l.pace.beat)
	l.all[s] = struct{}{}
	if !l.sweeping {
		l.sweeping = true
		l.work.Go(l.sweep)
	}
	return func() {
		l.mu.Lock()
		defer l.mu.Unlock()
		delete(l.all, s)
		if l.open[token]--; l.open[token] == 0 {
			delete(l.open, token)
		}
		if len(l.all) == 0 {
			select {
			case l.empty <- struct{}{}:
			default:
			}
		}
	}, true
}

// sweep goes on while there are sessions.
func (l *sessions) sweep() {
	beats := time.NewTicker(max(l.pace.beat/8, time.Millisecond))
	defer beats.Stop()
	checks := time.NewTicker(max(l.pace.recheck, time.Millisecond))
	defer checks.Stop()
	for {
		select {
		case now := <-beats.C:
			for _, s := range l.list() {
				if s.beat != nil && !now.Before(s.due) {
					s.due = now.Add(l.pace.beat)
					s.beat()
				}
			}
		case <-checks.C:
			l.check()
		case <-l.empty:
			l.mu.Lock()
			if len(l.all) == 0 {
				l.sweeping = false
				l.mu.Unlock()
				return
			}
			l.mu.Unlock()
		}
	}
}

func (l *sessions) list() []*session {
	l.mu.Lock()
	defer l.mu.Unlock()
	list := make([]*session, 0, len(l.all))
	for s := range l.all {
		list = append(list, s)
	}
	return list
}

// check ends the sessions whose bearers may no longer ask, or no longer for all that they could when they signed in. A
// database that is away for a moment changes nothing.
func (l *sessions) check() {
	list := l.list()
	bySecret := make(map[string][]*session, len(list))
	var grants []access.Grant
	for _, s := range list {
		if len(bySecret[s.grant.Secret]) == 0 {
			grants = append(grants, s.grant)
		}
		bySecret[s.grant.Secret] = append(bySecret[s.grant.Secret], s)
	}
	if len(grants) == 0 {
		return
	}
	ctx, cancel := context.WithTimeout(l.Server.sockets, max(l.pace.recheck, time.Second))
	defer cancel()
	now, err := l.Recheck(ctx, grants)
	if err != nil {
		if l.Server.sockets.Err() == nil {
			l.Log.Warn("whether tokens still stand could not be looked up; it is tried again", "err", err)
		}
		return
	}
	for i, grant := range grants {
		for _, s := range bySecret[grant.Secret] {
			if now[i] != nil && covers(now[i], s.grant.Viewer) {
				continue
			}
			l.mu.Lock()
			first := !s.ended
			s.ended = true
			l.mu.Unlock()
			if first {
				s.end()
			}
		}
	}
}

// covers tells whether a viewer may see all that it could before. Who may see more goes on with what it asked for.
func covers(now, before *access.Viewer) bool {
	if now.Role != before.Role {
		return false
	}
	return now.Role == access.Admin || !slices.ContainsFunc(before.MerchantIDs, func(id int64) bool { return !now.Sees(id) })
}

// askEach is Config.Recheck for those who can only tell of one secret at a time.
func askEach(authenticate func(context.Context, string) (*access.Viewer, error)) func(context.Context, []access.Grant) ([]*access.Viewer, error) {
	return func(ctx context.Context, grants []access.Grant) ([]*access.Viewer, error) {
		out := make([]*access.Viewer, len(grants))
		for i, g := range grants {
			v, err := authenticate(ctx, g.Secret)
			if err != nil && fault.CodeOf(err) != fault.Unauthenticated {
				return nil, err
			}
			if err == nil {
				out[i] = v
			}
		}
		return out, nil
	}
}

package server

import (
	"context"
	"sync"
	"time"

	"stockbridge/internal/access"
	"stockbridge/internal/fault"
)

// holder is a socket or stream that goes on only as long as a token stands.
type holder interface {
	// forbid ends it, and says why. It does not wait.
	forbid(why string)
}

// watched is a connection that gives signs of life.
type watched interface{ beat(now time.Time) }

// rights looks after all that outlives its request: whether the tokens still stand, and whether the clients are there.
// One goroutine does so for all, as long as there is any.
type rights struct {
	server *Server
	work   sync.WaitGroup

	mu       sync.Mutex // guards the rest
	sweeping bool
	bySecret map[string]*right
	beats    map[watched]struct{}
}

// right is what a token gave when it was shown first.
type right struct {
	viewer  *access.Viewer
	holders map[holder]string // the value is the secret
}

// hold ties a connection to its token. The error is a fault TOO_MANY.
func (r *rights) hold(secret string, viewer *access.Viewer, h holder) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	known := r.bySecret[secret]
	if known == nil {
		known = &right{viewer: viewer, holders: map[holder]string{}}
		r.bySecret[secret] = known
	}
	if most := r.server.MaxConnections; len(known.holders) >= most {
		return fault.New(fault.TooMany, "%d sockets and streams are open with this token: close some, or carry more subscriptions on one socket", most)
	}
	// Who comes later may have been let in with less; the least decides.
	if lost(known.viewer, viewer) != "" {
		known.viewer = viewer
	}
	known.holders[h] = secret
	r.sweep()
	return nil
}

// watch gives signs of life from now on.
func (r *rights) watch(w watched) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.beats[w] = struct{}{}
	r.sweep()
}

// release forgets a connection.
func (r *rights) release(c *socket) {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.beats, c)
	r.drop(c.secret, c)
}

func (r *rights) drop(secret string, h holder) {
	if known := r.bySecret[secret]; known != nil {
		if delete(known.holders, h); len(known.holders) == 0 {
			delete(r.bySecret, secret)
		}
	}
}

// sweep sees to it that somebody looks. r.mu is held.
func (r *rights) sweep() {
	if !r.sweeping {
		r.sweeping = true
		r.work.Go(r.run)
	}
}

func (r *rights) run() {
	tick := time.NewTicker(r.server.pace.recheck)
	defer tick.Stop()
	for {
		select {
		case now := <-tick.C:
			if !r.look(now) {
				return
			}
		case <-r.server.sockets.Done():
			return
		case <-r.server.calm:
			return
		}
	}
}

// look gives signs of life, and ends what a token no longer gives a right to. It answers false when there is nobody left.
func (r *rights) look(now time.Time) bool {
	r.mu.Lock()
	if len(r.bySecret) == 0 && len(r.beats) == 0 {
		r.sweeping = false
		r.mu.Unlock()
		return false
	}
	secrets := make([]string, 0, len(r.bySecret))
	for secret := range r.bySecret {
		secrets = append(secrets, secret)
	}
	beats := make([]watched, 0, len(r.beats))
	for w := range r.beats {
		beats = append(beats, w)
	}
	r.mu.Unlock()
	for _, w := range beats {
		w.beat(now)
	}
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	standing, err := r.server.Standing(ctx, secrets)
	if err != nil {
		r.server.Log.WarnContext(ctx, "whether tokens still stand cannot be looked up; what they began goes on", "error", err)
		return true
	}
	r.mu.Lock()
	var out []holder
	var why []string
	for _, secret := range secrets {
		known := r.bySecret[secret]
		if known == nil {
			continue
		}
		reason := "the token was revoked, or has expired"
		if v := standing[secret]; v != nil {
			reason = lost(known.viewer, v)
		}
		if reason == "" {
			continue
		}
		for h := range known.holders {
			out, why = append(out, h), append(why, reason)
		}
		delete(r.bySecret, secret)
	}
	r.mu.Unlock()
	for i, h := range out {
		h.forbid(why[i])
	}
	return true
}

// lost says what a viewer may no longer do that it could, "" for nothing.
func lost(before, now *access.Viewer) string {
	if before.Role != now.Role {
		return "the token's role was changed"
	}
	if now.Role == access.Admin {
		return ""
	}
	for _, id := range before.MerchantIDs {
		if !now.Sees(id) {
			return "a merchant was taken from the token"
		}
	}
	return ""
}

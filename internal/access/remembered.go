package access

import (
	"sync"
	"time"
)

// Looking a token up takes two statements of the five that a list takes. What another process does to a token, this one
// notices within rememberedFor; what it does itself, at once.
const (
	rememberedFor = time.Second
	maxRemembered = 10_000
)

// remembered are the viewers of tokens that were looked up a moment ago, by the hash of the secret. When full it forgets
// them all, which costs one look each. The zero value is ready, and safe for concurrent use.
type remembered struct {
	mu     sync.RWMutex
	byHash map[[32]byte]seen
}

// seen is a viewer as the database had it. Nobody changes one.
type seen struct {
	viewer  *Viewer
	at      time.Time
	version uint64 // of the tokens
}

// find is nil where the token has to be looked up.
func (r *remembered) find(hash [32]byte, now time.Time, version uint64) *Viewer {
	r.mu.RLock()
	s, ok := r.byHash[hash]
	r.mu.RUnlock()
	if age := now.Sub(s.at); !ok || age < 0 || age >= rememberedFor || s.version != version || s.viewer.Expired(now) {
		return nil
	}
	return s.viewer
}

func (r *remembered) keep(hash [32]byte, s seen) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.byHash == nil || len(r.byHash) >= maxRemembered {
		r.byHash = make(map[[32]byte]seen)
	}
	r.byHash[hash] = s
}

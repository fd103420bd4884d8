package outbound

import (
	"sync"
	"time"
)

// What retries of one peer may come to in sum, so that a peer that fails does not get many times its traffic: a fifth of
// the requests, and a few.
const (
	retryShare = 0.2              // what each request adds
	retriesMax = 10               // what can be saved up
	retryEvery = 30 * time.Second // one more for each such time, for peers that are asked rarely
)

// retries is what is left of a budget of retries. It is safe for concurrent use.
type retries struct {
	clock Clock

	mu   sync.Mutex // guards what follows
	left float64
	at   time.Time // when left was last added to for the time
}

func newRetries(clock Clock) *retries {
	return &retries{clock: clock, left: retriesMax, at: clock.Time()}
}

// earn counts a request.
func (r *retries) earn() {
	now := r.clock.Time()
	r.mu.Lock()
	defer r.mu.Unlock()
	r.left = min(r.left+retryShare+max(0, now.Sub(r.at).Seconds())/retryEvery.Seconds(), retriesMax)
	r.at = now
}

// spend answers whether one more retry is in the budget, and takes it out.
func (r *retries) spend() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.left < 1 {
		return false
	}
	r.left--
	return true
}

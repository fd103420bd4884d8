package shiphero

import (
	"strconv"
	"strings"
	"sync"
	"time"

	"stockbridge/internal/outbound"
)

// Credits as ShipHero gives them out: a full purse, and so many more a second. They are the account's, so that other programs of
// the merchant spend them too.
const (
	fullPurse = 4004
	perSecond = 60
)

// budget keeps count of the credits that are left, and holds the peer back until the next page can be paid: a request that
// cannot is refused, and asking again is not free of charge for others.
type budget struct {
	peer *outbound.Peer

	mu   sync.Mutex // guards what follows
	left float64
	at   time.Time // when left was known; zero: never
	paid bool      // whether left was told by the reply whose cost comes next, so that it is taken off already
}

func newBudget(peer *outbound.Peer) *budget { return &budget{peer: peer, left: fullPurse} }

// now is what is left by now. Call it with mu held.
func (b *budget) now() float64 {
	now := b.peer.Clock().Time()
	if !b.at.IsZero() {
		b.left = min(fullPurse, b.left+now.Sub(b.at).Seconds()*perSecond)
	}
	b.at = now
	return b.left
}

// told notes what ShipHero says is left; nil for nothing said.
func (b *budget) told(left *float64) {
	if left == nil {
		return
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.left, b.at, b.paid = *left, b.peer.Clock().Time(), true
}

// spent notes what a page cost, and holds the peer back until another like it can be paid.
func (b *budget) spent(cost float64) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.left = b.now()
	if !b.paid {
		b.left -= cost
	}
	b.paid = false
	if lack := min(cost, fullPurse) - b.left; lack > 0 {
		b.peer.Pace().Hold(inSeconds(lack))
	}
}

// lacking is how long to wait after a refusal: as told, else as the credits that lack take.
func (b *budget) lacking(f failure) time.Duration {
	b.mu.Lock()
	defer b.mu.Unlock()
	required, err := f.Required.Float64()
	remaining, err2 := f.Remaining.Float64()
	known := err == nil && err2 == nil
	if known {
		b.left, b.at = remaining, b.peer.Clock().Time()
	}
	digits := strings.TrimRight(strings.TrimSpace(f.Time.S), "abcdefghijklmnopqrstuvwxyz. ")
	if seconds, err := strconv.ParseFloat(digits, 64); err == nil && seconds >= 0 && seconds < 86_400 {
		return max(time.Duration(seconds*float64(time.Second)), time.Second)
	}
	if known {
		return inSeconds(required - remaining)
	}
	return inSeconds(fullPurse / 2)
}

// inSeconds is how long so many credits take to come, in whole seconds, one at least.
func inSeconds(credits float64) time.Duration {
	return max(time.Second, time.Duration(credits/perSecond+0.999)*time.Second)
}

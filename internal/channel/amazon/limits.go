package amazon

import (
	"context"
	"net/http"
	"strconv"
	"sync"
	"time"

	"golang.org/x/time/rate"

	"stockbridge/internal/outbound"
)

// feedWindow is the time in which Amazon takes feedsPerWindow listings feeds of an application for a seller, and a little, since
// what counts is when they arrive.
const (
	feedWindow     = 5*time.Minute + time.Second
	feedsPerWindow = 5
)

// limits are Amazon's documented rates, each per application and seller ("Feeds API Rate Limits", "Listings Items API Rate Limits").
type limits struct {
	createDocument, createFeed, getFeed, getDocument, patch, search *limit
}

func newLimits(clock outbound.Clock) *limits {
	every := func(perSecond float64, burst int) *limit {
		return &limit{clock: clock, lanes: []*rate.Limiter{rate.NewLimiter(rate.Limit(perSecond), burst)}}
	}
	feed := &limit{clock: clock}
	for range feedsPerWindow {
		feed.lanes = append(feed.lanes, rate.NewLimiter(rate.Every(feedWindow), 1))
	}
	return &limits{
		createDocument: every(0.5, 15), createFeed: feed, getFeed: every(2, 15), getDocument: every(0.0222, 10),
		patch: every(5, 10), search: every(5, 5),
	}
}

// limit holds the requests of one operation back, those of every goroutine. Requests take the lanes in turn: a bucket of n would let
// through nearly 2n in a window that begins with it full, where n lanes of one request per window let through n in every window.
type limit struct {
	clock outbound.Clock

	mu    sync.Mutex // guards what follows
	lanes []*rate.Limiter
	next  int
}

// wait returns when the next request may go, or with the context's error.
func (l *limit) wait(ctx context.Context) error {
	now := l.clock.Time()
	l.mu.Lock()
	turn := l.lanes[l.next].ReserveN(now, 1)
	l.next = (l.next + 1) % len(l.lanes)
	l.mu.Unlock()
	err := l.clock.Pause(ctx, turn.DelayFrom(now))
	if err != nil {
		turn.CancelAt(l.clock.Time())
	}
	return err
}

// learn takes the rate that a reply tells, which grows and shrinks with the seller's business.
func (l *limit) learn(header http.Header) {
	told, err := strconv.ParseFloat(header.Get("X-Amzn-Ratelimit-Limit"), 64)
	if err != nil || !(told > 0) { // Amazon does not tell it always
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.lanes[0].SetLimitAt(l.clock.Time(), rate.Limit(min(max(told, 0.1), 100)))
}

package graph

import (
	"context"
	"sync"

	"stockbridge/internal/activity"
	"stockbridge/internal/fault"
)

// Sharing says how subscriptions of a field that ask the same can be one execution.
type Sharing int

// How subscriptions can be shared.
const (
	Alone  Sharing = iota // they cannot
	Facts                 // every response has a position in the feed, and begins after one
	States                // every response holds all there is to know: who joins needs only the last one
)

// SharingOf says how subscriptions of a field can be shared.
func SharingOf(field string) Sharing {
	switch field {
	case "activity", "warehouseLevelChanged", "channelLevelChanged":
		return Facts
	case "syncRun", "catalogImport":
		return States
	}
	return Alone
}

// Cursor is a position in the feed as clients know it: the argument after of activity.
func Cursor(position int64) string { return activityCursor(position) }

// Stream is what the execution of a subscription and the transport that runs it tell each other beside the responses. Each
// execution has its own.
type Stream struct {
	// After is the cursor to begin after, whatever the arguments say; "" leaves it to them.
	After string
	// Begin is the position to begin after, whatever the arguments and After say; FromArguments leaves it to these.
	Begin int64
	// Stored ends the execution as soon as all is told that was stored by then. Reached is where it ended.
	Stored bool

	mu      sync.Mutex
	under   []int64 // positions of responses that are under way, oldest first
	reached int64
}

// FromArguments is the Begin of a stream that begins where its arguments say.
const FromArguments int64 = -1

type streamKey struct{}

// WithStream makes the subscription that is executed with the context tell of its positions.
func WithStream(ctx context.Context, s *Stream) context.Context {
	return context.WithValue(ctx, streamKey{}, s)
}

// StreamOf is what the transport gave with the context, never nil.
func StreamOf(ctx context.Context) *Stream {
	if s, ok := ctx.Value(streamKey{}).(*Stream); ok {
		return s
	}
	return &Stream{Begin: FromArguments}
}

// Position is where in the feed the oldest response stands that it was not asked for yet: ask once for every response. 0 where
// the subscription has no positions, or the response is an error.
func (s *Stream) Position() int64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.under) == 0 {
		return 0
	}
	first := s.under[0]
	s.under = s.under[1:]
	return first
}

// Reached is where an execution with Stored ended: everything up to there was told. 0 while it goes on, or when it failed.
func (s *Stream) Reached() int64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.reached
}

// Sends says, just before a response comes into being, where in the feed it stands.
func (s *Stream) Sends(position int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.under = append(s.under, position)
}

// Reach says where an execution with Stored ends.
func (s *Stream) Reach(position int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.reached = position
}

// begin is where a subscription begins: where the transport says, or after the cursor of the argument, or now. Faults:
// INVALID_CURSOR and CURSOR_EXPIRED of "after".
func (s subscription) begin(ctx context.Context, stream *Stream, merchantID int64, after *string) (int64, error) {
	if stream.Begin != FromArguments {
		return stream.Begin, nil
	}
	if stream.After != "" {
		after = &stream.After
	}
	if after == nil {
		return s.Feed.Newest(ctx)
	}
	position, err := readActivityCursor(*after)
	if err == nil {
		err = s.Feed.Kept(ctx, merchantID, position)
	}
	return position, err
}

// follow hands out activities, a look at the feed at a time, until ctx ends, the stream has all that was stored, or hand
// answers false. What cannot be read is read again later, from where it was left: the stream has no gap, and does not end as
// if nothing more could come. Only where what comes next was deleted before it was read it ends; whoever asks to go on is
// told why.
func (s subscription) follow(ctx context.Context, stream *Stream, position int64, filter activity.Filter, hand func([]fact) bool) {
	tail := s.Feed.Tail(position, filter)
	defer tail.Close()
	next := tail.Next
	if stream.Stored {
		next = tail.Stored
	}
	for {
		rows, err := next(ctx)
		switch {
		case err == nil && len(rows) == 0:
			stream.Reach(tail.Position())
			return
		case err == nil:
			if !hand(rows) {
				return
			}
		case fault.CodeOf(err) == fault.CursorExpired || !s.unread(ctx, err):
			return
		}
	}
}

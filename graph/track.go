package graph

import (
	"context"
	"sync"

	"github.com/99designs/gqlgen/graphql"
)

// Sharing says how clients that ask for the same subscription may share one execution of it.
type Sharing int

const (
	// Stream is for messages that have positions: who missed some asks for those after the last it has (Track.From).
	Stream Sharing = iota
	// State is for messages of which each tells all: who missed some is well with the last.
	State
)

// Sharing says it of a field of Subscription.
func (g guarded) Sharing(field string) Sharing {
	switch field {
	case "activity", "warehouseLevelChanged", "channelLevelChanged":
		return Stream
	case "syncRun", "catalogImport":
		return State
	}
	panic("how clients share the subscription " + field + " is not said")
}

// Newest is where who follows from now on begins.
func (g guarded) Newest(ctx context.Context) (int64, error) { return g.feed.Newest(ctx) }

// Track is where one execution of a subscription begins, and how far it is. Whoever wants to know puts it into the context
// of the execution (WithTrack); the first three are set before.
type Track struct {
	From  *int64 // the position to begin after; nil leaves that to After
	After string // a cursor that counts instead of the argument of that name; "" leaves it to the argument
	Once  bool   // end where all was told that was stored

	resumable bool                    // the argument after takes the positions
	answer    graphql.ResponseHandler // what answers instead of the resolvers below the field; nil for those

	mu    sync.Mutex // guards the rest
	begun bool
	done  bool
	at    int64
	sent  []int64 // positions of what was sent and not yet answered, in order
}

type trackKey struct{}

// WithTrack returns a context whose subscription is tracked.
func WithTrack(ctx context.Context, t *Track) context.Context {
	return context.WithValue(ctx, trackKey{}, t)
}

func trackOf(ctx context.Context) *Track {
	if t, ok := ctx.Value(trackKey{}).(*Track); ok {
		return t
	}
	return &Track{}
}

// At is the position of the last response; before the first, where the subscription began, and after the end of one that is
// Done, up to where all was told. It means nothing unless Begun.
func (t *Track) At() int64 {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.at
}

// Begun tells whether the subscription began, and its messages have positions.
func (t *Track) Begun() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.begun
}

// Done tells whether a track with Once came to its end.
func (t *Track) Done() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.done
}

// Cursor is At for the argument after, "" where the subscription has none or has not begun.
func (t *Track) Cursor() string { return t.CursorAt(t.At()) }

// CursorAt is what Cursor is at a position.
func (t *Track) CursorAt(at int64) string {
	t.mu.Lock()
	defer t.mu.Unlock()
	if !t.begun || !t.resumable {
		return ""
	}
	return activityCursor(at)
}

func (t *Track) begin(at int64) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.begun, t.at = true, at
}

// push notes the position of what is sent next.
func (t *Track) push(at int64) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.sent = append(t.sent, at)
}

// step moves on to what was answered.
func (t *Track) step() {
	t.mu.Lock()
	defer t.mu.Unlock()
	if len(t.sent) > 0 {
		t.at, t.sent = t.sent[0], t.sent[1:]
	}
}

// end notes up to where all was told. Everything that was sent has been answered, or nobody asks any more.
func (t *Track) end(at int64) {
	t.push(at)
	t.mu.Lock()
	defer t.mu.Unlock()
	t.done = true
}

// follow executes a subscription, and puts the cursor to go on from into the extensions of each response.
func (g guarded) follow(ctx context.Context) graphql.ResponseHandler {
	t := trackOf(ctx)
	answer := g.ExecutableSchema.Exec(withPrefetch(WithTrack(ctx, t)))
	return func(ctx context.Context) (resp *graphql.Response) {
		if ctx = WithTrack(ctx, t); t.answer != nil {
			resp = t.answer(ctx)
		} else {
			resp = answer(withPrefetch(ctx))
		}
		t.step() // also past the last: to where all was told
		if cursor := t.Cursor(); resp != nil && cursor != "" {
			graphql.RegisterExtension(ctx, "cursor", cursor)
		}
		return resp
	}
}

package amazon

import (
	"context"
	"slices"
	"sync"

	"stockbridge/internal/fault"
)

// maxUnfinished is how many feeds are remembered; the oldest is forgotten first.
const maxUnfinished = 16

// unfinished are feeds that were handed over and whose end nobody has waited for. Amazon keeps no order between a feed and what comes
// after it, so that one that is still in its queue could undo what is set meanwhile. It is safe for concurrent use.
type unfinished struct {
	mu  sync.Mutex // guards what follows
	ids []string
}

func (u *unfinished) add(id string) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if !slices.Contains(u.ids, id) {
		u.ids = append(u.ids, id)
	}
	u.ids = u.ids[max(0, len(u.ids)-maxUnfinished):]
}

func (u *unfinished) drop(id string) {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.ids = slices.DeleteFunc(u.ids, func(other string) bool { return other == id })
}

func (u *unfinished) all() []string {
	u.mu.Lock()
	defer u.mu.Unlock()
	return slices.Clone(u.ids)
}

// outlast waits for the feeds that earlier pushes left behind, each until our patience ends once more: after that nothing is to be
// expected of it. When Amazon gives no answer, the push that follows tells.
func (s *Store) outlast(ctx context.Context) {
	for _, id := range s.unfinished.all() {
		if _, _, err := s.await(ctx, id, 0); err == nil || fault.CodeOf(err) == fault.Refused {
			s.unfinished.drop(id)
		}
	}
}

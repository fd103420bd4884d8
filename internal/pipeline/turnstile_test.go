package pipeline_test

import (
	"encoding/json"
	"net/http"
	"sync"
	"sync/atomic"

	"stockbridge/internal/globalid"
)

// turnstile notes when two runs push to one shop at a time. What a process that was killed had on its way counts for
// nothing: its connection is gone.
type turnstile struct {
	mu       sync.Mutex
	inside   map[*visit]bool
	overlaps atomic.Int64
}

type visit struct {
	run  string
	gone <-chan struct{} // the one who pushes
	out  chan struct{}
}

func (s *turnstile) enter(run string, gone <-chan struct{}) (leave func()) {
	v := &visit{run, gone, make(chan struct{})}
	s.mu.Lock()
	if s.inside == nil {
		s.inside = map[*visit]bool{}
	}
	var others []*visit
	for o := range s.inside {
		if o.run != run {
			others = append(others, o)
		}
	}
	s.inside[v] = true
	s.mu.Unlock()
	for _, o := range others {
		select {
		case <-o.gone:
		case <-o.out:
			select {
			case <-o.gone:
			default:
				s.overlaps.Add(1)
			}
		}
	}
	return func() {
		s.mu.Lock()
		delete(s.inside, v)
		s.mu.Unlock()
		close(v.out)
	}
}

// watch lets a shop take one batch after the other, and notes overlaps.
func (s *turnstile) watch(shop *shop, before func(run int64)) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var body struct {
			Run    string
			Levels []told
		}
		if err := json.NewDecoder(r.Body).Decode(&body); err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		before(must(globalid.Of("SyncRun", body.Run)))
		leave := s.enter(body.Run, r.Context().Done())
		defer leave()
		if r.Context().Err() == nil {
			shop.take(body.Levels)
		}
	})
}

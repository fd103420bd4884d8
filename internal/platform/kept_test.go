package platform

import (
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"stockbridge/internal/channel"
)

// What a store was connected with stays as long as its settings do, and goes when nobody uses it any more.
func TestStoresStayConnected(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		shelf := newShelf[channel.Sink]()
		var made []*script
		connect := func() (channel.Sink, error) {
			made = append(made, &script{})
			return made[len(made)-1], nil
		}
		use := func(id, version int64) *handle {
			k, err := shelf.take(id, version, connect)
			if err != nil {
				t.Fatal(err)
			}
			return &handle{Sink: k.what, shelf: shelf, kept: k}
		}
		closed := func(want ...int) {
			t.Helper()
			for i, w := range want {
				if made[i].closed != w {
					t.Errorf("sink %d was closed %d times, want %d", i, made[i].closed, w)
				}
			}
			if len(made) != len(want) {
				t.Errorf("%d sinks were made, want %d", len(made), len(want))
			}
		}
		end := func(h *handle) {
			t.Helper()
			if err := errors.Join(h.Close(), h.Close()); err != nil { // twice is once
				t.Error(err)
			}
		}
		end(use(1, 1))
		end(use(1, 1))
		closed(0)
		old := use(1, 1)
		end(use(1, 2)) // changed settings: the old sink goes when its user is done
		closed(0, 0)
		end(old)
		closed(1, 0)
		time.Sleep(idleKept + time.Second)
		end(use(2, 1)) // what was not used for long goes
		closed(1, 1, 0)
		if _, err := shelf.take(2, 2, func() (channel.Sink, error) { return nil, down }); !errors.Is(err, down) {
			t.Errorf("%v", err)
		}
		end(use(2, 1)) // settings that cannot be connected with take nothing away
		closed(1, 1, 0)
		last := use(2, 1)
		if err := shelf.close(); err != nil {
			t.Error(err)
		}
		closed(1, 1, 0)
		end(last)
		closed(1, 1, 1)
		for id := range int64(maxKept + 1) {
			end(use(id, 1))
		}
		if made[3].closed != 1 || made[4].closed != 0 {
			t.Error("the store that was not used for longest stays, or another goes")
		}
	})
}

package server

import (
	"context"
	"fmt"
	"io"
	"testing"

	"github.com/99designs/gqlgen/graphql"
)

// stateful is a toy whose subscriptions tell a state, the same to all who share it.
type stateful struct {
	toy
	begun  chan struct{}
	states chan int
}

func (s stateful) Exec(context.Context) graphql.ResponseHandler {
	s.begun <- struct{}{}
	return func(ctx context.Context) *graphql.Response {
		select {
		case n, more := <-s.states:
			if more {
				return &graphql.Response{Data: fmt.Appendf(nil, `{"ticks":%d}`, n)}
			}
		case <-ctx.Done():
		}
		return nil
	}
}

// Who comes late to a run is told first how it stands, and its end reaches all.
func TestLateComerIsToldTheState(t *testing.T) {
	t.Parallel()
	s := stateful{newToy(), make(chan struct{}, 9), make(chan int)}
	r := start(t, func(c *Config) { c.Schema = s })
	const query = "subscription { ticks(n: 1) }"
	state := func(n int) string {
		return fmt.Sprintf(`{"id":"1","type":"next","payload":{"data":{"ticks":%d}}}`, n)
	}
	one := r.ready(t)
	one.send(subscribe("1", query))
	<-s.begun
	s.states <- 1
	s.states <- 2
	one.expect(state(1))
	one.expect(state(2))
	two := r.ready(t)
	two.send(subscribe("1", query))
	two.expect(state(2))
	stream := r.listen(t, query)
	for _, want := range []string{":\n\n", "event: next\ndata: {\"data\":{\"ticks\":2}}\n\n"} {
		got := make([]byte, len(want))
		if _, err := io.ReadFull(stream, got); err != nil || string(got) != want {
			t.Fatalf("%q %v, want %q", got, err, want)
		}
	}
	s.states <- 3
	one.expect(state(3))
	two.expect(state(3))
	close(s.states)
	one.expect(`{"id":"1","type":"complete"}`)
	two.expect(`{"id":"1","type":"complete"}`)
	if len(s.begun) != 0 {
		t.Error("it was executed more than once")
	}
}

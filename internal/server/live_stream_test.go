package server

import (
	"bufio"
	"context"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"

	"stockbridge/ent/schema/enum"
)

// eventsRead is a stream as a client reads it.
type eventsRead struct {
	t testing.TB
	*bufio.Reader
}

func (l *live) stream(t *testing.T, secret, body, last string) *eventsRead {
	t.Helper()
	req := must(http.NewRequestWithContext(t.Context(), "POST", l.url+"/graphql", strings.NewReader(body)))
	req.Header = http.Header{"Authorization": {"Bearer " + secret}, "Content-Type": {"application/json"}, "Accept": {"text/event-stream"}}
	if last != "" {
		req.Header.Set(lastEventID, last)
	}
	resp := must(http.DefaultClient.Do(req)) //nolint:bodyclose // in the cleanup
	t.Cleanup(func() { _ = resp.Body.Close() })
	if resp.StatusCode != 200 {
		t.Fatal(resp.Status)
	}
	return &eventsRead{t, bufio.NewReader(resp.Body)}
}

// until reads to the end of an event.
func (e *eventsRead) until(end string) string {
	e.t.Helper()
	var b strings.Builder
	for !strings.HasSuffix(b.String(), end) {
		c, err := e.ReadByte()
		if err != nil {
			e.t.Fatalf("%q: %v", b.String(), err)
		}
		b.WriteByte(c)
	}
	return b.String()
}

func (e *eventsRead) rest() string {
	e.t.Helper()
	text, err := io.ReadAll(e)
	if err != nil {
		e.t.Fatal(err)
	}
	return string(text)
}

// spec 5.1, 5.4: events have ids, and Last-Event-ID goes on after one, whatever the argument says.
func TestLastEventIDResumes(t *testing.T) {
	eachLive(t, func(t *testing.T, l *live) {
		secret, _ := l.token(enum.Partner, "alpha")
		body := quotedVars(`subscription ($m: ID!, $after: String) { activity(merchantId: $m, after: $after) { sku } }`, map[string]any{"m": l.merchant("alpha")})
		stream := l.stream(t, secret, body, "")
		begin := strings.TrimPrefix(strings.TrimSpace(stream.until("\n\n")), "id: ")
		l.report("alpha", "A", "B")
		a, b := stream.until("\n\n"), stream.until("\n\n")
		if !strings.HasPrefix(a, "id: ") || !strings.Contains(a, `{"activity":{"sku":"A"}}`) || !strings.Contains(b, `{"activity":{"sku":"B"}}`) {
			t.Errorf("%q %q", a, b)
		}
		again := l.stream(t, secret, body, begin)
		again.until("\n\n")
		if got := again.until("\n\n") + again.until("\n\n"); got != a+b {
			t.Errorf("from the beginning: %q, want %q", got, a+b)
		}
		id, _, _ := strings.Cut(strings.TrimPrefix(a, "id: "), "\n")
		again = l.stream(t, secret, body, id)
		again.until("\n\n")
		if got := again.until("\n\n"); got != b {
			t.Errorf("after A: %q, want %q", got, b)
		}
		bad := l.stream(t, secret, body, "nonsense")
		if got := bad.rest(); !strings.Contains(got, "INVALID_CURSOR") || !strings.HasSuffix(got, string(complete)) {
			t.Errorf("after nonsense: %q", got)
		}
	})
}

// Who begins now is told of nothing that was committed before, though the feed has yet to hand it out to those who ask the same.
func TestFromNowOnIsAfterWhatIsCommitted(t *testing.T) {
	eachLive(t, func(t *testing.T, l *live) {
		secret, _ := l.token(enum.Partner, "alpha")
		variables := map[string]any{"m": l.merchant("alpha")}
		first := l.signedIn(t, secret)
		first.send(subscribeWith("1", follow, variables))
		l.begun(1, 1)
		l.unfeed()
		l.report("alpha", "A")
		second := l.signedIn(t, secret)
		second.send(subscribeWith("1", follow, variables))
		l.begun(1, 2)
		stream := l.stream(t, secret, quotedVars(follow, variables), "")
		begin := strings.TrimSpace(strings.TrimPrefix(stream.until("\n\n"), "id: "))
		ctx, cancel := context.WithCancel(context.Background())
		var fed sync.WaitGroup
		fed.Go(func() { l.feed.Run(ctx) })
		t.Cleanup(func() { cancel(); fed.Wait() })
		if m := first.next(); m.Payload.Data["activity"]["sku"] != "A" || m.Payload.Extensions.Cursor != begin {
			t.Errorf("the first got %+v, and the stream begins after %s", m, begin)
		}
		l.report("alpha", "B")
		for _, c := range []*client{first, second} {
			if m := c.next(); m.Payload.Data["activity"]["sku"] != "B" {
				t.Errorf("after the commit of A: %+v", m)
			}
		}
		if got := stream.until("\n\n"); !strings.Contains(got, `"sku":"B"`) {
			t.Errorf("after the commit of A: %q", got)
		}
	})
}

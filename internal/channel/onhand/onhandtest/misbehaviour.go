package onhandtest

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"stockbridge/internal/channel"
	"stockbridge/internal/fault"
	"stockbridge/internal/outbound"
)

// Subject is an adapter under test.
type Subject struct {
	// Platform is the adapter's stand-in on a shop.
	Platform func(*testing.T, *Shop) http.Handler
	Kind     func(*http.Request, []byte) Kind
	// Connect makes the adapter.
	Connect func(t *testing.T, url string, opts outbound.Options) channel.Sink
	Plain   bool // the platform keeps what is available: nothing is allocated, and nothing added
	Blind   bool // the answer to a write does not tell what is allocated
}

func (s Subject) shop() *Shop {
	if s.Plain {
		return NewPlainShop()
	}
	return NewShop()
}

// Levels are n levels of a NewShop's SKUs; their quantities are from each level's own number on.
func Levels(n, from int) (levels []channel.Level) {
	for i := range n {
		levels = append(levels, channel.Level{SKU: fmt.Sprintf("SKU-%d", i), Quantity: int64(from + i)})
	}
	return levels
}

// expectation is what a fault at the look-up or at the write leads to, for every level of a batch.
type expectation struct {
	verdict channel.Verdict
	code    string // of the outcome
	words   string // somewhere in its message
	err     fault.Code
}

var acknowledged = expectation{verdict: channel.Acknowledged} //nolint:gochecknoglobals // a constant

// Misbehaviour puts an adapter through what platforms do wrong (spec section 6), at the look-up and at the write. In each case
// the levels end as they should, with the platform's words; what is acknowledged is what the shop shows; a SKU that the shop does
// not have does not hold up the others; and the next push heals.
func Misbehaviour(t *testing.T, subject Subject) {
	t.Helper()
	always := func(f Fault) func(int) Fault { return func(int) Fault { return f } }
	first := func(f Fault) func(int) Fault {
		return func(n int) Fault {
			if n == 1 {
				return f
			}
			return nil
		}
	}
	const (
		unsent  = channel.Unsent
		unknown = channel.Unknown
		refused = channel.Refused
	)
	html := Status(http.StatusOK, "<html><h1>Maintenance</h1></html>", "Content-Type", "text/html")
	for name, c := range map[string]struct {
		fault   func(n int) Fault
		find    expectation
		write   expectation
		waited  time.Duration // at least
		written bool          // the shop has the figures though nobody said so
	}{
		"401":                {fault: always(Status(401, "who are you")), find: expectation{refused, "CREDENTIALS_REFUSED", "who are you", fault.CredentialsRefused}, write: expectation{refused, "CREDENTIALS_REFUSED", "who are you", fault.CredentialsRefused}},
		"403":                {fault: always(Status(403, "not yours")), find: expectation{refused, "CREDENTIALS_REFUSED", "not yours", fault.CredentialsRefused}, write: expectation{refused, "CREDENTIALS_REFUSED", "not yours", fault.CredentialsRefused}},
		"404":                {fault: always(Status(404, "no such page")), find: expectation{refused, "HTTP_404", "no such page", ""}, write: expectation{refused, "HTTP_404", "no such page", ""}},
		"404 once":           {fault: first(Status(404, "no such page")), find: acknowledged, write: acknowledged},
		"413":                {fault: always(Status(413, "too long")), find: expectation{refused, "HTTP_413", "too long", ""}, write: expectation{refused, "HTTP_413", "too long", ""}},
		"413 once":           {fault: first(Status(413, "too long")), find: acknowledged, write: acknowledged},
		"422":                {fault: always(Status(422, "cannot be so")), find: expectation{refused, "HTTP_422", "cannot be so", ""}, write: expectation{refused, "HTTP_422", "cannot be so", ""}},
		"429 with a wait":    {fault: first(Status(429, "slow", "Retry-After", "7")), find: acknowledged, write: acknowledged, waited: 7 * time.Second},
		"429 without":        {fault: first(Status(429, "slow")), find: acknowledged, write: acknowledged, waited: 250 * time.Millisecond},
		"429 for an hour":    {fault: always(Status(429, "slow", "Retry-After", "3600")), find: expectation{unsent, "THROTTLED", "slow", fault.Throttled}, write: expectation{unsent, "THROTTLED", "slow", fault.Throttled}},
		"500":                {fault: always(Status(500, "oops")), find: expectation{unsent, "HTTP_500", "oops", ""}, write: expectation{unknown, "HTTP_500", "oops", ""}},
		"500 once":           {fault: first(Status(500, "oops")), find: acknowledged, write: acknowledged, waited: 250 * time.Millisecond},
		"503 with a wait":    {fault: first(Status(503, "busy", "Retry-After", "5")), find: acknowledged, write: acknowledged, waited: 5 * time.Second},
		"reset":              {fault: always(Reset), find: expectation{unsent, "UNREACHABLE", "no answer", ""}, write: expectation{unknown, "UNREACHABLE", "no answer", ""}},
		"reset once":         {fault: first(Reset), find: acknowledged, write: acknowledged},
		"truncated":          {fault: always(Truncated), find: expectation{unsent, "BAD_REPLY", "", ""}, write: expectation{unknown, "BAD_REPLY", "", ""}, written: true},
		"HTML with 200":      {fault: always(html), find: expectation{unsent, "BAD_REPLY", "Maintenance", ""}, write: expectation{unknown, "BAD_REPLY", "Maintenance", ""}},
		"nothing with 200":   {fault: always(Status(200, "")), find: expectation{unsent, "BAD_REPLY", "", ""}, write: expectation{unknown, "BAD_REPLY", "", ""}},
		"empty JSON":         {fault: always(Status(200, "{}")), find: expectation{unsent, "BAD_REPLY", "", ""}, write: expectation{unknown, "BAD_REPLY", "", ""}},
		"done, answer lost":  {fault: always(Lost), find: expectation{unsent, "UNREACHABLE", "no answer", ""}, write: expectation{unknown, "UNREACHABLE", "no answer", ""}, written: true},
		"lost once":          {fault: first(Lost), find: acknowledged, write: acknowledged},
		"lost, then refused": {fault: func(n int) Fault { return map[bool]Fault{true: Lost, false: Status(422, "no")}[n == 1] }, find: expectation{refused, "HTTP_422", "no", ""}, write: expectation{unknown, "HTTP_422", "no", ""}, written: true},
	} {
		for at, want := range map[Kind]expectation{LookUp: c.find, Write: c.write} {
			t.Run(fmt.Sprintf("%s at the %s", name, at), func(t *testing.T) {
				t.Parallel()
				shop := subject.shop()
				srv := Serve(t, subject.Platform(t, shop), subject.Kind)
				sink := subject.Connect(t, srv.URL, srv.Options())
				levels := append(Levels(10, 20), channel.Level{SKU: "NO-SUCH", Quantity: 1})
				srv.Misbehave(func(kind Kind, n int) Fault {
					if kind != at {
						return nil
					}
					return c.fault(n)
				})
				outcomes, err := sink.Push(t.Context(), channel.Batch{Key: "k", Levels: levels})
				if fault.CodeOf(err) != want.err || (err == nil) != (want.err == "") {
					t.Errorf("error %v, want %s", err, want.err)
				}
				if f := (*fault.Error)(nil); errors.As(err, &f) && f.Until.IsZero() == (f.Code == fault.Throttled) { // all that are, name a wait
					t.Errorf("%s until %s", f.Code, f.Until)
				}
				if len(outcomes) != len(levels) {
					t.Fatalf("%d outcomes", len(outcomes))
				}
				for i, o := range outcomes[:10] {
					if o.Verdict != want.verdict || o.Code != want.code || !strings.Contains(o.Message, want.words) || (o.Message == "") != (o.Verdict == channel.Acknowledged) {
						t.Errorf("%s: %+v, want %+v", levels[i].SKU, o, want)
					}
					shelf := shop.At(levels[i].SKU, Place)
					shown := shelf.OnHand-shelf.Allocated == levels[i].Quantity
					if shown != (o.Verdict == channel.Acknowledged || c.written && at == Write) {
						t.Errorf("%s: %+v, and the shop shows %+v", levels[i].SKU, o, shop.At(levels[i].SKU, Place))
					}
				}
				if o := outcomes[10]; o.Verdict == channel.Acknowledged || want.verdict == channel.Acknowledged && o.Code != "SKU_NOT_FOUND" {
					t.Errorf("a SKU that is not there: %+v", o)
				}
				if got := srv.Waited(); got < c.waited {
					t.Errorf("waited %s", got)
				}
				srv.Misbehave(nil)
				heals(t, sink, shop)
			})
		}
	}
	t.Run("down for good", func(t *testing.T) { t.Parallel(); down(t, subject) })
	t.Run("canceled while it hangs", func(t *testing.T) { t.Parallel(); hangs(t, subject) })
	if !subject.Plain && !subject.Blind {
		t.Run("goods leave while it is written", func(t *testing.T) { t.Parallel(); leaves(t, subject) })
	}
}

// heals pushes other figures, which all must arrive.
func heals(t *testing.T, sink channel.Sink, shop *Shop) {
	t.Helper()
	levels := Levels(10, 50)
	outcomes, err := sink.Push(t.Context(), channel.Batch{Key: "k2", Levels: levels})
	if err != nil {
		t.Errorf("the next push: %v", err)
	}
	for i, o := range outcomes {
		if shelf := shop.At(levels[i].SKU, Place); o.Verdict != channel.Acknowledged || shelf.OnHand-shelf.Allocated != levels[i].Quantity {
			t.Errorf("the next push: %s: %+v, the shop shows %+v", levels[i].SKU, o, shelf)
		}
	}
}

// down: a platform that gives no usable answer to three batches in a row cannot be used.
func down(t *testing.T, subject Subject) {
	t.Helper()
	shop := subject.shop()
	srv := Serve(t, subject.Platform(t, shop), subject.Kind)
	sink := subject.Connect(t, srv.URL, srv.Options())
	srv.Misbehave(func(kind Kind, _ int) Fault {
		if kind == Write {
			return Status(500, "oops")
		}
		return nil
	})
	for n := 1; n <= 3; n++ {
		_, err := sink.Push(t.Context(), channel.Batch{Key: "k", Levels: Levels(2, 1)})
		if (fault.CodeOf(err) == fault.Unreachable) != (n == 3) {
			t.Errorf("batch %d: %v", n, err)
		}
	}
	srv.Misbehave(nil)
	heals(t, sink, shop)
}

// hangs: who waits for an answer no longer has an unknown outcome once the write was sent.
func hangs(t *testing.T, subject Subject) {
	t.Helper()
	for at, want := range map[Kind]channel.Verdict{LookUp: channel.Unsent, Write: channel.Unknown} {
		shop := subject.shop()
		srv := Serve(t, subject.Platform(t, shop), subject.Kind)
		sink := subject.Connect(t, srv.URL, srv.Options())
		ctx, cancel := context.WithCancel(t.Context())
		srv.Misbehave(func(kind Kind, _ int) Fault {
			if kind != at {
				return nil
			}
			return func(_ http.ResponseWriter, r *http.Request, _ http.Handler) {
				cancel()
				<-r.Context().Done()
			}
		})
		outcomes, err := sink.Push(ctx, channel.Batch{Key: "k", Levels: Levels(2, 1)})
		cancel()
		if !errors.Is(err, context.Canceled) || len(outcomes) != 2 || outcomes[0].Verdict != want || outcomes[1].Verdict != want {
			t.Errorf("%s: %+v, %v", at, outcomes, err)
		}
		srv.Misbehave(nil)
		heals(t, sink, shop)
	}
}

// leaves: goods that leave between look-up and write take their allocation with them; the shop must not sell more than was said.
func leaves(t *testing.T, subject Subject) {
	t.Helper()
	shop := subject.shop()
	srv := Serve(t, subject.Platform(t, shop), subject.Kind)
	sink := subject.Connect(t, srv.URL, srv.Options())
	srv.Misbehave(func(kind Kind, n int) Fault {
		if kind != Write || n > 1 {
			return nil
		}
		return func(w http.ResponseWriter, r *http.Request, platform http.Handler) {
			for i, it := range shop.Find([]string{"SKU-0", "SKU-1"}) {
				shop.Change(it.ID, func(it *Item) {
					it.Shelves[Place] = map[int]Shelf{0: {it.Shelves[Place].OnHand - 1, 0}, 1: {it.Shelves[Place].OnHand, 3}}[i] // one ships, another is ordered
				})
			}
			platform.ServeHTTP(w, r)
		}
	})
	outcomes, err := sink.Push(t.Context(), channel.Batch{Key: "k", Levels: Levels(3, 20)})
	for i, o := range outcomes {
		if o.Verdict != channel.Acknowledged || err != nil {
			t.Errorf("%d: %+v, %v", i, o, err)
		}
	}
	// What was ordered in between comes off what was said; what was shipped does not add to it.
	for sku, want := range map[string]int64{"SKU-0": 20, "SKU-1": 21 - 2, "SKU-2": 22} {
		if shelf := shop.At(sku, Place); shelf.OnHand-shelf.Allocated != want {
			t.Errorf("%s: %+v, want %d for sale", sku, shelf, want)
		}
	}
	if n := srv.Count(Write); n != 2 {
		t.Errorf("written %d times", n)
	}
}

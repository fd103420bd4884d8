package onhand_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"stockbridge/internal/channel"
	"stockbridge/internal/channel/onhand"
	"stockbridge/internal/channel/onhand/onhandtest"
	"stockbridge/internal/fault"
	"stockbridge/internal/outbound"
)

// memory is a platform without a network before it, for what is decided here.
type memory struct {
	*onhandtest.Shop
	writes int
	// write is called first; nil: nothing. Answers are a Shop's otherwise.
	write func(rows []onhand.Row) ([]onhand.Answer, error)
	// found changes what a look-up gives; nil: nothing.
	found func([]onhand.Item) []onhand.Item
}

func (m *memory) Find(_ context.Context, skus []string) (items []onhand.Item, _ error) {
	for _, it := range m.Shop.Find(skus) {
		item := onhand.Item{ID: it.ID, SKU: it.SKU}
		for location, shelf := range it.Shelves {
			item.Shelves = append(item.Shelves, onhand.Shelf{Location: location, OnHand: shelf.OnHand, Allocated: shelf.Allocated})
		}
		items = append(items, item)
	}
	if m.found != nil {
		items = m.found(items)
	}
	return items, nil
}

func (m *memory) Write(_ context.Context, rows []onhand.Row) ([]onhand.Answer, error) {
	m.writes++
	if m.write != nil {
		if answers, err := m.write(rows); answers != nil || err != nil {
			return answers, err
		}
	}
	answers := make([]onhand.Answer, len(rows))
	for i, r := range rows {
		it, _ := m.Set(r.Item, r.Location, r.OnHand)
		answers[i].Shelf = onhand.Shelf{Location: r.Location, OnHand: r.OnHand, Allocated: it.Shelves[r.Location].Allocated}
	}
	return answers, nil
}

func (m *memory) Locations(context.Context) (all []channel.Location, _ error) {
	for _, id := range m.Shop.Locations() {
		all = append(all, channel.Location{Code: id, Name: "Shelf"})
	}
	return all, nil
}

// pusher is on a platform with n items SKU-0, SKU-1, …
func pusher(n int) (*memory, *onhand.Pusher, []channel.Level) {
	m := &memory{Shop: onhandtest.NewShop()}
	for i := 10; i < n; i++ {
		m.Add(fmt.Sprintf("SKU-%d", i), map[string]onhandtest.Shelf{onhandtest.Place: {}})
	}
	retry := outbound.Retry{Clock: outbound.Clock{Sleep: func(ctx context.Context, _ time.Duration) error { return ctx.Err() }}}
	return m, onhand.New(onhand.Config{Platform: m, Semantics: channel.OnHand, Retry: retry, Peer: outbound.NewPeer(outbound.PeerConfig{Retry: retry})}), onhandtest.Levels(n, 1)
}

func TestAnswerThatSaysOtherwiseIsNoSuccess(t *testing.T) {
	t.Parallel()
	m, p, levels := pusher(2)
	m.write = func(rows []onhand.Row) ([]onhand.Answer, error) {
		answers := make([]onhand.Answer, len(rows))
		for i, r := range rows {
			answers[i].Shelf = onhand.Shelf{Location: r.Location, OnHand: r.OnHand + int64(i), Allocated: 1}
		}
		return answers, nil
	}
	outcomes, err := p.Push(t.Context(), channel.Batch{Levels: levels[:2]})
	if err != nil || outcomes[0].Verdict != channel.Acknowledged || outcomes[1].Verdict != channel.Unknown || outcomes[1].Code != string(fault.BadReply) {
		t.Errorf("%+v, %v", outcomes, err)
	}
}

// "one bad SKU never holds up its batch", nor do several; and a wrong address is not asked hundreds of times.
func TestRefusedBatchesAreHalved(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		bad    func(n int) bool
		words  func(id string) string
		writes int // at most
	}{
		"one":                    {func(n int) bool { return n == 57 }, func(id string) string { return "no " + id }, 15},
		"each with its words":    {func(n int) bool { return n < 12 }, func(id string) string { return "no " + id }, 40},
		"the first six alike":    {func(n int) bool { return n < 6 }, func(string) string { return "no" }, 40},
		"many alike among good":  {func(n int) bool { return n >= 50 }, func(string) string { return "no" }, 110},
		"two alike, one between": {func(n int) bool { return n == 0 || n == 2 }, func(string) string { return "no" }, 30},
		"alike after a good one": {func(n int) bool { return n > 0 && n < 21 }, func(string) string { return "no" }, 60},
		"all, whatever they are": {func(int) bool { return true }, func(string) string { return "moved" }, 30},
	} {
		m, p, levels := pusher(100)
		m.write = func(rows []onhand.Row) ([]onhand.Answer, error) {
			for _, r := range rows {
				var n int
				if _, err := fmt.Sscanf(r.Item, "item-%d", &n); err != nil || c.bad(n) {
					return nil, &onhand.Refusal{Code: "BAD", Message: c.words(r.Item)}
				}
			}
			return nil, nil
		}
		outcomes, err := p.Push(t.Context(), channel.Batch{Levels: levels})
		if err != nil || m.writes > c.writes {
			t.Errorf("%s: %v after %d writes", name, err, m.writes)
		}
		for i, o := range outcomes {
			if bad := c.bad(i); bad != (o.Verdict == channel.Refused && o.Code == "BAD" && o.Message != "") || bad == (o.Verdict == channel.Acknowledged) {
				t.Errorf("%s: %d: %+v", name, i, o)
			}
		}
	}
}

// A store counts as down after three batches in a row without a usable answer, and one that answers in between is not.
func TestAnAnswerInBetweenKeepsTheStoreUp(t *testing.T) {
	t.Parallel()
	m, p, levels := pusher(1)
	down := false
	m.write = func([]onhand.Row) ([]onhand.Answer, error) {
		if down {
			return nil, &onhand.Failed{Err: fault.New(fault.Unreachable, "oops"), Reply: outbound.Reply{Sent: true, Status: 500}}
		}
		return nil, nil
	}
	for n, c := range []struct{ down, given bool }{{true, false}, {true, false}, {false, false}, {true, false}, {true, false}, {true, true}} {
		down = c.down
		outcomes, err := p.Push(t.Context(), channel.Batch{Levels: levels})
		if (err != nil) != c.given || (outcomes[0].Verdict == channel.Unknown) != c.down {
			t.Errorf("%d: %+v, %v", n, outcomes, err)
		}
	}
}

// Lists that change while they are read page by page tell an item twice; platforms that do not tell case apart find too much.
func TestItemToldTwiceIsNotAmbiguous(t *testing.T) {
	t.Parallel()
	m, p, levels := pusher(2)
	m.found = func(items []onhand.Item) []onhand.Item {
		other := items[0]
		other.ID, other.SKU = "other", strings.ToLower(other.SKU)
		return append(items, items[0], other)
	}
	outcomes, err := p.Push(t.Context(), channel.Batch{Levels: levels})
	if err != nil || outcomes[0].Verdict != channel.Acknowledged || outcomes[1].Verdict != channel.Acknowledged {
		t.Errorf("%+v, %v", outcomes, err)
	}
}

// Goods that leave without end are not chased without end.
func TestAllocationsThatFallEachTimeAreGivenUp(t *testing.T) {
	t.Parallel()
	m, p, levels := pusher(1)
	allocated := int64(100)
	m.found = func(items []onhand.Item) []onhand.Item {
		items[0].Shelves[0].Allocated = allocated
		return items
	}
	m.write = func(rows []onhand.Row) ([]onhand.Answer, error) {
		allocated--
		return []onhand.Answer{{Shelf: onhand.Shelf{Location: rows[0].Location, OnHand: rows[0].OnHand, Allocated: allocated}}}, nil
	}
	outcomes, err := p.Push(t.Context(), channel.Batch{Levels: levels})
	if err != nil || outcomes[0].Verdict != channel.Unknown || outcomes[0].Code != string(fault.Conflict) || m.writes != 3 {
		t.Errorf("%+v, %v after %d writes", outcomes, err, m.writes)
	}
}

func TestLocations(t *testing.T) {
	t.Parallel()
	m, p, levels := pusher(1)
	m.AddLocation("place-2")
	outcomes, err := p.Push(t.Context(), channel.Batch{Levels: levels})
	if fault.CodeOf(err) != fault.Invalid || outcomes[0].Verdict != channel.Unsent || !strings.Contains(err.Error(), "place-2") {
		t.Errorf("which of two: %+v, %v", outcomes, err)
	}
	levels = []channel.Level{{SKU: "SKU-0", Location: "place-3", Quantity: 1}, {SKU: "SKU-0", Location: "place-2", Quantity: 2}}
	if outcomes, err = p.Push(t.Context(), channel.Batch{Levels: levels}); err != nil || outcomes[0].Code != onhand.LocationUnknown || outcomes[1].Verdict != channel.Acknowledged {
		t.Errorf("%+v, %v", outcomes, err)
	}
	m.AddLocation("place-3") // which it finds out by itself
	if outcomes, err = p.Push(t.Context(), channel.Batch{Levels: levels}); err != nil || outcomes[0].Verdict != channel.Acknowledged || m.At("SKU-0", "place-3").OnHand != 1 {
		t.Errorf("%+v, %v", outcomes, err)
	}
}

package shopify

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"stockbridge/internal/channel"
	"stockbridge/internal/channel/shopify/shopifytest"
)

// Spec 6, wire.md: "on userErrors, resend the rest without the named rows", under a key of its own; nothing is told of the others but
// that they were not named.
func TestRowsThatShopifyNamesAreRefusedAndTheRestArrives(t *testing.T) {
	t.Parallel()
	for _, code := range []string{
		"INVALID_LOCATION", "INVALID_QUANTITY_NEGATIVE", "INVALID_QUANTITY_TOO_HIGH", "INVALID_QUANTITY_TOO_LOW", "NON_MUTABLE_INVENTORY_ITEM", "INVALID_INVENTORY_ITEM",
		"CHANGE_FROM_QUANTITY_STALE", "COMPARE_QUANTITY_STALE", "COMPARE_QUANTITY_REQUIRED", "NO_DUPLICATE_INVENTORY_ITEM_ID_GROUP_ID_PAIR", "ITEM_NOT_STOCKED_AT_LOCATION", "OF_TOMORROW",
	} {
		for _, partial := range []bool{false, true} {
			t.Run(fmt.Sprint(code, partial), func(t *testing.T) {
				t.Parallel()
				w := setup(t, 40, shopifytest.Config{Partial: partial, Strange: func(q shopifytest.Quantity) *shopifytest.Err {
					if q.Quantity == 14 || q.Quantity == 40 {
						return &shopifytest.Err{Code: code, Message: "no, by the test"}
					}
					return nil
				}}, Config{})
				outcomes, err := w.store.Push(t.Context(), batchOf(40))
				if err != nil {
					t.Fatal(err)
				}
				for n, o := range outcomes {
					if bad := n == 3 || n == 29; bad != (o.Verdict == channel.Refused) || !bad && o.Verdict != channel.Acknowledged || bad && (o.Code != code || !strings.HasPrefix(o.Message, "no, by the test")) {
						t.Errorf("%d: %+v", n, o)
					} else if !bad {
						w.shows(t, int64(n+1), 1, int64(n+11))
					}
				}
				if keys := w.keys(); len(slices.Compact(slices.Sorted(slices.Values(keys)))) != len(keys) {
					t.Errorf("requests share keys: %v", keys)
				}
			})
		}
	}
}

func TestNonMutableItemIsRefused(t *testing.T) {
	t.Parallel()
	w := setup(t, 2, shopifytest.Config{}, Config{})
	w.Freeze(1)
	outcomes, err := w.store.Push(t.Context(), batchOf(2))
	if err != nil || outcomes[0].Code != "NON_MUTABLE_INVENTORY_ITEM" || !strings.Contains(outcomes[0].Message, "bundle") || outcomes[1].Verdict != channel.Acknowledged {
		t.Errorf("%+v, %v", outcomes, err)
	}
}

// User errors without a row: some want a new key, some are the same for any part, and of the rest the batch's halves tell.
func TestErrorsThatNameNoRow(t *testing.T) {
	t.Parallel()
	always := func(shopifytest.Call) bool { return true }
	once := func(c shopifytest.Call) bool { return c.Number == 2 } // after the look-up
	poison := func(c shopifytest.Call) bool {
		return slices.ContainsFunc(c.Rows, func(q shopifytest.Quantity) bool { return q.Quantity == 15 })
	}
	for name, c := range map[string]struct {
		code    string
		when    func(shopifytest.Call) bool
		refused []int // levels
		most    int   // requests to set
	}{
		"key of another body":   {"IDEMPOTENCY_KEY_PARAMETER_MISMATCH", once, nil, 2},
		"attempt before failed": {"IDEMPOTENCY_PREVIOUS_ATTEMPT_FAILED", once, nil, 2},
		"stale":                 {"CHANGE_FROM_QUANTITY_STALE", once, nil, 2},
		"reason":                {"INVALID_REASON", always, []int{0, 1, 2, 3, 4, 5, 6, 7}, 1},
		"document":              {"INVALID_REFERENCE_DOCUMENT", always, []int{0, 1, 2, 3, 4, 5, 6, 7}, 1},
		"name":                  {"INVALID_NAME", always, []int{0, 1, 2, 3, 4, 5, 6, 7}, 1},
		"one level's doing":     {"OF_TOMORROW", poison, []int{4}, 7},
		"no code":               {"", poison, []int{4}, 7},
		"always":                {"OF_TOMORROW", always, []int{0, 1, 2, 3, 4, 5, 6, 7}, 15},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := setup(t, 8, shopifytest.Config{}, Config{})
			w.Refuse(func(call shopifytest.Call) []shopifytest.Err {
				if c.when(call) {
					return []shopifytest.Err{{Code: c.code, Message: "no, by the test"}}
				}
				return nil
			})
			outcomes, err := w.store.Push(t.Context(), batchOf(8))
			if err != nil {
				t.Fatal(err)
			}
			for n, o := range outcomes {
				bad := slices.Contains(c.refused, n)
				if bad != (o.Verdict == channel.Refused) || !bad && o.Verdict != channel.Acknowledged || bad && !strings.HasPrefix(o.Message, "no, by the test") {
					t.Errorf("%d: %+v", n, o)
				}
			}
			keys := w.keys()
			if len(keys) > c.most || len(slices.Compact(slices.Sorted(slices.Values(keys)))) != len(keys) {
				t.Errorf("%d requests with keys %v", len(keys), keys)
			}
		})
	}
}

// A shop that refuses everything is not asked about every level by itself.
func TestRefusalsOfWholeRequestsAreBounded(t *testing.T) {
	t.Parallel()
	w := setup(t, 250, shopifytest.Config{}, Config{})
	w.Refuse(func(shopifytest.Call) []shopifytest.Err {
		return []shopifytest.Err{{Code: "OF_TOMORROW", Message: "no"}}
	})
	outcomes, err := w.store.Push(t.Context(), batchOf(250))
	if err != nil || slices.ContainsFunc(outcomes, func(o channel.Outcome) bool { return o.Verdict != channel.Refused || o.Code != "OF_TOMORROW" }) {
		t.Errorf("%+v, %v", outcomes, err)
	}
	if n := len(w.keys()); n > 60 {
		t.Errorf("%d requests", n)
	}
	w.Before(func(shopifytest.Call) shopifytest.Answer { return answer(422, "no") })
	w.store.items.Purge()
	before := len(w.Calls())
	outcomes, err = w.store.Push(t.Context(), batchOf(250))
	if err != nil || slices.ContainsFunc(outcomes, func(o channel.Outcome) bool { return o.Verdict != channel.Refused || o.Code != "HTTP_422" }) {
		t.Errorf("%+v, %v", outcomes, err)
	}
	if n := len(w.Calls()) - before; n > 60 {
		t.Errorf("%d look-ups", n)
	}
}

// IDEMPOTENCY_CONCURRENT_REQUEST: "this request is currently in progress": the same key is asked again.
func TestConcurrentAttemptIsWaitedFor(t *testing.T) {
	t.Parallel()
	w := setup(t, 2, shopifytest.Config{}, Config{})
	busy := 2
	w.Refuse(func(shopifytest.Call) []shopifytest.Err {
		if busy--; busy >= 0 {
			return []shopifytest.Err{{Code: "IDEMPOTENCY_CONCURRENT_REQUEST", Message: "in progress"}}
		}
		return nil
	})
	w.pushed(t, batchOf(2))
	if keys := slices.Compact(w.keys()); len(keys) != 1 || len(w.keys()) != 3 || w.slept() == 0 {
		t.Errorf("keys %v, waited %s", w.keys(), w.slept())
	}
	busy = 100
	outcomes, err := w.store.Push(t.Context(), batchOf(2))
	if err != nil || outcomes[0].Verdict != channel.Unknown || outcomes[0].Code != "IDEMPOTENCY_CONCURRENT_REQUEST" {
		t.Errorf("%+v, %v", outcomes, err)
	}
}

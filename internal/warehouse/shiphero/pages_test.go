package shiphero

import (
	"errors"
	"fmt"
	"net/http"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"stockbridge/internal/fault"
	"stockbridge/internal/outbound"
	"stockbridge/internal/warehouse"
	"stockbridge/internal/warehouse/paged/pagedtest"
)

// wire.md, "ShipHero": pages of warehouse products; some numbers are strings.
func TestPagesOfProducts(t *testing.T) {
	t.Parallel()
	w := &standIn{size: 2, products: []string{
		node("A", "W1", 10, 2, 8), node("A", "W2", -1, 0, -1), `{"sku":"B","warehouse_id":"W1","on_hand":"5","allocated":null,"available":"4"}`,
		`{"sku":"C","warehouse_id":null,"on_hand":1}`, `{"sku":null,"warehouse_id":"W1","on_hand":1}`,
	}}
	s, _ := start(t, w, nil)
	rows, complete, err := pagedtest.Pull(t.Context(), t, s)
	want := []string{"1 A@W1/8/10/2", "2 A@W2/-1/-1/0", "3 B@W1/4/5/?", "line 4: SKU C: the product needs a sku and a warehouse_id, both text", "line 5: no SKU: every row needs one"}
	if err != nil || !complete || !reflect.DeepEqual(rows, want) {
		t.Errorf("got %q, complete %v, %v; want %q", rows, complete, err, want)
	}
	if want := []map[string]any{{"first": 100.0}, {"first": 100.0, "after": "2"}, {"first": 100.0, "after": "4"}}; !reflect.DeepEqual(w.asked, want) {
		t.Errorf("asked with %v", w.asked)
	}
	s, _ = start(t, w, func(c *Config) { c.WarehouseID = "W1" })
	if _, _, err := pagedtest.Pull(t.Context(), t, s); err != nil || w.asked[len(w.asked)-1]["warehouse"] != "W1" {
		t.Errorf("asked with %v, %v", w.asked, err)
	}
}

// 4,004 credits, 60 a second: pages beyond the purse go as fast as the credits come and no faster, and none is refused.
func TestPagesArePacedByTheirPrice(t *testing.T) {
	t.Parallel()
	for _, quota := range []bool{false, true} {
		w := &standIn{size: 1, price: 1001, quota: quota}
		for i := range 40 {
			w.products = append(w.products, node(fmt.Sprint(i), "W", 1, 0, 1))
		}
		s, clock := start(t, w, nil)
		began := clock.Now()
		if rows, _, err := pagedtest.Pull(t.Context(), t, s); err != nil || len(rows) != 40 || w.refused > 0 {
			t.Fatalf("%d rows, %d refused, %v", len(rows), w.refused, err)
		}
		// 40 × 1001 credits less a full purse, and what is held for the page after the last, at 60 a second.
		least := time.Duration((40*1001 - fullPurse) / perSecond * float64(time.Second))
		if took := clock.Now().Sub(began); took < least || took > least+50*time.Second {
			t.Errorf("took %s by the clock, at least %s", took, least)
		}
	}
}

// Others spend the account's credits too: a page that is refused waits as told (code 30), and is asked for again.
func TestCreditsSpentByOthersAreWaitedFor(t *testing.T) {
	t.Parallel()
	w := &standIn{size: 1, price: 1000, products: []string{node("A", "W", 1, 0, 1), node("B", "W", 2, 0, 2)}}
	s, clock := start(t, w, nil)
	w.credits = 100
	rows, _, err := pagedtest.Pull(t.Context(), t, s)
	if err != nil || len(rows) != 2 || w.refused != 1 || !slices.Contains(clock.Waits(), 16*time.Second) {
		t.Errorf("%q, %v; %d refused, waits %v", rows, err, w.refused, clock.Waits())
	}
	// A price that no purse holds is never paid.
	w = &standIn{price: 9000, products: []string{node("A", "W", 1, 0, 1)}}
	s, _ = start(t, w, nil)
	if _, _, err := pagedtest.Pull(t.Context(), t, s); fault.CodeOf(err) != fault.Throttled || !strings.Contains(fault.Message(err), "not enough credits") {
		t.Errorf("got %v", err)
	}
}

func TestRefusalTellsHowLongToWait(t *testing.T) {
	t.Parallel()
	w := &standIn{}
	s, _ := start(t, w, nil)
	for in, want := range map[string]time.Duration{
		`"time_remaining":"8 seconds"`: 8 * time.Second, `"time_remaining":"2.5 seconds."`: 2500 * time.Millisecond, `"time_remaining":12`: 12 * time.Second, `"time_remaining":"0 seconds"`: time.Second,
		`"required_credits":2021,"remaining_credits":1800`: 4 * time.Second, `"required_credits":"2021","remaining_credits":"1800","time_remaining":"soon"`: 4 * time.Second, `"x":1`: 34 * time.Second,
	} {
		body := `{"errors":[{"message":"m","code":30,` + in + `}]}`
		err := s.judge(outbound.Reply{Status: 200, Body: []byte(body)})
		if again, ok := errors.AsType[*outbound.Again](err); !ok || !again.Throttled || again.After != want {
			t.Errorf("%s: %+v, want %s", in, err, want)
		}
	}
}

func TestReplyThatLeadsNowhereIsRefused(t *testing.T) {
	t.Parallel()
	w := &standIn{size: 2, products: []string{node("A", "W", 1, 0, 1), node("B", "W", 1, 0, 1), node("C", "W", 1, 0, 1)}}
	for name, reply := range map[string]string{
		"in a circle":            `{"data":{"warehouse_products":{"complexity":1,"data":{"pageInfo":{"hasNextPage":true,"endCursor":"x"},"edges":[{"node":` + node("A", "W", 1, 0, 1) + `}]}}}}`,
		"not where the next one": `{"data":{"warehouse_products":{"complexity":1,"data":{"pageInfo":{"hasNextPage":true,"endCursor":null},"edges":[]}}}}`,
		"no page of warehouse":   `{"data":{"warehouse_products":null}}`,
		"refused the query":      `{"errors":[{"message":"Warehouse not found","code":4}],"data":{"warehouse_products":null}}`,
	} {
		src, _ := start(t, w, nil)
		constant(t, src, reply)
		if _, complete, err := pagedtest.Pull(t.Context(), t, src); fault.CodeOf(err) != fault.BadReply || complete || !strings.Contains(err.Error(), name) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// Access tokens live for 28 days: they are fetched once, at half of their life again, and anew when they are refused.
func TestAccessTokenIsRenewedInTime(t *testing.T) {
	t.Parallel()
	w := &standIn{products: []string{node("A", "W", 1, 0, 1)}}
	s, clock := start(t, w, nil)
	pull := func(want int) {
		t.Helper()
		if _, _, err := pagedtest.Pull(t.Context(), t, s); err != nil || w.tokens != want {
			t.Errorf("%d tokens, want %d; %v", w.tokens, want, err)
		}
	}
	pull(1)
	clock.Advance(13 * 24 * time.Hour)
	pull(1)
	clock.Advance(24 * time.Hour)
	pull(2)
	w.tokens = 7 // the one that is held is no longer good
	pull(8)
}

func TestTokens(t *testing.T) {
	t.Parallel()
	w := &standIn{products: []string{node("A", "W", 1, 0, 1)}}
	given := func(token string) func(*Config) {
		return func(c *Config) { c.RefreshToken, c.AccessToken = "", token }
	}
	s, _ := start(t, w, given("given-token"))
	if words, err := s.Test(t.Context()); err != nil || words != "ShipHero answered; warehouse products on its first page: 1" || w.tokens != 0 {
		t.Errorf("%q, %v", words, err)
	}
	s, _ = start(t, w, given("another-token"))
	if _, err := s.Test(t.Context()); fault.CodeOf(err) != fault.CredentialsRefused || strings.Contains(err.Error(), "another-token") {
		t.Errorf("got %v", err)
	}
	s, clock := start(t, w, func(c *Config) { c.RefreshToken = "an-old-one" })
	if _, err := s.Test(t.Context()); fault.CodeOf(err) != fault.CredentialsRefused || !strings.Contains(fault.Message(err), "invalid refresh token") || len(clock.Waits()) > 0 {
		t.Errorf("got %v", err)
	}
	for cfg, want := range map[Config]string{{}: "refreshToken BLANK", {AccessToken: "a b"}: "accessToken INVALID", {RefreshToken: "x", Endpoint: "x"}: "endpoint INVALID", {RefreshToken: "x"}: ""} {
		_, err := New(cfg, outbound.Options{})
		got := ""
		if list, ok := errors.AsType[fault.List](err); ok {
			got = list[0].Field[0] + " " + string(list[0].Code)
		}
		if got != want {
			t.Errorf("%+v: %v", cfg, err)
		}
	}
}

// spec 6, for pulls: nothing is recorded of half a report, and the next pull heals.
func TestMisbehaviour(t *testing.T) {
	t.Parallel()
	w := &standIn{t: t, clock: pagedtest.NewClock(), size: 1, products: []string{node("A", "W", 1, 0, 1), node("B", "W", 2, 0, 2), node("C", "W", 3, 0, 3)}}
	w.prepare()
	pagedtest.Platform{
		Handler: w,
		Page:    func(r *http.Request) bool { return r.URL.Path == "/graphql" },
		From:    1,
		Source: func(t testing.TB, endpoint string, opts outbound.Options) warehouse.Source {
			return source(t, endpoint, opts, func(c *Config) { c.RefreshToken, c.AccessToken = "", "given-token" })
		},
		Rows: []string{"1 A@W/1/1/0", "2 B@W/2/2/0", "3 C@W/3/3/0"},
	}.Misbehave(t)
}

package extensiv

import (
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
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

func start(t *testing.T, s *standIn, change func(*Config)) (*Source, *pagedtest.Clock) {
	t.Helper()
	s.t, s.clock = t, pagedtest.NewClock()
	server := httptest.NewServer(s)
	t.Cleanup(server.Close)
	return source(t, server.URL, s.clock.Options(), change), s.clock
}

// wire.md, "Extensiv": available, on hand and allocated per facility; totalResults tells the end.
func TestSummariesAreRead(t *testing.T) {
	t.Parallel()
	w := &standIn{size: 2, rows: always(
		item("A", "1", "", "1", "8", "10", "2"), item("A", "1", "", "2", "0", "-3", "null"),
		item("B", "2", "", "1", "2.5", "2.5", "0"), item("", "3", "", "1", "1", "1", "0"), item("C", "4", "", "1", "null", "7", "0"),
	)}
	s, _ := start(t, w, nil)
	rows, complete, err := pagedtest.Pull(t.Context(), t, s)
	want := []string{
		"1 A@1/8/10/2", "2 A@2/0/-3/?", "3 B@1/2/2/0 available 2.5 was floored to 2; on hand 2.5 was floored to 2",
		"line 4: no SKU: every row needs one", "5 C@1/?/7/0",
	}
	if err != nil || !complete || !reflect.DeepEqual(rows, want) {
		t.Errorf("got %q, complete %v, %v; want %q", rows, complete, err, want)
	}
	if !slices.Equal(w.asked, []string{"pgnum=1&pgsiz=500", "pgnum=2&pgsiz=500", "pgnum=3&pgsiz=500"}) || len(w.tokens) != 1 {
		t.Errorf("asked %q with %d tokens", w.asked, len(w.tokens))
	}
}

// A SKU's qualifiers (a condition, a variant) are summaries of their own: together they are what there is of it. spec 6: of a SKU
// named twice the last counts, so the last must be the sum.
func TestQualifiersOfASKUAddUp(t *testing.T) {
	t.Parallel()
	s, _ := start(t, &standIn{size: 2, rows: always(
		item("A", "1", "RED", "1", "3", "4", "1"), item("B", "2", "", "1", "1", "1", "0"),
		item("A", "1", "BLUE", "1", "5", "5", "0"), item("A", "1", "BLUE", "2", "7", "7", "0"), item(" A", "1", "", "1", "null", "1", "0"),
	)}, nil)
	rows, _, err := pagedtest.Pull(t.Context(), t, s)
	if want := []string{"1 A@1/3/4/1", "2 B@1/1/1/0", "3 A@1/8/9/1", "4 A@2/7/7/0", "5 A@1/8/10/1"}; err != nil || !reflect.DeepEqual(rows, want) {
		t.Errorf("got %q, %v; want %q", rows, err, want)
	}
}

func TestSettingsAreTheFilter(t *testing.T) {
	t.Parallel()
	for want, change := range map[string]func(*Config){
		"":                             nil,
		"customerId==12":               func(c *Config) { c.CustomerID = "12" },
		"facilityId==3":                func(c *Config) { c.FacilityID = "3" },
		"customerId==12;facilityId==3": func(c *Config) { c.CustomerID, c.FacilityID = "12", "3" },
	} {
		got := ""
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path == "/AuthServer/api/Token" {
				fmt.Fprint(w, `{"access_token":"x","expires_in":3600}`)
				return
			}
			got = r.URL.Query().Get("rql")
			fmt.Fprint(w, `{"TotalResults":1,"Summaries":[{"ItemIdentifier":{"Sku":"A"},"FacilityId":1,"Available":1}]}`) // as older versions spell it
		}))
		rows, _, err := pagedtest.Pull(t.Context(), t, source(t, server.URL, pagedtest.NewClock().Options(), change))
		server.Close()
		if err != nil || got != want || !reflect.DeepEqual(rows, []string{"1 A@1/1/?/?"}) {
			t.Errorf("asked with %q, want %q; %q, %v", got, want, rows, err)
		}
	}
}

// The pages have no order: whatever shows that the list moved means that some of it may not have been seen, and nothing of it is recorded.
func TestListThatMovesIsGivenUp(t *testing.T) {
	t.Parallel()
	a, b, c := item("A", "1", "", "1", "1", "1", "0"), item("B", "2", "", "1", "1", "1", "0"), item("C", "3", "", "1", "1", "1", "0")
	for name, rows := range map[string]func(int) (int, []string){
		"a total that changes": func(n int) (int, []string) { return 5 - n, []string{a, b, c} },
		"a page too few":       func(int) (int, []string) { return 4, []string{a, b, c} },
		"a page that repeats":  func(n int) (int, []string) { return 4, []string{a, b, a, b} },
		"a summary twice":      func(n int) (int, []string) { return 3, []string{a, b, a} },
		"more than the total":  func(n int) (int, []string) { return 1, []string{a, b} },
		"none of some":         func(n int) (int, []string) { return 2, nil },
	} {
		s, clock := start(t, &standIn{size: 2, rows: rows}, nil)
		_, complete, err := pagedtest.Pull(t.Context(), t, s)
		if fault.CodeOf(err) != fault.BadReply || complete || !strings.Contains(fault.Message(err), "changed its list while it was read") || len(clock.Waits()) > 0 {
			t.Errorf("%s: complete %v, %v", name, complete, err)
		}
	}
}

// spec 3.10: a complete report that is empty is held.
func TestNothingAtAllIsAnEmptyReport(t *testing.T) {
	t.Parallel()
	s, _ := start(t, &standIn{rows: always()}, nil)
	if _, _, err := pagedtest.Pull(t.Context(), t, s); !errors.Is(err, warehouse.ErrEmpty) || fault.CodeOf(err) != fault.BadReport {
		t.Errorf("got %v", err)
	}
}

// Tokens live for expires_in and are renewed at half of it: once, and before they are refused.
func TestTokenIsRenewedInTime(t *testing.T) {
	t.Parallel()
	w := &standIn{life: time.Hour, rows: always(item("A", "1", "", "1", "1", "1", "0"))}
	s, clock := start(t, w, nil)
	pull := func(want int) {
		t.Helper()
		if _, _, err := pagedtest.Pull(t.Context(), t, s); err != nil || len(w.tokens) != want {
			t.Errorf("%d tokens, want %d; %v", len(w.tokens), want, err)
		}
	}
	pull(1)
	clock.Advance(29 * time.Minute)
	pull(1)
	clock.Advance(time.Minute)
	pull(2)
	w.tokens = append(w.tokens[:1], clock.Now().Add(-2*time.Hour)) // taken back by the 3PL: asked for anew after one 401
	pull(3)
}

func TestWrongSecretIsToldAsSuch(t *testing.T) {
	t.Parallel()
	s, clock := start(t, &standIn{rows: always()}, func(c *Config) { c.ClientSecret = "not the secret" })
	_, err := s.Test(t.Context())
	if fault.CodeOf(err) != fault.CredentialsRefused || !strings.Contains(fault.Message(err), "invalid_client") || strings.Contains(err.Error(), "not the secret") || len(clock.Waits()) > 0 {
		t.Errorf("got %v after waits %v", err, clock.Waits())
	}
}

func TestTestAsksOnce(t *testing.T) {
	t.Parallel()
	w := &standIn{rows: func(int) (int, []string) { return 1234, []string{item("A", "1", "", "1", "1", "1", "0")} }}
	s, _ := start(t, w, nil)
	if words, err := s.Test(t.Context()); err != nil || words != "Extensiv answered; stock summaries it lists: 1234" || !slices.Equal(w.asked, []string{"pgnum=1&pgsiz=1"}) {
		t.Errorf("%q, %v; asked %q", words, err, w.asked)
	}
}

// A test of the connection waits for nothing, neither for stock nor for a token.
func TestTestDoesNotTryAgain(t *testing.T) {
	t.Parallel()
	for _, path := range []string{"/AuthServer/api/Token", "/inventory/stocksummaries"} {
		asked, inner := 0, &standIn{t: t, rows: always()}
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path == path {
				asked++
				w.Header().Set("Retry-After", "5")
				w.WriteHeader(http.StatusTooManyRequests)
				return
			}
			inner.ServeHTTP(w, r)
		}))
		t.Cleanup(server.Close)
		clock := pagedtest.NewClock()
		if _, err := source(t, server.URL, clock.Options(), nil).Test(t.Context()); fault.CodeOf(err) != fault.Throttled || asked != 1 || len(clock.Waits()) > 0 {
			t.Errorf("%s: %v after %d requests and waits %v", path, err, asked, clock.Waits())
		}
	}
}

func TestSettingIsChecked(t *testing.T) {
	t.Parallel()
	_, err := New(Config{ClientID: "a:b", CustomerID: "1;x", FacilityID: "x", Endpoint: "ftp://x"}, outbound.Options{})
	list, _ := errors.AsType[fault.List](err)
	var got []string
	for _, f := range list {
		got = append(got, f.Field[0]+" "+string(f.Code))
	}
	if want := []string{"clientSecret BLANK", "userLogin BLANK", "clientId INVALID", "customerId INVALID", "facilityId INVALID", "endpoint INVALID"}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestPrivateAddressIsRefused(t *testing.T) {
	t.Parallel()
	if _, err := source(t, "http://127.0.0.1:9", outbound.Options{}, nil).Test(t.Context()); fault.CodeOf(err) != fault.AddressRefused {
		t.Errorf("got %v", err)
	}
}

// spec 6, for pulls: nothing is recorded of half a report, and the next pull heals.
func TestMisbehaviour(t *testing.T) {
	t.Parallel()
	pagedtest.Platform{
		Handler: &standIn{t: t, size: 1, rows: always(item("A", "1", "", "1", "8", "10", "2"), item("B", "2", "", "1", "1", "1", "0"), item("C", "3", "", "1", "1", "1", "0"))},
		Page:    func(r *http.Request) bool { return r.URL.Path == "/inventory/stocksummaries" },
		From:    1,
		Source: func(t testing.TB, endpoint string, opts outbound.Options) warehouse.Source {
			return source(t, endpoint, opts, nil)
		},
		Rows: []string{"1 A@1/8/10/2", "2 B@1/1/1/0", "3 C@1/1/1/0"},
	}.Misbehave(t)
}

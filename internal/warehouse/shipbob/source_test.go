package shipbob

import (
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"stockbridge/internal/fault"
	"stockbridge/internal/outbound"
	"stockbridge/internal/warehouse"
	"stockbridge/internal/warehouse/paged/pagedtest"
)

// standIn answers as ShipBob documents it, one page of items for each list.
type standIn struct {
	t     testing.TB
	path  string // what may be asked
	pages [][]string
	next  func(page int) string // how the next page's place is written; nil: as ShipBob does

	mu    sync.Mutex // guards asked
	asked []string
}

func (s *standIn) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.asked = append(s.asked, r.URL.RawQuery)
	if r.Header.Get("Authorization") != "Bearer shipbob-token" {
		w.WriteHeader(http.StatusUnauthorized)
		return
	}
	if r.Method != http.MethodGet || r.URL.Path != s.path {
		s.t.Errorf("asked %s %s", r.Method, r.URL.Path)
		w.WriteHeader(http.StatusNotFound)
		return
	}
	if n, err := strconv.Atoi(r.FormValue("PageSize")); err != nil || n < 1 || n > 250 {
		s.t.Errorf("PageSize %q", r.FormValue("PageSize"))
	}
	page := 0
	if c := r.FormValue("cursor"); c != "" {
		n, err := strconv.Atoi(strings.TrimPrefix(c, "c+"))
		if err != nil || n >= len(s.pages) {
			w.WriteHeader(http.StatusBadRequest)
			return
		}
		page = n
	}
	next := "null"
	if s.next != nil {
		next = s.next(page)
	} else if page+1 < len(s.pages) {
		next = fmt.Sprintf(`"/inventory-level?cursor=c%%2B%d"`, page+1)
	}
	fmt.Fprintf(w, `{"first":null,"last":null,"prev":null,"next":%s,"items":[%s]}`, next, strings.Join(s.pages[page], ","))
}

func start(t *testing.T, s *standIn, change func(*Config)) (*Source, *pagedtest.Clock) {
	t.Helper()
	s.t = t
	server := httptest.NewServer(s)
	t.Cleanup(server.Close)
	clock := pagedtest.NewClock()
	return source(t, server.URL, clock.Options(), change), clock
}

func source(t testing.TB, endpoint string, opts outbound.Options, change func(*Config)) *Source {
	t.Helper()
	cfg := Config{Token: "shipbob-token", Endpoint: endpoint}
	if change != nil {
		change(&cfg)
	}
	return pagedtest.Open(t, New, cfg, opts)
}

const inSum = "/2026-01/inventory-level"

func byLocation(c *Config) { c.ByLocation = true }

// wire.md, "ShipBob": sellable is available; on hand is spelled in two ways.
func TestLevelsInSum(t *testing.T) {
	t.Parallel()
	w := &standIn{path: inSum, pages: [][]string{
		{
			`{"inventory_id":1,"sku":"A","name":"a","total_fulfillable_quantity":9,"total_sellable_quantity":8,"total_committed_quantity":2,"total_on_hand_quantity":10}`,
			`{"inventory_id":2,"sku":"B","total_fulfillable_quantity":4,"total_committed_quantity":null,"total_onhand_quantity":5}`,
		},
		{`{"inventory_id":3,"sku":null,"name":"no SKU","total_sellable_quantity":1}`, `"odd"`, `{"inventory_id":4,"sku":77,"total_sellable_quantity":"-1.5"}`},
		{},
	}}
	s, _ := start(t, w, nil)
	rows, complete, err := pagedtest.Pull(t.Context(), t, s)
	if len(rows) == 5 && strings.HasPrefix(rows[3], "line 4: the inventory level is not as documented") {
		rows[3] = "odd"
	}
	want := []string{"1 A@/8/10/2", "2 B@/4/5/?", "line 3: inventory item 3 has no SKU: give it one in ShipBob", "odd", "5 77@/-2/?/? available -1.5 was floored to -2"}
	if err != nil || !complete || !reflect.DeepEqual(rows, want) {
		t.Errorf("got %q, complete %v, %v; want %q", rows, complete, err, want)
	}
	if !slices.Equal(w.asked, []string{"PageSize=250", "cursor=c%2B1&PageSize=250", "cursor=c%2B2&PageSize=250"}) {
		t.Errorf("asked %q", w.asked)
	}
}

func TestLevelsByFulfilmentCentre(t *testing.T) {
	t.Parallel()
	s, _ := start(t, &standIn{path: inSum + "/locations", pages: [][]string{{
		`{"inventory_id":1,"sku":"A","locations":[{"location_id":156,"name":"Cicero (IL)","sellable_quantity":3,"fulfillable_quantity":4,"committed_quantity":1,"on_hand_quantity":5},
			{"location_id":null,"name":"Moreno Valley","fulfillable_quantity":2,"onhand_quantity":2},{"sellable_quantity":1}]}`,
		`{"inventory_id":2,"sku":"B","locations":null}`,
	}}}, byLocation)
	rows, complete, err := pagedtest.Pull(t.Context(), t, s)
	want := []string{"1 A@156/3/5/1", "2 A@Moreno Valley/2/2/?", "line 3: SKU A: the location has neither id nor name"}
	if err != nil || !complete || !reflect.DeepEqual(rows, want) {
		t.Errorf("got %q, complete %v, %v; want %q", rows, complete, err, want)
	}
}

// The next page's place may be written with host and version or without; wherever it points, the token goes to the endpoint only.
func TestNextPageIsFollowedAtHome(t *testing.T) {
	t.Parallel()
	for _, form := range []string{"?cursor=1", "/inventory-level?cursor=1", inSum + "?cursor=1&PageSize=250", "https://api.shipbob.com/2026-01/inventory-level?cursor=1", "https://elsewhere.example/steal?cursor=1"} {
		s, _ := start(t, &standIn{path: inSum, pages: [][]string{{`{"sku":"A","total_sellable_quantity":1}`}, {`{"sku":"B","total_sellable_quantity":2}`}},
			next: func(page int) string { return []string{strconv.Quote(form), `""`}[page] }}, nil)
		if rows, _, err := pagedtest.Pull(t.Context(), t, s); err != nil || !slices.Equal(rows, []string{"1 A@/1/?/?", "2 B@/2/?/?"}) {
			t.Errorf("%s: %q, %v", form, rows, err)
		}
	}
	for form, words := range map[string]string{"?cursor=1": "in a circle", "/inventory-level": "cannot be read", "::": "cannot be read"} {
		s, _ := start(t, &standIn{path: inSum, pages: [][]string{{`{"sku":"A"}`}, {`{"sku":"B"}`}}, next: func(int) string { return strconv.Quote(form) }}, nil)
		if _, complete, err := pagedtest.Pull(t.Context(), t, s); fault.CodeOf(err) != fault.BadReply || complete || !strings.Contains(err.Error(), words) {
			t.Errorf("%s: %v", form, err)
		}
	}
}

// 150 requests a minute: more pages than that take longer than a minute.
func TestRequestsArePaced(t *testing.T) {
	t.Parallel()
	w := &standIn{path: inSum}
	for range 301 {
		w.pages = append(w.pages, []string{`{"sku":"A","total_sellable_quantity":1}`})
	}
	s, clock := start(t, w, nil)
	began := clock.Now()
	if rows, _, err := pagedtest.Pull(t.Context(), t, s); err != nil || len(rows) != 301 {
		t.Fatalf("%d rows, %v", len(rows), err)
	}
	if took := clock.Now().Sub(began); took < 2*time.Minute || took > 130*time.Second {
		t.Errorf("301 requests took %s by the clock", took)
	}
}

func TestWaitsAsShipBobSays(t *testing.T) {
	t.Parallel()
	w, refused := &standIn{t: t, path: inSum, pages: [][]string{{`{"sku":"A","total_sellable_quantity":1}`}}}, 0
	server := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		if refused++; refused <= 2 {
			rw.Header().Set("x-retry-after", "17")
			rw.WriteHeader(http.StatusTooManyRequests)
			return
		}
		w.ServeHTTP(rw, r)
	}))
	t.Cleanup(server.Close)
	clock := pagedtest.NewClock()
	rows, _, err := pagedtest.Pull(t.Context(), t, source(t, server.URL, clock.Options(), nil))
	if waits := clock.Waits(); err != nil || len(rows) != 1 || !slices.Equal(waits, []time.Duration{17 * time.Second, 17 * time.Second}) {
		t.Errorf("%q, %v after waits %v", rows, err, waits)
	}
}

func TestNothingAtAllIsAnEmptyReport(t *testing.T) { // spec 3.10
	t.Parallel()
	s, _ := start(t, &standIn{path: inSum, pages: [][]string{{}}}, nil)
	if _, _, err := pagedtest.Pull(t.Context(), t, s); !errors.Is(err, warehouse.ErrEmpty) || fault.CodeOf(err) != fault.BadReport {
		t.Errorf("got %v", err)
	}
}

func TestTestAsksOnce(t *testing.T) {
	t.Parallel()
	w := &standIn{path: "/1.0/inventory-level", pages: [][]string{{`{"sku":"A"}`}, {}}}
	s, _ := start(t, w, func(c *Config) { c.APIVersion = "1.0" })
	if words, err := s.Test(t.Context()); err != nil || words != "ShipBob answered; inventory items on its first page: 1; more pages follow" || !slices.Equal(w.asked, []string{"PageSize=1"}) {
		t.Errorf("%q, %v; asked %q", words, err, w.asked)
	}
	s, _ = start(t, w, func(c *Config) { c.Token = "another-token" })
	if _, err := s.Test(t.Context()); fault.CodeOf(err) != fault.CredentialsRefused || strings.Contains(err.Error(), "another") {
		t.Errorf("got %v", err)
	}
}

func TestSettingIsChecked(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		cfg  Config
		want string
	}{
		{Config{Token: "x"}, ""}, {Config{}, "token BLANK"}, {Config{Token: "a b"}, "token INVALID"},
		{Config{Token: "x", APIVersion: "../x"}, "apiVersion INVALID"}, {Config{Token: "x", APIVersion: ".."}, "apiVersion INVALID"}, {Config{Token: "x", Endpoint: "x"}, "endpoint INVALID"},
	} {
		_, err := New(tt.cfg, outbound.Options{})
		got := ""
		if list, ok := errors.AsType[fault.List](err); ok {
			got = list[0].Field[0] + " " + string(list[0].Code)
		}
		if got != tt.want {
			t.Errorf("%+v: %v, want %q", tt.cfg, err, tt.want)
		}
	}
}

// spec 6, for pulls: nothing is recorded of half a report, and the next pull heals.
func TestMisbehaviour(t *testing.T) {
	t.Parallel()
	pagedtest.Platform{
		Handler: &standIn{t: t, path: inSum, pages: [][]string{{`{"sku":"A","total_sellable_quantity":1}`}, {`{"sku":"B","total_sellable_quantity":2}`}, {`{"sku":"C","total_sellable_quantity":3}`}}},
		Page:    func(*http.Request) bool { return true },
		From:    1,
		Source: func(t testing.TB, endpoint string, opts outbound.Options) warehouse.Source {
			return source(t, endpoint, opts, nil)
		},
		Rows: []string{"1 A@/1/?/?", "2 B@/2/?/?", "3 C@/3/?/?"},
	}.Misbehave(t)
}

package tryton

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"

	"stockbridge/internal/fault"
	"stockbridge/internal/outbound"
	"stockbridge/internal/warehouse"
	"stockbridge/internal/warehouse/paged/pagedtest"
)

// standIn answers as trytond 6.0 does, for what a real one is too slow or too well-behaved.
type standIn struct {
	t         testing.TB
	locations string // JSON of what is found
	products  []good
	list      func(after int) string // "": by products

	mu       sync.Mutex // guards what follows
	sessions int        // given so far
	ended    int        // of these
	calls    []string
}

// lets in by "Session base64(user:uid:session)".
func (w *standIn) letsIn(header string) bool {
	key, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(header, "Session "))
	n := 0
	if _, scan := fmt.Sscanf(string(key), "stock:4:session-%d", &n); err != nil || scan != nil {
		return false
	}
	return n > w.ended && n <= w.sessions
}

type good struct {
	id         int
	code       string
	have, free string // JSON
}

func (w *standIn) ServeHTTP(rw http.ResponseWriter, r *http.Request) {
	w.mu.Lock()
	defer w.mu.Unlock()
	var call struct {
		ID     int
		Method string
		Params []json.RawMessage
	}
	if err := json.NewDecoder(r.Body).Decode(&call); err != nil || r.URL.Path != "/wms/" || r.Header.Get("Content-Type") != "application/json" {
		w.t.Errorf("%s %s: %v", r.Method, r.URL, err)
	}
	w.calls = append(w.calls, call.Method)
	answer := func(result string) { fmt.Fprintf(rw, `{"id":%d,"result":%s}`, call.ID, result) }
	if call.Method == "common.db.login" {
		if string(call.Params[1]) != `{"password":"tryton-password"}` {
			rw.WriteHeader(http.StatusUnauthorized)
			return
		}
		w.sessions++
		answer(fmt.Sprintf(`[4,"session-%d"]`, w.sessions))
		return
	}
	if !w.letsIn(r.Header.Get("Authorization")) {
		rw.WriteHeader(http.StatusUnauthorized)
		return
	}
	var context struct {
		Locations []int
		Children  bool `json:"with_childs"`
		Skip      bool `json:"stock_skip_warehouse"`
		Assigned  bool `json:"stock_assign"`
	}
	if err := json.Unmarshal(call.Params[len(call.Params)-1], &context); err != nil {
		w.t.Errorf("%s without context: %v", call.Method, err)
	}
	if strings.HasPrefix(call.Method, "model.product.") && (len(context.Locations) != 1 || !context.Children || !context.Skip) {
		w.t.Errorf("%s in context %+v", call.Method, context)
	}
	switch call.Method {
	case "model.stock.location.search_read":
		answer(w.locations)
	case "model.product.product.search_read":
		var domain [][]json.RawMessage
		var after, limit int
		if err := errors.Join(json.Unmarshal(call.Params[0], &domain), json.Unmarshal(domain[1][2], &after), json.Unmarshal(call.Params[2], &limit)); err != nil || limit != 500 || string(call.Params[3]) != `[["id","ASC"]]` {
			w.t.Errorf("searched with %s: %v", call.Params, err)
		}
		if w.list != nil {
			answer(w.list(after))
			return
		}
		var found []string
		for _, p := range w.products {
			if p.id > after && len(found) < limit {
				found = append(found, fmt.Sprintf(`{"id":%d,"code":%s,"quantity":%s}`, p.id, p.code, p.have))
			}
		}
		answer("[" + strings.Join(found, ",") + "]")
	case "model.product.product.read":
		var ids []int
		if err := json.Unmarshal(call.Params[0], &ids); err != nil || !context.Assigned {
			w.t.Errorf("read %s in context %+v: %v", call.Params[0], context, err)
		}
		var found []string
		for _, p := range w.products {
			if slices.Contains(ids, p.id) {
				found = append([]string{fmt.Sprintf(`{"id":%d,"quantity":%s}`, p.id, p.free)}, found...) // in no order
			}
		}
		answer("[" + strings.Join(found, ",") + "]")
	default:
		w.t.Errorf("called %s", call.Method)
	}
}

const oneWarehouse = `[{"id":3,"code":"WH","type":"warehouse"}]`

func source(t testing.TB, endpoint string, opts outbound.Options, change func(*Config)) *Source {
	t.Helper()
	cfg := Config{URL: endpoint, Database: "wms", Username: "stock", Password: "tryton-password"}
	if change != nil {
		change(&cfg)
	}
	return pagedtest.Open(t, New, cfg, opts)
}

func start(t *testing.T, w http.Handler, change func(*Config)) *Source {
	t.Helper()
	server := httptest.NewServer(w)
	t.Cleanup(server.Close)
	return source(t, server.URL, pagedtest.NewClock().Options(), change)
}

func numbered(n int) (goods []good, rows []string) {
	for i := 1; i <= n; i++ {
		goods = append(goods, good{i * 2, fmt.Sprintf(`"P%d"`, i), "2.0", "1.0"})
		rows = append(rows, fmt.Sprintf("%d P%d@WH/1/2/1", i, i))
	}
	return goods, rows
}

func TestFiguresOfProducts(t *testing.T) {
	t.Parallel()
	s := start(t, &standIn{t: t, locations: `[{"id":3,"code":"WH","type":"warehouse"},{"id":9,"code":null,"type":"storage"}]`, products: []good{
		{1, `"A"`, "12.0", "7.0"}, {2, `"B"`, `{"__class__":"Decimal","decimal":"2.50"}`, `{"__class__":"Decimal","decimal":"-0.5"}`}, {4, `null`, "0.0", "0.0"}, {5, `" "`, "-1.0", "-1.0"},
		{6, `"C"`, "null", "null"}, {8, `"D"`, `{"__class__":"bytes"}`, "1.0"}, {9, `"E"`, "2147483647.0", "-2147483648.0"},
	}}, func(c *Config) { c.LocationIDs = []int{9, 3} })
	rows, complete, err := pagedtest.Pull(t.Context(), t, s)
	want := []string{
		"1 A@WH/7/12/5", "2 B@WH/-1/2/3 available -0.5 was floored to -1; on hand 2.50 was floored to 2",
		"line 3: product 5 has stock at WH but no code: give it one in Tryton, which is its SKU",
		"4 C@WH/?/?/? no available and no on hand: it counts as 0", `line 5: SKU D: on hand "{\"__class__\":\"bytes\"}" is not a number: write a whole number such as 12`,
		"6 E@WH/-2147483648/2147483647/?",
	}
	if err != nil || !complete || len(rows) != 12 || !reflect.DeepEqual(rows[:6], want) || rows[6] != "7 A@9/7/12/5" {
		t.Errorf("got %q, complete %v, %v; want %q", rows, complete, err, want)
	}
}

// A page begins behind the last id of the one before.
func TestPagesAreFollowedToTheLast(t *testing.T) {
	t.Parallel()
	for _, n := range []int{1, 499, 500, 501, 1000} {
		goods, want := numbered(n)
		w := &standIn{t: t, locations: oneWarehouse, products: goods}
		rows, complete, err := pagedtest.Pull(t.Context(), t, start(t, w, nil))
		if err != nil || !complete || !reflect.DeepEqual(rows, want) || w.sessions != 1 {
			t.Errorf("%d products: %d rows, complete %v, %v", n, len(rows), complete, err)
		}
	}
}

func TestListThatLeadsNowhereIsRefused(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct{ locations, list, words string }{
		"in a circle":       {oneWarehouse, `[{"id":7,"code":"A","quantity":1.0},{"id":7,"code":"A","quantity":1.0}]`, "go in a circle"},
		"an earlier page":   {oneWarehouse, `[{"id":0,"code":"A","quantity":1.0}]`, ""},
		"gone meanwhile":    {oneWarehouse, `[{"id":8,"code":"A","quantity":1.0}]`, "nothing of product 8"},
		"one code for two":  {`[{"id":3,"code":"WH","type":"warehouse"},{"id":4,"code":" WH","type":"warehouse"}]`, `[]`, "both known as"},
		"no warehouse":      {`[]`, `[]`, "no warehouse"},
		"an object":         {oneWarehouse, `{}`, "not as documented"},
		"no list":           {oneWarehouse, `null`, "holds no result"},
		"a list of numbers": {oneWarehouse, `[1]`, "not as documented"},
	} {
		w := &standIn{t: t, locations: tt.locations, list: func(int) string { return tt.list }, products: []good{{7, `"A"`, "1.0", "1.0"}}}
		if _, complete, err := pagedtest.Pull(t.Context(), t, start(t, w, nil)); fault.CodeOf(err) != fault.BadReply || complete || !strings.Contains(err.Error(), tt.words) {
			t.Errorf("%s: %v", name, err)
		}
	}
	w := &standIn{t: t, locations: oneWarehouse}
	if _, _, err := pagedtest.Pull(t.Context(), t, start(t, w, nil)); !errors.Is(err, warehouse.ErrEmpty) || fault.CodeOf(err) != fault.BadReport { // spec 3.10
		t.Errorf("no products: %v", err)
	}
}

// trytond tells of errors within a 200: their kind and words are passed on, a traceback is not.
func TestErrorsWithinA200(t *testing.T) {
	t.Parallel()
	for body, tt := range map[string]struct {
		code  fault.Code
		words string
	}{
		`{"id":1,"error":["UserError",["You are not allowed to access \"Product\".","",null]]}`:       {fault.BadReply, `UserError: You are not allowed to access "Product".`},
		`{"id":1,"error":["relation does not exist","Traceback (most recent call last): secret.py"]}`: {fault.BadReply, "relation does not exist"},
		`{"id":1,"error":["LoginException",["sms_code","Enter the code","char"]]}`:                    {fault.CredentialsRefused, "Enter the code"},
		`{"id":1,"error":["ConcurrencyException","Record was modified"]}`:                             {fault.Throttled, "busy"},
		`{"id":1,"error":[{"odd":1}]}`: {fault.BadReply, "refused"},
	} {
		s := start(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if strings.Contains(pagedtest.Body(r), "common.db.login") {
				io.WriteString(w, `{"id":1,"result":[4,"x"]}`)
				return
			}
			io.WriteString(w, body)
		}), nil)
		_, _, err := pagedtest.Pull(t.Context(), t, s)
		if fault.CodeOf(err) != tt.code || !strings.Contains(fault.Message(err), tt.words) || strings.Contains(err.Error(), "secret.py") {
			t.Errorf("%s: %v", body, err)
		}
	}
}

// A session ends by itself when it is not used, and everybody's ends when the server is set so: one new one is made.
func TestSessionIsRenewedOnce(t *testing.T) {
	t.Parallel()
	goods, want := numbered(3)
	w := &standIn{t: t, locations: oneWarehouse, products: goods}
	s := start(t, w, nil)
	for n, sessions := range []int{1, 1, 2} {
		if n == 2 {
			w.ended = 1
		}
		if rows, _, err := pagedtest.Pull(t.Context(), t, s); err != nil || !reflect.DeepEqual(rows, want) || w.sessions != sessions {
			t.Errorf("pull %d: %d sessions, want %d; %q, %v", n, w.sessions, sessions, rows, err)
		}
	}
	s = start(t, w, func(c *Config) { c.Password = "another-password" })
	w.calls = nil
	if _, err := s.Test(t.Context()); fault.CodeOf(err) != fault.CredentialsRefused || strings.Contains(err.Error(), "another-password") || len(w.calls) > 2 {
		t.Errorf("%v after %q", err, w.calls)
	}
}

func TestSettingIsChecked(t *testing.T) {
	t.Parallel()
	_, err := New(Config{URL: "tryton", Database: "a/b", Username: "a:b", LocationIDs: []int{1, 0, 1}}, outbound.Options{})
	list, _ := errors.AsType[fault.List](err)
	var got []string
	for _, f := range list {
		got = append(got, strings.Join(f.Field, ".")+" "+string(f.Code))
	}
	if want := []string{"password BLANK", "url INVALID", "database INVALID", "username INVALID", "locationIds.1 INVALID", "locationIds.2 INVALID"}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
	if _, err := New(Config{}, outbound.Options{}); fault.CodeOf(err) != fault.Blank {
		t.Errorf("got %v", err)
	}
}

// spec 6, for pulls: nothing is recorded of half a report, and the next pull heals.
func TestMisbehaviour(t *testing.T) {
	t.Parallel()
	goods, rows := numbered(1001)
	pagedtest.Platform{
		Handler: &standIn{t: t, locations: oneWarehouse, products: goods},
		Page:    func(r *http.Request) bool { return strings.Contains(pagedtest.Body(r), "model.product.product") },
		From:    2, // the second page
		Source: func(t testing.TB, endpoint string, opts outbound.Options) warehouse.Source {
			return source(t, endpoint, opts, nil)
		},
		Rows: rows,
	}.Misbehave(t)
}

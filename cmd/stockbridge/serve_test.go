package main

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"stockbridge/internal/database/dbtest"
)

// instance is a running `stockbridge serve`.
type instance struct {
	url, token string
	out, log   *output
	stop       func() error // ends it as SIGTERM does; once is enough
}

const adminToken = "an-admin-token-of-the-tests"

// serve starts a server on a free port.
func serve(t *testing.T, databaseURL string, args ...string) *instance {
	t.Helper()
	s := &instance{token: adminToken, out: &output{}, log: &output{}}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	args = append([]string{"serve", "--database=" + databaseURL, "--listen=127.0.0.1:0", "--log-level=debug", "--stop-grace=200ms"}, args...)
	go func() {
		ended <- Run(ctx, args, s.out, s.log, []string{"STOCKBRIDGE_SECRET_KEY=a secret key of the tests"})
		cancel()
	}()
	s.stop = sync.OnceValue(func() error { cancel(); return <-ended })
	t.Cleanup(func() {
		if err := s.stop(); err != nil {
			t.Errorf("serve: %v", err)
		}
		if t.Failed() {
			t.Logf("the log of %v:\n%s", args, s.log)
		}
	})
	var err error
	if s.url, err = s.out.await(ctx, `Stockbridge serves (http://\S+)`); err != nil {
		t.Fatalf("%v\n%s", err, s.log)
	}
	return s
}

// ask runs a document and decodes its data.
func (s *instance) ask(t *testing.T, into any, query string, variables map[string]any) {
	t.Helper()
	body, err := json.Marshal(map[string]any{"query": query, "variables": variables})
	if err != nil {
		t.Fatal(err)
	}
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, s.url+"/graphql", bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header = http.Header{"Authorization": {"Bearer " + s.token}, "Content-Type": {"application/json"}}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	var got struct {
		Data   json.RawMessage
		Errors []any
	}
	if err := json.Unmarshal(text, &got); err != nil || len(got.Errors) > 0 || resp.StatusCode != 200 {
		t.Fatalf("%s: %s: %s", query, resp.Status, text)
	}
	if err := json.Unmarshal(got.Data, into); err != nil {
		t.Fatalf("%s: %v: %s", query, err, text)
	}
}

// change runs a mutation that must succeed and returns the id of what it answers.
func (s *instance) change(t *testing.T, name, object string, input map[string]any) string {
	t.Helper()
	var got struct {
		It struct {
			Object     *struct{ ID string }
			UserErrors []any
		}
	}
	typ := strings.ToUpper(name[:1]) + name[1:] + "Input"
	s.ask(t, &got, "mutation($input: "+typ+"!) { it: "+name+"(input: $input) { object: "+object+" { id } userErrors { code field message } } }", map[string]any{"input": input})
	if got.It.Object == nil || len(got.It.UserErrors) > 0 {
		t.Fatalf("%s: %+v", name, got.It)
	}
	return got.It.Object.ID
}

// status is the answer to a plain GET.
func (s *instance) status(t *testing.T, path string) int {
	t.Helper()
	resp, err := http.Get(s.url + path)
	if err != nil {
		t.Fatal(err)
	}
	_ = resp.Body.Close()
	return resp.StatusCode
}

// shop is an HTTP store that keeps what it was told.
type shop struct {
	*httptest.Server
	told chan string     // "SKU quantity" of each level, in order
	hold chan struct{}   // what is closed before requests are answered; nil for at once
	done <-chan struct{} // of the test
}

func openShop(t *testing.T, hold chan struct{}) *shop {
	t.Helper()
	s := &shop{told: make(chan string, 100), hold: hold, done: t.Context().Done()}
	s.Server = httptest.NewServer(s)
	t.Cleanup(s.Close)
	return s
}

func (s *shop) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	var batch struct {
		Levels []struct {
			SKU      string
			Quantity json.Number
		}
	}
	if err := json.NewDecoder(r.Body).Decode(&batch); err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	for _, l := range batch.Levels {
		s.told <- l.SKU + " " + l.Quantity.String()
	}
	if s.hold != nil {
		select {
		case <-s.hold:
		case <-s.done:
		case <-r.Context().Done():
		}
	}
}

func (s *shop) expect(t *testing.T, want string) {
	t.Helper()
	select {
	case got := <-s.told:
		if got != want {
			t.Fatalf("the store was told %q, want %q", got, want)
		}
	case <-time.After(30 * time.Second):
		t.Fatalf("the store was not told %q", want)
	}
}

// connect sets up a merchant whose PUSH warehouse feeds the shop, all enabled, and returns their ids.
func (s *instance) connect(t *testing.T, to *shop) (merchant, warehouse, store, connection string) {
	t.Helper()
	merchant = s.change(t, "createMerchant", "merchant", map[string]any{"name": "Alpine"})
	warehouse = s.change(t, "createWarehouse", "warehouse", map[string]any{"merchantId": merchant, "name": "Valley", "platform": map[string]any{"push": map[string]any{}}})
	store = s.change(t, "createStore", "store", map[string]any{"merchantId": merchant, "name": "Shop",
		"platform": map[string]any{"http": map[string]any{"url": to.URL, "token": "the-token-of-the-shop", "signingSecret": "the-secret-of-the-shop"}}})
	connection = s.change(t, "createConnection", "connection", map[string]any{"warehouseId": warehouse, "storeId": store})
	s.change(t, "enableConnection", "connection", map[string]any{"connectionId": connection})
	s.change(t, "enableInventory", "connection", map[string]any{"connectionId": connection, "startFullSync": false})
	return merchant, warehouse, store, connection
}

// report lets the warehouse report the available units of one SKU.
func (s *instance) report(t *testing.T, warehouse, sku string, available int) {
	t.Helper()
	var got struct{ ReportWarehouseLevels struct{ UserErrors []any } }
	s.ask(t, &got, "mutation($input: ReportWarehouseLevelsInput!) { reportWarehouseLevels(input: $input) { userErrors { message } } }",
		map[string]any{"input": map[string]any{"warehouseId": warehouse, "complete": false, "levels": []any{map[string]any{"sku": sku, "available": available}}}})
	if len(got.ReportWarehouseLevels.UserErrors) > 0 {
		t.Fatal(got)
	}
}

func (s *instance) sync(t *testing.T, connection string) {
	t.Helper()
	s.change(t, "startSync", "run", map[string]any{"connectionId": connection, "mode": "SMART"})
}

// spec 5.5: the first start makes an admin token and prints it once. spec 5.3: nothing but health checks is open.
func TestFirstStart(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	url := "sqlite://" + filepath.Join(dir, "x.db")
	first := serve(t, url)
	secret, err := first.out.await(t.Context(), `shown this once: (sbt_\S+)`)
	if err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]int{"/healthz": 200, "/readyz": 200, "/graphiql": 200, "/": 200, "/graphql?query={viewer{name}}": 401} {
		if got := first.status(t, path); got != want {
			t.Errorf("%s: %d, want %d", path, got, want)
		}
	}
	if err := first.stop(); err != nil {
		t.Error(err)
	}
	second := serve(t, url)
	if strings.Contains(second.out.String(), "sbt_") {
		t.Errorf("a second token: %s", second.out)
	}
	second.token = secret
	var got struct{ Viewer struct{ Role string } }
	if second.ask(t, &got, "{ viewer { role } }", nil); got.Viewer.Role != "ADMIN" {
		t.Errorf("%+v", got)
	}
	for _, log := range []string{first.log.String(), second.log.String()} {
		if strings.Contains(log, secret) {
			t.Error("the log has the token")
		}
	}
}

// spec 3.3, 5.1 to 5.4: what a warehouse reports reaches the store and those who watch, in order; who comes back goes on
// where it was, also after a restart.
func TestReportedStockReachesStoreAndWatchers(t *testing.T) {
	t.Parallel()
	for _, kind := range []string{"sqlite", "postgres"} {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			url := dbtest.URL(t, kind)
			s := serve(t, url, "--admin-token", adminToken, "--allow-private-endpoints")
			shop := openShop(t, nil)
			merchant, warehouse, _, connection := s.connect(t, shop)
			const query = "subscription($m: ID!, $after: String) { activity(merchantId: $m, after: $after) { cursor kind sku before after } }"
			s.report(t, warehouse, "HELMET", 12)
			s.sync(t, connection)
			var first struct {
				Activities struct{ Nodes []struct{ Cursor string } }
			}
			s.ask(t, &first, "query($m: ID!) { activities(where: {merchantId: $m, kinds: [WAREHOUSE_LEVEL_CHANGED]}) { nodes { cursor } } }", map[string]any{"m": merchant})
			if len(first.Activities.Nodes) != 1 {
				t.Fatalf("%+v", first)
			}
			last := first.Activities.Nodes[0].Cursor
			socket := s.socket(t)
			socket.subscribe("1", query, map[string]any{"m": merchant, "after": last})
			stream := s.listen(t, query, map[string]any{"m": merchant, "after": last})
			shop.expect(t, "HELMET 12")
			expect := func(want fact) {
				t.Helper()
				bySocket, byStream := socket.next(t), stream.next(t)
				last, want.Cursor = bySocket.Cursor, bySocket.Cursor
				if bySocket != want || byStream != want {
					t.Fatalf("%+v and %+v, want %+v", bySocket, byStream, want)
				}
			}
			expect(fact{Kind: "CHANNEL_LEVEL_CHANGED", SKU: "HELMET", After: 12})
			expect(fact{Kind: "CHANNEL_LEVEL_PUSHED", SKU: "HELMET", After: 12})
			s.report(t, warehouse, "HELMET", 10)
			s.sync(t, connection)
			expect(fact{Kind: "WAREHOUSE_LEVEL_CHANGED", SKU: "HELMET", Before: 12, After: 10})
			expect(fact{Kind: "CHANNEL_LEVEL_CHANGED", SKU: "HELMET", Before: 12, After: 10})
			expect(fact{Kind: "CHANNEL_LEVEL_PUSHED", SKU: "HELMET", Before: 12, After: 10})
			shop.expect(t, "HELMET 10")
			stopped := make(chan error, 1)
			go func() { stopped <- s.stop() }()
			stream.ended(t)
			socket.closed(t, 1001)
			if err := <-stopped; err != nil {
				t.Fatal(err)
			}

			s = serve(t, url, "--admin-token", adminToken, "--allow-private-endpoints")
			s.report(t, warehouse, "HELMET", 11)
			s.sync(t, connection)
			shop.expect(t, "HELMET 11")
			again := s.listen(t, query, map[string]any{"m": merchant, "after": last})
			for _, want := range []string{"WAREHOUSE_LEVEL_CHANGED", "CHANNEL_LEVEL_CHANGED", "CHANNEL_LEVEL_PUSHED"} {
				if got := again.next(t); got.Kind != want || got.Before != 10 || got.After != 11 {
					t.Errorf("%+v, want %s from 10 to 11", got, want)
				}
			}
			for _, secret := range []string{adminToken, "the-token-of-the-shop", "the-secret-of-the-shop", "a secret key of the tests"} {
				if strings.Contains(s.log.String(), secret) || strings.Contains(s.out.String(), secret) {
					t.Errorf("%q came out", secret) // spec 5.2
				}
			}
		})
	}
}

// spec 3.13: a sync that a stop cuts off ends INTERRUPTED, and the stop does not wait for the store.
func TestStopInterruptsSync(t *testing.T) {
	t.Parallel()
	url := dbtest.URL(t, "sqlite")
	s := serve(t, url, "--admin-token", adminToken, "--allow-private-endpoints")
	shop := openShop(t, make(chan struct{}))
	_, warehouse, _, connection := s.connect(t, shop)
	s.report(t, warehouse, "HELMET", 12)
	s.sync(t, connection)
	shop.expect(t, "HELMET 12") // and does not answer
	if err := s.stop(); err != nil {
		t.Fatal(err)
	}
	close(shop.hold)
	s = serve(t, url, "--admin-token", adminToken, "--allow-private-endpoints")
	var got struct {
		SyncRuns struct{ Nodes []struct{ Status string } }
	}
	s.ask(t, &got, "query($c: ID!) { syncRuns(where: {connectionId: $c}) { nodes { status } } }", map[string]any{"c": connection})
	if len(got.SyncRuns.Nodes) != 1 || got.SyncRuns.Nodes[0].Status != "INTERRUPTED" {
		t.Errorf("%+v", got)
	}
	s.sync(t, connection)
	shop.expect(t, "HELMET 12")
}

// spec 5.5: private and loopback addresses are refused unless the flag lets them.
func TestPrivateEndpointsAreRefused(t *testing.T) {
	t.Parallel()
	s := serve(t, dbtest.URL(t, "sqlite"), "--admin-token", adminToken)
	_, _, store, _ := s.connect(t, openShop(t, nil))
	var got struct {
		TestStore struct{ UserErrors []struct{ Code string } }
	}
	s.ask(t, &got, "mutation($s: ID!) { testStore(input: {storeId: $s}) { userErrors { code message } } }", map[string]any{"s": store})
	if len(got.TestStore.UserErrors) != 1 || got.TestStore.UserErrors[0].Code != "ADDRESS_REFUSED" {
		t.Errorf("%+v", got)
	}
}

// What cannot start says why.
func TestServeRefusesToStart(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	free := "--database=sqlite://" + filepath.Join(dir, "x.db")
	taken := serve(t, dbtest.URL(t, "sqlite"))
	for name, tc := range map[string]struct {
		args []string
		says string
	}{
		"address in use":         {[]string{free, "--listen", strings.TrimPrefix(taken.url, "http://")}, "--listen"},
		"address is none":        {[]string{free, "--listen", "nowhere"}, "--listen"},
		"file root is not there": {[]string{free, "--file-root", filepath.Join(dir, "none")}, "--file-root"},
		"short secret key":       {[]string{free, "--secret-key", "short"}, "secret key"},
		"admin token with space": {[]string{free, "--admin-token", "two words"}, "--admin-token"},
		"no such directory":      {[]string{"--database=sqlite://" + filepath.Join(dir, "none", "x.db")}, "open database"},
		"PostgreSQL without key": {[]string{"--database=" + dbtest.URL(t, "postgres")}, "--secret-key"},
	} {
		_, _, err := run(t, nil, append([]string{"serve", "--listen=127.0.0.1:0"}, tc.args...)...)
		if exitCode(err) != 1 || !strings.Contains(err.Error(), tc.says) {
			t.Errorf("%s: %v, want %q", name, err, tc.says)
		}
	}
}

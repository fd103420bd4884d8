package shiphero

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"reflect"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"stockbridge/internal/fault"
	"stockbridge/internal/outbound"
	"stockbridge/internal/warehouse"
	"stockbridge/internal/warehouse/paged/pagedtest"
)

// constant has a source ask a server that always says the same.
func constant(t *testing.T, s *Source, reply string) {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/auth/refresh" {
			reply := `{"access_token":"x","expires_in":60}`
			io.WriteString(w, reply)
			return
		}
		io.WriteString(w, reply)
	}))
	t.Cleanup(server.Close)
	s.endpoint = server.URL
}

// fileServer is where snapshots lie: another host, which must see no token.
func fileServer(t *testing.T, serve http.HandlerFunc) *httptest.Server {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") != "" || r.URL.RawQuery != "Signature=sig" || r.Method != http.MethodGet {
			t.Errorf("the file was asked for with %s %s %v", r.Method, r.URL, r.Header)
		}
		serve(w, r)
	}))
	t.Cleanup(server.Close)
	return server
}

func says(body string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, body) }
}

const (
	working  = `{"snapshot_id":"s1","status":"InventorySnapshotStatus.processing","error":null,"snapshot_url":null}`
	finished = `{"snapshot_id":"s1","status":"success","error":null,"snapshot_url":"FILES/s1.json?Signature=sig"}`
)

func bySnapshot(c *Config) { c.Snapshot = true }

const whole = `{"snapshot_id":"s1","warehouse_id":null,"started":{"x":[1]},"products":{
 "A":{"sku":"A","name":"a","vendors":{"v":{}},"warehouse_products":{"W2":{"on_hand":3,"available":3,"allocated":0,"item_bins":{}},"W1":{"warehouse_id":"W1","on_hand":10,"available":8,"allocated":2}}},
 "B":{"warehouse_products":{"W1":{"on_hand":"5","available":2.5}}},
 "C":{"sku":"C","warehouse_products":{}},
 "D":{"sku":"D","warehouse_products":[1]}
},"more":null}`

// The file is fetched from where ShipHero says, with no token, once it is whole.
func TestSnapshotIsMadeAwaitedAndRead(t *testing.T) {
	t.Parallel()
	w := &standIn{looks: []string{working, working, finished}, files: fileServer(t, says(whole))}
	s, clock := start(t, w, bySnapshot)
	rows, complete, err := pagedtest.Pull(t.Context(), t, s)
	if len(rows) == 4 && strings.HasPrefix(rows[3], "line 4: SKU D: the product is not as documented") {
		rows[3] = "odd"
	}
	want := []string{"1 A@W1/8/10/2", "2 A@W2/3/3/0", "3 B@W1/2/5/? available 2.5 was floored to 2", "odd"}
	if err != nil || !complete || !reflect.DeepEqual(rows, want) {
		t.Errorf("got %q, complete %v, %v; want %q", rows, complete, err, want)
	}
	if waits := clock.Waits(); !slices.Equal(waits, []time.Duration{5 * time.Second, 10 * time.Second, 20 * time.Second}) {
		t.Errorf("waits %v", waits)
	}
	s, _ = start(t, w, func(c *Config) { c.Snapshot, c.WarehouseID = true, "W2" })
	if rows, _, err := pagedtest.Pull(t.Context(), t, s); err != nil || rows[0] != "1 A@W2/3/3/0" || w.asked[len(w.asked)-2]["warehouse"] != "W2" {
		t.Errorf("of one warehouse: %q, %v; asked %v", rows, err, w.asked)
	}
}

func TestSnapshotThatFails(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		look, words string
		code        fault.Code
	}{
		"with an error":         {`{"snapshot_id":"s1","status":"error","error":"too many SKUs","snapshot_url":null}`, "too many SKUs", fault.BadReply},
		"without an address":    {`{"snapshot_id":"s1","status":"success","error":null,"snapshot_url":null}`, "does not say where", fault.BadReply},
		"never":                 {working, "did not finish", fault.Unreachable},
		"nothing":               {`null`, "no snapshot", fault.BadReply},
		"no web address":        {`{"snapshot_id":"s1","status":"success","snapshot_url":"file:///etc/passwd"}`, "must be one of https", fault.BadReply},
		"address of the server": {`{"snapshot_id":"s1","status":"success","snapshot_url":"/s1.json"}`, "must be one of https", fault.BadReply},
	} {
		s, _ := start(t, &standIn{looks: []string{tt.look}}, bySnapshot)
		if _, complete, err := pagedtest.Pull(t.Context(), t, s); fault.CodeOf(err) != tt.code || complete || !strings.Contains(err.Error(), tt.words) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// spec 5.5: the address of the file is dialled under the same rules as any other.
func TestSnapshotInsideIsNotFetched(t *testing.T) {
	t.Parallel()
	s, _ := start(t, &standIn{looks: []string{finished}, files: fileServer(t, func(http.ResponseWriter, *http.Request) { t.Error("the file was fetched") })}, bySnapshot)
	s.file = outbound.Policy{}.Client(1, time.Second)
	if _, _, err := pagedtest.Pull(t.Context(), t, s); fault.CodeOf(err) != fault.AddressRefused || strings.Contains(err.Error(), "Signature") {
		t.Errorf("got %v", err)
	}
}

// A file that is not whole is a failure, wherever it ends: nothing of it is recorded.
func TestFileThatIsNotWholeFails(t *testing.T) {
	t.Parallel()
	bodies := map[string]string{
		"": "cut short", "<html>expired</html>": "cannot be read", "[]": "no object", "{}": "no products", `{"products":[]}`: "products is no object", `{"products":null}`: "products is no object",
		whole + "x": "cannot be read", whole + whole: "more stands behind", `{"products":{},"products":{}}`: "twice",
		`{"products":{"A":{"sku":"` + strings.Repeat("x", maxValue) + `"}}}`: "larger than",
	}
	for n := 1; n < len(whole); n += 7 {
		bodies[whole[:n]] = ""
	}
	for body, words := range bodies {
		w := &standIn{looks: []string{finished}, files: fileServer(t, says(body))}
		s, _ := start(t, w, bySnapshot)
		if _, complete, err := pagedtest.Pull(t.Context(), t, s); fault.CodeOf(err) != fault.BadReply || complete || !strings.Contains(err.Error(), words) {
			t.Errorf("%.60s: complete %v, %v", body, complete, err)
		}
	}
}

func TestFileIsFetchedAgain(t *testing.T) {
	t.Parallel()
	cut := func(w http.ResponseWriter, part string) {
		w.Header().Set("Content-Length", "1000000")
		io.WriteString(w, part)
		w.(http.Flusher).Flush()
		panic(http.ErrAbortHandler)
	}
	for name, tt := range map[string]struct {
		first http.HandlerFunc
		code  fault.Code // "": healed
	}{
		"429":                  {func(w http.ResponseWriter, _ *http.Request) { w.Header().Set("Retry-After", "3"); w.WriteHeader(429) }, ""},
		"500":                  {func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(500) }, ""},
		"cut before any row":   {func(w http.ResponseWriter, _ *http.Request) { cut(w, `{"products":{`) }, ""},
		"cut behind some rows": {func(w http.ResponseWriter, _ *http.Request) { cut(w, whole[:len(whole)-30]) }, fault.Unreachable},
		"expired":              {func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(403) }, fault.BadReply},
	} {
		asked := 0
		w := &standIn{looks: []string{finished}, files: fileServer(t, func(w http.ResponseWriter, r *http.Request) {
			if asked++; asked == 1 {
				tt.first(w, r)
				return
			}
			io.WriteString(w, whole)
		})}
		s, _ := start(t, w, bySnapshot)
		rows, complete, err := pagedtest.Pull(t.Context(), t, s)
		if fault.CodeOf(err) != tt.code || complete != (tt.code == "") || complete && len(rows) != 4 || asked != map[bool]int{true: 2, false: 1}[complete] {
			t.Errorf("%s: %q, complete %v after %d requests, %v", name, rows, complete, asked, err)
		}
		if rows, complete, err := pagedtest.Pull(t.Context(), t, s); err != nil || !complete || len(rows) != 4 { // the next pull
			t.Errorf("%s: the next pull: %q, %v", name, rows, err)
		}
	}
}

func TestCallerEndsReading(t *testing.T) {
	t.Parallel()
	full := errors.New("disk full")
	s, _ := start(t, &standIn{looks: []string{finished}, files: fileServer(t, says(whole))}, bySnapshot)
	r, err := s.Next(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if err := r.Read(t.Context(), func(warehouse.Level, *warehouse.RowError) error { return full }); err != full {
		t.Errorf("got %v", err)
	}
}

// spec 6, for pulls, while a snapshot is made.
func TestMisbehaviourOverSnapshots(t *testing.T) {
	t.Parallel()
	w := &standIn{t: t, clock: pagedtest.NewClock(), looks: []string{finished}, files: fileServer(t, says(`{"products":{"A":{"warehouse_products":{"W":{"on_hand":1}}}}}`))}
	w.prepare()
	pagedtest.Platform{
		Handler: w,
		Page:    func(r *http.Request) bool { return strings.Contains(pagedtest.Body(r), "inventory_snapshot(") },
		Source: func(t testing.TB, endpoint string, opts outbound.Options) warehouse.Source {
			return source(t, endpoint, opts, func(c *Config) { c.RefreshToken, c.AccessToken, c.Snapshot = "", "given-token", true })
		},
		Rows: []string{"1 A@W/?/1/?"},
	}.Misbehave(t)
}

// Memory stays flat however long the file is. Not parallel: it measures the heap.
func TestLongFileIsNotHeldInMemory(t *testing.T) {
	w := &standIn{looks: []string{finished}, files: fileServer(t, func(w http.ResponseWriter, _ *http.Request) {
		io.WriteString(w, `{"products":{`)
		for i := range 100_000 {
			fmt.Fprintf(w, `"SKU-%d":{"warehouse_products":{"W":{"on_hand":%d,"available":1,"item_bins":{"b":{"location_name":"A-1","quantity":1}}}}},`, i, i)
		}
		io.WriteString(w, `"last":{}}}`)
	})}
	s, _ := start(t, w, bySnapshot)
	live := func() uint64 {
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return m.HeapAlloc
	}
	before, most, rows := live(), uint64(0), 0
	r, err := s.Next(t.Context())
	if err == nil {
		err = r.Read(t.Context(), func(warehouse.Level, *warehouse.RowError) error {
			if rows++; rows%50_000 == 0 {
				most = max(most, live())
			}
			return nil
		})
	}
	if err != nil || rows != 100_000 || most > before+2<<20 {
		t.Errorf("%d rows, %d bytes live before, %d meanwhile, %v", rows, before, most, err)
	}
}

package httppull

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"reflect"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"stockbridge/internal/fault"
	"stockbridge/internal/outbound"
	"stockbridge/internal/warehouse"
)

// bench is a warehouse on loopback that gives one reply after the other, the last again and again, and a source of it.
type bench struct {
	*Source
	waits []time.Duration

	mu       sync.Mutex // guards requests
	requests []*http.Request
}

func setup(t *testing.T, path, token string, replies ...http.HandlerFunc) *bench {
	t.Helper()
	b := &bench{}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		b.mu.Lock()
		b.requests = append(b.requests, r)
		reply := replies[min(len(b.requests), len(replies))-1]
		b.mu.Unlock()
		reply(w, r)
	}))
	t.Cleanup(server.Close)
	var err error
	b.Source, err = New(Config{URL: server.URL + path, Token: token}, Options{
		Network: outbound.Policy{AllowPrivate: true},
		Clock: outbound.Clock{
			Now: func() time.Time { return time.Date(2026, 11, 23, 9, 0, 0, 0, time.UTC) },
			Sleep: func(ctx context.Context, d time.Duration) error {
				b.waits = append(b.waits, d)
				return ctx.Err()
			},
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { b.Close() })
	return b
}

func (b *bench) asked() []*http.Request {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.requests
}

// pull reads one report, rows in short form.
func (b *bench) pull(t *testing.T) (rows []string, complete bool, err error) {
	t.Helper()
	r, err := b.Next(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	err = r.Read(t.Context(), func(l warehouse.Level, e *warehouse.RowError) error {
		if e != nil {
			rows = append(rows, e.Error())
			return nil
		}
		row := fmt.Sprintf("%d %s@%s", l.Line, l.SKU, l.Facility)
		for _, q := range []warehouse.Quantity{l.Available, l.OnHand, l.Committed} {
			if row += "/?"; q.Known {
				row = fmt.Sprintf("%s%d", strings.TrimSuffix(row, "?"), q.Units)
			}
		}
		if l.Note != "" {
			row += " " + l.Note
		}
		rows = append(rows, row)
		return nil
	})
	return rows, r.Complete(), err
}

func says(body string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		io.WriteString(w, body)
	}
}

func status(code int, header ...string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		for i := 0; i < len(header); i += 2 {
			w.Header().Set(header[i], header[i+1])
		}
		w.WriteHeader(code)
		io.WriteString(w, "<html>no\x00 such\n thing</html>")
	}
}

// breaksOff sends part of a longer reply, then resets the connection.
func breaksOff(part string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Length", "1000000000")
		io.WriteString(w, part)
		w.(http.Flusher).Flush()
		panic(http.ErrAbortHandler)
	}
}

const one = `{"levels":[{"sku":"A","available":1}]}`

// wire.md, "HTTP warehouse".
func TestPagesAreFollowedToTheLast(t *testing.T) {
	t.Parallel()
	b := setup(t, "/stock?site=N%2f1&x=;", "s3cret",
		says(`{"levels":[{"sku":"A","facility":"EAST","onHand":10,"available":8,"committed":2,"updatedAt":"2026-11-23T09:00:00Z"}],"nextCursor":"a b&c","complete":false}`),
		says(`{"complete":true,"nextCursor":"2","levels":[]}`),
		says(`{"meta":{"levels":[1]},"levels":[{"sku":"B","onHand":-3,"bin":["x"]}],"nextCursor":null,"complete":true}`))
	rows, complete, err := b.pull(t)
	if want := []string{"1 A@EAST/8/10/2", "2 B@/?/-3/?"}; err != nil || !complete || !reflect.DeepEqual(rows, want) {
		t.Errorf("got %q, complete %v, %v; want %q", rows, complete, err, want)
	}
	for i, want := range []string{"limit=1000", "limit=1000&cursor=a+b%26c", "limit=1000&cursor=2"} {
		r := b.asked()[i]
		if r.Method != "GET" || r.URL.RawQuery != "site=N%2f1&x=;&"+want || r.Header.Get("Authorization") != "Bearer s3cret" || r.Header.Get("Accept") != "application/json" {
			t.Errorf("request %d: %s %s %v", i, r.Method, r.URL, r.Header)
		}
	}
	if _, err := b.Next(t.Context()); err != io.EOF {
		t.Errorf("after the report: %v", err)
	}
	if r, err := b.Next(t.Context()); err != nil || strings.Contains(r.Name(), "site") {
		t.Errorf("at the next pull: %v, %v", r, err)
	}
}

func TestLimitOfTheURLIsKept(t *testing.T) {
	t.Parallel()
	b := setup(t, "?limit=50", "", says(one))
	if _, _, err := b.pull(t); err != nil || b.asked()[0].URL.RawQuery != "limit=50" || b.asked()[0].Header.Values("Authorization") != nil {
		t.Errorf("asked %s, %v", b.asked()[0].URL, err)
	}
}

// wire.md: "every figure may be absent or null". spec 6: a bad item is refused by its number, the others count.
func TestItemIsReadOrRefused(t *testing.T) {
	t.Parallel()
	for body, want := range map[string]string{
		`{"sku":"A","available":null,"onHand":7}`:               "2 A@/?/7/?",
		`{"sku":" A ","available":"12"}`:                        "2 A@/12/?/?",
		`{"sku":"A","available":2.5}`:                           "2 A@/2/?/? available 2.5 was floored to 2",
		`{"sku":"A","available":1.2e1,"onHand":3.0}`:            "2 A@/12/3/?",
		`{"sku":12345,"facility":7,"available":1}`:              "2 12345@7/1/?/?",
		`{"sku":"A","facility":null,"available":""}`:            "2 A@/?/?/? no available and no on hand: it counts as 0",
		`{"available":1}`:                                       "line 2: no SKU: every row needs one",
		`{"sku":null,"available":1}`:                            "line 2: no SKU: every row needs one",
		`null`:                                                  "line 2: no SKU: every row needs one",
		`"A"`:                                                   `line 2: the level is not an object: write it as {"sku":"A","available":1}`,
		`[1,[2]]`:                                               `line 2: the level is not an object: write it as {"sku":"A","available":1}`,
		`{"sku":{"x":"A"},"available":1}`:                       "line 2: sku is neither text nor a number",
		`{"sku":"A","available":true}`:                          `line 2: SKU A: available "true" is not a number`,
		`{"sku":"A","facility":["E"],"available":1}`:            "line 2: SKU A: facility is neither text nor a number",
		`{"sku":"A","available":1,"updatedAt":false}`:           `2 A@/1/?/? updated at "false" was ignored`,
		`{"sku":"A","onHand":1,"available":[1]}`:                `line 2: SKU A: available "[1]" is not a number`,
		`{"sku":"A","available":"many"}`:                        `line 2: SKU A: available "many" is not a number: write a whole number such as 12`,
		`{"sku":"A","available":2147483648}`:                    `line 2: SKU A: available "2147483648" is out of range`,
		`{"sku":"A\u0000","available":1}`:                       "line 2: SKU \"A\\x00\" holds a NUL character: leave it out",
		`{"sku":"A\ud800","available":1}`:                       "line 2: SKU \"A\ufffd\" holds bytes that are not text",
		`{"sku":"` + strings.Repeat("x", 256) + `","onHand":1}`: "line 2: SKU ",
	} {
		b := setup(t, "", "", says(`{"levels":[{"sku":"X","available":1},`+body+`,{"sku":"Y","available":1}]}`))
		rows, complete, err := b.pull(t)
		if err != nil || complete || len(rows) != 3 || rows[0] != "1 X@/1/?/?" || rows[2] != "3 Y@/1/?/?" || !strings.HasPrefix(rows[1], want) {
			t.Errorf("%s: got %q, %v; want %q", body, rows, err, want)
		}
	}
}

// spec 3.8: nothing new is a success. spec 3.10: a complete report that is empty is not.
func TestEmptyReply(t *testing.T) {
	t.Parallel()
	for body, empty := range map[string]bool{
		`{"levels":[]}`: false, `{"levels":[],"nextCursor":null,"complete":false}`: false, `{"levels":null,"nextCursor":""}`: false,
		`{"levels":[],"complete":true}`: true, `{"levels":null,"complete":true}`: true, `{"levels":[{}],"complete":true}`: false,
	} {
		_, _, err := setup(t, "", "", says(body)).pull(t)
		if errors.Is(err, warehouse.ErrEmpty) != empty || (err != nil) != empty || empty && fault.CodeOf(err) != fault.BadReport {
			t.Errorf("%s: %v", body, err)
		}
	}
}

// spec 6: a truncated or non-JSON reply is a failure, never a success.
func TestReplyThatIsNoPageFails(t *testing.T) {
	t.Parallel()
	const whole = `{"levels":[{"sku":"A","available":1}],"nextCursor":null,"complete":true}`
	bodies := map[string]string{
		"<html>please sign in</html>": "not JSON", `[]`: "{", `"levels"`: "{", `{}`: "no levels", `{"error":"no"}`: "no levels", `null`: "{",
		whole + "x": "not JSON", whole + whole: "behind", `{"levels":{}}`: "not a list", `{"levels":"none"}`: "not a list",
		`{"levels":[],"levels":[]}`: "twice", `{"levels":[],"complete":"yes"}`: "complete", `{"levels":[],"nextCursor":{}}`: "nextCursor",
		`{"levels":[{"sku":"A","available":1}}`: "not JSON", `{"levels":[],"nextCursor":"` + strings.Repeat("x", 5000) + `"}`: "nextCursor",
		`{"levels":[{"sku":"` + strings.Repeat("x", 1<<21) + `"}]}`: "larger than 1 MiB", `{"levels":[],"x":"` + strings.Repeat("x", 1<<21) + `"}`: "larger than 1 MiB",
		`{"levels":[` + strings.Repeat(" ", 1<<21) + `]}`: "larger than 1 MiB", `{"levels":[],"x":` + strings.Repeat("[", 20_000): "",
	}
	for n := range whole {
		bodies[whole[:n]] = "cut short"
	}
	for body, words := range bodies {
		rows, complete, err := setup(t, "", "", says(body)).pull(t)
		if fault.CodeOf(err) != fault.BadReply || complete || len(rows) > 0 || !strings.Contains(fault.Message(err), words) || len(fault.Message(err)) > 1000 {
			t.Errorf("%.100s: got %q, %v; want BAD_REPLY with %q", body, rows, err, words)
		}
	}
}

func TestCursorsInACircleAreRefused(t *testing.T) {
	t.Parallel()
	b := setup(t, "", "", says(`{"levels":[],"nextCursor":"a"}`), says(`{"levels":[],"nextCursor":7}`), says(`{"levels":[],"nextCursor":"a"}`))
	if _, _, err := b.pull(t); fault.CodeOf(err) != fault.BadReply || !strings.Contains(err.Error(), `"a" twice`) || len(b.asked()) != 3 {
		t.Errorf("after %d requests: %v", len(b.asked()), err)
	}
}

func TestCallerEndsReading(t *testing.T) {
	t.Parallel()
	full := errors.New("disk full")
	b := setup(t, "", "", says(one))
	r, err := b.Next(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if err := r.Read(t.Context(), func(warehouse.Level, *warehouse.RowError) error { return full }); err != full || len(b.asked()) != 1 {
		t.Errorf("got %v after %d requests", err, len(b.asked()))
	}

	ctx, cancel := context.WithCancel(t.Context())
	b = setup(t, "", "", func(_ http.ResponseWriter, r *http.Request) { cancel(); <-r.Context().Done() })
	if r, err = b.Next(ctx); err != nil {
		t.Fatal(err)
	}
	pass := func(warehouse.Level, *warehouse.RowError) error { return nil }
	if err := r.Read(ctx, pass); !errors.Is(err, context.Canceled) || len(b.waits) > 0 {
		t.Errorf("canceled while asking: %v", err)
	}

	ctx, cancel = context.WithCancel(t.Context())
	b = setup(t, "", "", status(429, "Retry-After", "3600"))
	b.opts.Clock.Sleep = func(ctx context.Context, d time.Duration) error { cancel(); return ctx.Err() }
	if r, err = b.Next(ctx); err != nil {
		t.Fatal(err)
	}
	if err := r.Read(ctx, pass); !errors.Is(err, context.Canceled) {
		t.Errorf("canceled while waiting: %v", err)
	}
}

func TestTestAsksOnceAndSaysWhatCameBack(t *testing.T) {
	t.Parallel()
	many := `{"levels":[` + strings.Repeat(`{"sku":"A","available":1},`, 3000) + `{}]}`
	for _, tt := range []struct {
		reply http.HandlerFunc
		words string
		code  fault.Code
	}{
		{says(one), "usable levels on its first page: 1", ""},
		{says(`{"levels":[]}`), "first page: 0", ""},
		{says(`{"levels":[{"sku":"A","available":1},{}],"nextCursor":"2"}`), "first page: 1, unusable: 1 (first: line 2: no SKU: every row needs one); more pages follow", ""},
		{says(many), "first page: 1000; more", ""},
		{status(401), "", fault.CredentialsRefused},
		{status(429, "Retry-After", "60"), "", fault.Throttled},
		{status(500), "", fault.Unreachable},
		{says("<html>"), "", fault.BadReply},
	} {
		b := setup(t, "", "", tt.reply)
		words, err := b.Test(t.Context())
		if fault.CodeOf(err) != tt.code || !strings.Contains(words, tt.words) || (words == "") != (err != nil) {
			t.Errorf("got %q, %v; want %q %s", words, err, tt.words, tt.code)
		}
		if len(b.asked()) != 1 || len(b.waits) != 0 || b.asked()[0].URL.RawQuery != "limit=1" {
			t.Errorf("%d requests, first %s", len(b.asked()), b.asked()[0].URL)
		}
	}
}

func TestSettingIsCheckedBeforeAnyRequest(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ url, token, fault string }{
		{"https://wms.example/stock?x=1", "abc", ""}, {"http://[::1]:8080", "", ""},
		{"", "", "url BLANK"}, {"wms.example/stock", "", "url INVALID"}, {"ftp://wms.example", "", "url INVALID"}, {"https://", "", "url INVALID"},
		{"https://u:hush@wms.example", "", "url INVALID"}, {"https://u:hush@wms.example:port", "", "url INVALID"}, {"https://wms.example/#x", "", "url INVALID"},
		{"https://wms.example", "a\nb", "token INVALID"}, {"https://wms.example", "päss", "token INVALID"},
	} {
		_, err := New(Config{URL: tt.url, Token: tt.token}, Options{})
		got := ""
		if list, ok := errors.AsType[fault.List](err); ok {
			got = strings.Join(list[0].Field, ".") + " " + string(list[0].Code)
		}
		if got != tt.fault || err != nil && strings.Contains(err.Error(), "hush") {
			t.Errorf("%q %q: %v, want %q", tt.url, tt.token, err, tt.fault)
		}
	}
}

// Memory stays flat though all comes on one page. Not parallel: it measures the heap.
func TestLongPageIsNotHeldInMemory(t *testing.T) {
	b := setup(t, "", "", func(w http.ResponseWriter, _ *http.Request) {
		io.WriteString(w, `{"levels":[`)
		for i := range 100_000 {
			fmt.Fprintf(w, `{"sku":"SKU-%08d","facility":"EAST","available":%d,"onHand":7},`, i, i)
		}
		io.WriteString(w, `{}]}`)
	})
	live := func() uint64 {
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return m.HeapAlloc
	}
	before, most, rows := live(), uint64(0), 0
	r, err := b.Next(t.Context())
	if err == nil {
		err = r.Read(t.Context(), func(warehouse.Level, *warehouse.RowError) error {
			if rows++; rows%50_000 == 0 {
				most = max(most, live())
			}
			return nil
		})
	}
	if err != nil || rows != 100_001 || most > before+2<<20 {
		t.Errorf("%d rows, %d bytes live before, %d meanwhile, %v", rows, before, most, err)
	}
}

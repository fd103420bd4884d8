package httppull

import (
	"fmt"
	"io"
	"net/http"
	"reflect"
	"strings"
	"testing"
	"time"

	"stockbridge/internal/fault"
)

// spec 6: 401/403 are "credentials refused"; other refusals are told in the warehouse's words.
func TestRefusalIsNotTriedAgain(t *testing.T) {
	t.Parallel()
	for code, want := range map[int]fault.Code{
		401: fault.CredentialsRefused, 403: fault.CredentialsRefused, 400: fault.BadReply, 404: fault.BadReply, 410: fault.BadReply, 204: fault.BadReply, 304: fault.BadReply,
	} {
		b := setup(t, "/stock?key=hidden", "", status(code))
		_, _, err := b.pull(t)
		if fault.CodeOf(err) != want || len(b.asked()) != 1 || !strings.Contains(err.Error(), fmt.Sprint(code)) || strings.Contains(err.Error(), "hidden") {
			t.Errorf("%d: %v after %d requests", code, err, len(b.asked()))
		}
		if want == fault.CredentialsRefused && !strings.Contains(fault.Message(err), "credentials refused") {
			t.Errorf("%d: %v", code, err)
		}
		if code == 404 && !strings.Contains(fault.Message(err), "(<html>no such thing</html>)") {
			t.Errorf("%d: %v", code, err)
		}
	}
}

// spec 6: 429/503 wait as told, then go on.
func TestWaitsAsTold(t *testing.T) {
	t.Parallel()
	for after, want := range map[string]time.Duration{
		"7": 7 * time.Second, "1.5": 1500 * time.Millisecond, "86400": longestWait,
		"Mon, 23 Nov 2026 09:00:42 GMT": 42 * time.Second, "Tue, 24 Nov 2026 09:00:00 GMT": longestWait,
	} {
		for _, code := range []int{429, 503} {
			told := status(code, "Retry-After", after)
			b := setup(t, "", "", told, told, says(one))
			if rows, _, err := b.pull(t); err != nil || len(rows) != 1 || !reflect.DeepEqual(b.waits, []time.Duration{want, want}) {
				t.Errorf("%d, Retry-After %s: %q, %v after waits %v; want %v", code, after, rows, err, b.waits, want)
			}
		}
	}
	b := setup(t, "", "", status(429, "Retry-After", "100"))
	if _, _, err := b.pull(t); fault.CodeOf(err) != fault.Throttled || len(b.waits) != 9 {
		t.Errorf("without end: %v after %d waits", err, len(b.waits))
	}
}

// spec 6: time-outs, resets and 5xx are retried with back-off and jitter.
func TestPassingFailureIsRetried(t *testing.T) {
	t.Parallel()
	for name, reply := range map[string]http.HandlerFunc{
		"500": status(500), "502": status(502), "503": status(503, "Retry-After", "soon"), "429": status(429), "408": status(408),
		"reset": func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }, "broken off": breaksOff(`{"levels":[{"sku":"A","available":1}`),
	} {
		b := setup(t, "", "", reply, reply, reply, says(one))
		rows, _, err := b.pull(t)
		if err != nil || !reflect.DeepEqual(rows, []string{"1 A@/1/?/?"}) || len(b.waits) != 3 {
			t.Errorf("%s: %q, %v after waits %v", name, rows, err, b.waits)
		}
		for i, d := range b.waits {
			if most := 500 * time.Millisecond << i; d < most/2 || d > most {
				t.Errorf("%s: wait %d is %v, want %v at most", name, i, d, most)
			}
		}
		b = setup(t, "", "", reply)
		want := fault.Unreachable
		if name == "429" {
			want = fault.Throttled
		}
		if rows, _, err := b.pull(t); fault.CodeOf(err) != want || len(rows) != 0 || len(b.asked()) != 4 && name != "429" {
			t.Errorf("%s for ever: %q, %v after %d requests", name, rows, err, len(b.asked()))
		}
	}
}

func TestPageThatTakesTooLongIsRetried(t *testing.T) {
	t.Parallel()
	b := setup(t, "", "", func(w http.ResponseWriter, r *http.Request) {
		io.WriteString(w, `{"levels":[`)
		w.(http.Flusher).Flush()
		<-r.Context().Done()
	})
	b.opts.PageTimeout = 20 * time.Millisecond
	if _, _, err := b.pull(t); fault.CodeOf(err) != fault.Unreachable || !strings.Contains(err.Error(), "20ms") || len(b.waits) != 3 {
		t.Errorf("%v after %d waits", err, len(b.waits))
	}
}

// A page longer than asked for is passed on as it comes; broken off after that, it must not be asked for again.
func TestLevelsAreNotYieldedTwice(t *testing.T) {
	t.Parallel()
	b := setup(t, "", "", breaksOff(`{"levels":[`+strings.Repeat(`{"sku":"A","available":1},`, 5000)))
	rows, _, err := b.pull(t)
	if fault.CodeOf(err) != fault.Unreachable || len(rows) == 0 || len(rows)%(pageSize+1) != 0 || len(b.asked()) != 1 {
		t.Errorf("%d rows, %v after %d requests", len(rows), err, len(b.asked()))
	}
}

// spec 5.5: private addresses are refused, also behind a redirect.
func TestPrivateAddressIsRefused(t *testing.T) {
	t.Parallel()
	b := setup(t, "", "", says(one))
	strict, err := New(Config{URL: b.url.String()}, Options{Clock: b.opts.Clock})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := strict.Test(t.Context()); fault.CodeOf(err) != fault.AddressRefused {
		t.Errorf("got %v", err)
	}
	b = setup(t, "", "", func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, "/again", http.StatusFound) })
	if _, _, err := b.pull(t); fault.CodeOf(err) != fault.BadReply || len(b.waits) != 0 {
		t.Errorf("redirected for ever: %v", err)
	}
}

package outbound

import (
	"context"
	"errors"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"stockbridge/internal/fault"
)

// spec 6: "429/503: waits as told (Retry-After)".
func TestRetryAfter(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 11, 1, 12, 0, 0, 0, time.UTC)
	for value, want := range map[string]time.Duration{
		"0": 0, "1": time.Second, " 120 ": 2 * time.Minute, "2.0": 2 * time.Second, "0.25": 250 * time.Millisecond,
		"99999": 24 * time.Hour, "99999999999999999999": 24 * time.Hour, strings.Repeat("9", 400): 24 * time.Hour,
		"Sun, 01 Nov 2026 12:00:30 GMT":  30 * time.Second,
		"Sunday, 01-Nov-26 12:00:30 GMT": 30 * time.Second,
		"Sun Nov  1 12:00:30 2026":       30 * time.Second,
		"Sun, 01 Nov 2026 11:00:00 GMT":  0,
		"Mon, 01 Nov 2027 12:00:00 GMT":  24 * time.Hour,
		"":                               -1, "soon": -1, "-5": -1, "+5": -1, "1e3": -1, "0x10": -1, "Inf": -1, "NaN": -1, ".": -1, "1.2.3": -1, "5s": -1,
	} {
		d, ok := RetryAfter(value, now)
		if ok != (want >= 0) || ok && d != want {
			t.Errorf("%.40q: %s, %v; want %s", value, d, ok, want)
		}
	}
}

func FuzzRetryAfter(f *testing.F) {
	for _, s := range []string{"", "1", "1.5", "Sun, 01 Nov 2026 12:00:30 GMT", "-1", "99999999999999999999"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		if d, ok := RetryAfter(s, time.Unix(1_800_000_000, 0)); d < 0 || d > 24*time.Hour || !ok && d != 0 {
			t.Errorf("%q: %s, %v", s, d, ok)
		}
	})
}

// spec 6: what each status means.
func TestStatusIsJudged(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		status    int
		after     string
		code      fault.Code
		again     bool
		throttled time.Duration // -1: not
	}{
		{200, "", "", false, -1}, {204, "", "", false, -1}, {299, "", "", false, -1},
		{301, "", fault.Refused, false, -1}, {304, "", fault.Refused, false, -1},
		{400, "", fault.Refused, false, -1}, {404, "", fault.Refused, false, -1}, {422, "", fault.Refused, false, -1}, {499, "", fault.Refused, false, -1},
		{401, "", fault.CredentialsRefused, false, -1}, {403, "5", fault.CredentialsRefused, false, -1},
		{429, "", fault.Throttled, true, 0}, {429, "5", fault.Throttled, true, 5 * time.Second}, {429, "soon", fault.Throttled, true, 0},
		{503, "5", fault.Throttled, true, 5 * time.Second}, {503, "", fault.Unreachable, true, -1},
		{500, "", fault.Unreachable, true, -1}, {500, "5", fault.Unreachable, true, -1}, {502, "", fault.Unreachable, true, -1}, {599, "", fault.Unreachable, true, -1},
	} {
		r := Reply{Status: c.status, Header: http.Header{}, Body: []byte("the\nstore's \x00words"), where: "POST https://shop"}
		if c.after != "" {
			r.Header.Set("Retry-After", c.after)
		}
		err := r.Check(time.Now())
		var again *Again
		if fault.CodeOf(err) != c.code || errors.As(err, &again) != c.again {
			t.Errorf("%d: %v", c.status, err)
		}
		if again != nil && (again.Throttled != (c.throttled >= 0) || again.Throttled && again.After != c.throttled) {
			t.Errorf("%d: %+v", c.status, again)
		}
		if err != nil && (!strings.Contains(fault.Message(err), "the store's words") || !strings.Contains(fault.Message(err), "POST https://shop")) {
			t.Errorf("%d: message %q", c.status, fault.Message(err))
		}
	}
}

// spec 6: "the first 300 characters".
func TestExcerptIsShortAndPrintable(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		"":                                       "",
		" \r\n<h1>Oops</h1>\r\n\r\n  it broke\t": "<h1>Oops</h1> it broke",
		"a\x00b\x1b[31mc\u202ed\xff":             "ab[31mcd",
		strings.Repeat("é", 400):                 strings.Repeat("é", 300),
		strings.Repeat("x", 300) + " y":          strings.Repeat("x", 300),
		strings.Repeat("x", 299) + " y":          strings.Repeat("x", 299),
		strings.Repeat(" ", 70_000) + "late":     "",
	} {
		if got := Excerpt([]byte(in)); got != want {
			t.Errorf("%.60q: %q", in, got)
		}
	}
}

func FuzzExcerpt(f *testing.F) {
	f.Add([]byte("a\x00 b"))
	f.Fuzz(func(t *testing.T, in []byte) {
		got := Excerpt(in)
		if utf8.RuneCountInString(got) > 300 || !utf8.ValidString(got) || got != strings.TrimSpace(got) || strings.ContainsAny(got, "\n\r\t\x00\x1b") {
			t.Errorf("%q", got)
		}
	})
}

func TestFailuresAreSorted(t *testing.T) {
	t.Parallel()
	hang := make(chan struct{})
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		io.Copy(io.Discard, r.Body)
		switch r.URL.Path {
		case "/long":
			w.Write(make([]byte, 1001))
		case "/exact":
			w.Write(make([]byte, 1000))
		case "/hang":
			select {
			case <-hang:
			case <-r.Context().Done():
			}
		case "/short":
			w.Header().Set("Content-Length", "50")
			w.Write([]byte("cut"))
		case "/cut":
			w.Write([]byte("cut"))
			w.(http.Flusher).Flush()
			panic(http.ErrAbortHandler)
		case "/reset":
			c, _, err := w.(http.Hijacker).Hijack()
			if err == nil {
				c.(*net.TCPConn).SetLinger(0)
				c.Close()
			}
		}
	}))
	t.Cleanup(srv.Close)
	t.Cleanup(func() { close(hang) })
	secure := httptest.NewUnstartedServer(http.NotFoundHandler())
	secure.Config.ErrorLog = log.New(io.Discard, "", 0) // it is told that its certificate is not trusted
	secure.StartTLS()
	t.Cleanup(secure.Close)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	l.Close()
	for url, c := range map[string]struct {
		code  fault.Code
		again bool
		sent  bool
	}{
		srv.URL + "/exact":            {"", false, true},
		srv.URL + "/long":             {fault.BadReply, false, true},
		srv.URL + "/hang":             {fault.Unreachable, true, true},
		srv.URL + "/short":            {fault.Unreachable, true, true},
		srv.URL + "/cut":              {fault.Unreachable, true, true},
		srv.URL + "/reset?token=s3":   {fault.Unreachable, true, true},
		secure.URL:                    {fault.Unreachable, false, false},
		"http://" + l.Addr().String(): {fault.Unreachable, true, false},
	} {
		t.Run(url[strings.LastIndexByte(url, '/'):], func(t *testing.T) {
			t.Parallel()
			wait := time.Minute
			if strings.HasSuffix(url, "/hang") {
				wait = 100 * time.Millisecond
			}
			client := Policy{AllowPrivate: true}.Client(1, wait)
			req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, url, strings.NewReader("{}"))
			if err != nil {
				t.Fatal(err)
			}
			r, err := Send(client, req, 1000)
			var again *Again
			if fault.CodeOf(err) != c.code || errors.As(err, &again) != c.again || r.Sent != c.sent {
				t.Errorf("sent %v, %v", r.Sent, err)
			}
			if err != nil && strings.Contains(err.Error(), "s3") {
				t.Errorf("shows a secret: %v", err)
			}
		})
	}
}

func TestCanceledRequestTellsWhetherItWasSent(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	srv := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		io.Copy(io.Discard, r.Body)
		cancel()
		<-r.Context().Done()
	}))
	defer srv.Close()
	client := Policy{AllowPrivate: true}.Client(1, time.Minute)
	for _, sent := range []bool{true, false} { // the second time the context has ended before
		req, err := http.NewRequestWithContext(ctx, http.MethodPost, srv.URL, strings.NewReader("{}"))
		if err != nil {
			t.Fatal(err)
		}
		if r, err := Send(client, req, 1000); !errors.Is(err, context.Canceled) || r.Sent != sent {
			t.Errorf("sent %v, %v", r.Sent, err)
		}
	}
}

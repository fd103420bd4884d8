package outbound

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"stockbridge/internal/fault"
)

// side is an outside system on loopback: it answers with one handler after the other, and the last one goes on. Its clock goes on when
// somebody sleeps.
type side struct {
	*httptest.Server
	clock Clock

	mu       sync.Mutex // guards what follows
	now      time.Time
	waits    []time.Duration
	requests []*http.Request
}

func newSide(t *testing.T, answers ...http.HandlerFunc) *side {
	t.Helper()
	s := &side{now: time.Date(2026, 11, 1, 12, 0, 0, 0, time.UTC)}
	s.clock = Clock{
		Now: func() time.Time {
			s.mu.Lock()
			defer s.mu.Unlock()
			return s.now
		},
		Sleep: func(ctx context.Context, d time.Duration) error {
			s.mu.Lock()
			defer s.mu.Unlock()
			s.now = s.now.Add(d)
			s.waits = append(s.waits, d)
			return ctx.Err()
		},
	}
	s.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.mu.Lock()
		s.requests = append(s.requests, r)
		n := len(s.requests)
		s.mu.Unlock()
		answers[min(n, len(answers))-1](w, r)
	}))
	t.Cleanup(s.Close)
	return s
}

func (s *side) asked() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.requests)
}

func (s *side) peer(t *testing.T, cfg PeerConfig) *Peer {
	t.Helper()
	cfg.Network.AllowPrivate = true
	cfg.Retry.Clock = s.clock
	cfg.Retry.Jitter = func() float64 { return 0 }
	p := NewPeer(cfg)
	t.Cleanup(p.Close)
	return p
}

func says(status int, body string, header ...string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		for i := 0; i < len(header); i += 2 {
			w.Header().Set(header[i], header[i+1])
		}
		w.WriteHeader(status)
		io.WriteString(w, body)
	}
}

// cut takes the request and breaks off in the middle of the reply.
func cut(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Length", "100")
	io.WriteString(w, "{")
	w.(http.Flusher).Flush()
	panic(http.ErrAbortHandler)
}

// spec 6: what a request comes to, and how often it is made for that.
func TestRequestIsMadeAgainWhereThatCanHelp(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		answers []http.HandlerFunc
		request Request
		code    fault.Code
		asked   int
		taken   bool
	}{
		"at once":                    {[]http.HandlerFunc{says(200, "{}")}, Request{}, "", 1, false},
		"500 that passes":            {[]http.HandlerFunc{says(500, ""), says(200, "{}")}, Request{}, "", 2, true},
		"500 that stays":             {[]http.HandlerFunc{says(500, "")}, Request{}, fault.Unreachable, 4, true},
		"500 once":                   {[]http.HandlerFunc{says(500, "")}, Request{Once: true}, fault.Unreachable, 1, true},
		"500 in a test":              {[]http.HandlerFunc{says(500, "")}, Request{Untried: true}, fault.Unreachable, 1, true},
		"cut, then fine":             {[]http.HandlerFunc{cut, says(200, "{}")}, Request{}, "", 2, true},
		"cut once":                   {[]http.HandlerFunc{cut}, Request{Once: true}, fault.Unreachable, 1, true},
		"429, then fine":             {[]http.HandlerFunc{says(429, ""), says(200, "{}")}, Request{Once: true}, "", 2, false},
		"429 in a test":              {[]http.HandlerFunc{says(429, "")}, Request{Untried: true}, fault.Throttled, 1, false},
		"429 that wants an hour":     {[]http.HandlerFunc{says(429, "", "Retry-After", "3600")}, Request{}, fault.Throttled, 1, false},
		"503 that wants an hour":     {[]http.HandlerFunc{says(503, "", "Retry-After", "3600")}, Request{}, fault.Throttled, 1, false},
		"422":                        {[]http.HandlerFunc{says(422, "no")}, Request{}, fault.Refused, 1, false},
		"401":                        {[]http.HandlerFunc{says(401, "no")}, Request{}, fault.CredentialsRefused, 1, false},
		"500, then 422":              {[]http.HandlerFunc{says(500, ""), says(422, "no")}, Request{}, fault.Refused, 2, true},
		"judged to be worth another": {[]http.HandlerFunc{says(200, "wait"), says(200, "{}")}, Request{Judge: waits}, "", 2, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newSide(t, c.answers...)
			c.request.Method, c.request.URL = http.MethodPost, s.URL
			reply, err := s.peer(t, PeerConfig{}).Do(t.Context(), c.request)
			if fault.CodeOf(err) != c.code || s.asked() != c.asked || reply.Taken != c.taken {
				t.Errorf("%v after %d requests, taken %v; want %q, %d, %v", err, s.asked(), reply.Taken, c.code, c.asked, c.taken)
			}
		})
	}
}

func waits(r Reply) error {
	if string(r.Body) == "wait" {
		return &Again{Err: fault.New(fault.Throttled, "busy"), Throttled: true, After: time.Second}
	}
	return nil
}

// Retry-After holds everyone who speaks to the peer, and a 429 slows everyone down.
func TestThrottledRequestHoldsAllOthers(t *testing.T) {
	t.Parallel()
	s := newSide(t, says(429, "", "Retry-After", "7"), says(200, "{}"))
	p := s.peer(t, PeerConfig{PerSecond: 4})
	if _, err := p.Do(t.Context(), Request{Method: "GET", URL: s.URL}); err != nil || s.waits[0] != 7*time.Second {
		t.Errorf("%v after %v", err, s.waits)
	}
	if got := p.Pace().Rate(); got < 2 || got > 2.1 {
		t.Errorf("the rate is %g", got)
	}
	p.Pace().Hold(time.Minute)
	start := s.clock.Time()
	if _, err := p.Do(t.Context(), Request{Method: "GET", URL: s.URL}); err != nil || s.clock.Time().Sub(start) < time.Minute {
		t.Errorf("%v after %s", err, s.clock.Time().Sub(start))
	}
}

// A peer that fails on and on does not get four times its traffic: retries are a fifth of the requests, and a few.
func TestRetriesInSumAreBounded(t *testing.T) {
	t.Parallel()
	s := newSide(t, says(500, ""))
	p := s.peer(t, PeerConfig{})
	const requests = 200
	start := s.clock.Time()
	for range requests {
		if _, err := p.Do(t.Context(), Request{Method: "GET", URL: s.URL}); fault.CodeOf(err) != fault.Unreachable {
			t.Fatal(err)
		}
	}
	most := requests + requests*retryShare + retriesMax + s.clock.Time().Sub(start).Seconds()/retryEvery.Seconds()
	if n := s.asked(); float64(n) > most+1 || n < requests+retriesMax {
		t.Errorf("%d requests were made for %d, want at most %g", n, requests, most)
	}
	s.mu.Lock()
	s.now = s.now.Add(time.Hour)
	s.mu.Unlock()
	before := s.asked()
	if _, err := p.Do(t.Context(), Request{Method: "GET", URL: s.URL}); err == nil || s.asked()-before != 4 {
		t.Errorf("after an hour %d attempts were made, %v", s.asked()-before, err)
	}
}

// Secrets show up nowhere: not in words of faults, not in the log, whatever the peer echoes and however it writes it.
func TestSecretsAreStruckOut(t *testing.T) {
	t.Parallel()
	const fixed, query, token = `shpat_0123456789"+/x`, "key-in-the-query", "access-token-fetched"
	echo := func(status int) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) {
			w.WriteHeader(status)
			fmt.Fprintf(w, `{"headers":{"auth":%q},"plain":%s,"json":%q,"query":"shpat_0123456789%%22%%2B%%2Fx"}`, r.Header.Get("Authorization"), fixed, fixed)
		}
	}
	for name, answer := range map[string]http.HandlerFunc{
		"401": echo(401), "403": echo(403), "404": echo(404), "422": echo(422), "429": echo(429), "500": echo(500), "200": echo(200), "cut": cut,
		"redirect": func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "/elsewhere?"+query, http.StatusFound)
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newSide(t, answer)
			var logged bytes.Buffer
			p := s.peer(t, PeerConfig{Name: "shop", Secrets: []string{fixed, "short"}, Log: slog.New(slog.NewTextHandler(&logged, &slog.HandlerOptions{Level: slog.LevelDebug})),
				Credentials: NewTokens(s.clock, func(context.Context) (Token, error) { return Token{Value: token, Life: time.Hour}, nil }, nil)})
			for _, method := range []string{"GET", "POST"} {
				reply, err := p.Do(t.Context(), Request{Method: method, URL: s.URL + "/levels?" + query, Body: []byte(fixed), Untried: true})
				words := p.Hide(string(reply.Body)) + logged.String()
				if reply.Status > 299 {
					words += string(reply.Body)
				}
				if err != nil {
					words += err.Error() + fault.Message(err)
				}
				for _, secret := range []string{"0123456789", query, token} {
					if strings.Contains(words, secret) {
						t.Errorf("%s: %s shows in %s", method, secret, words)
					}
				}
				if !strings.Contains(logged.String(), "peer=shop") || !strings.Contains(logged.String(), "/levels") {
					t.Errorf("the log does not tell of the request: %s", logged.String())
				}
			}
		})
	}
}

// The header in which a platform wants its key is struck out too, as the header was when it was signed.
func TestSignedHeaderIsSecret(t *testing.T) {
	t.Parallel()
	s := newSide(t, func(w http.ResponseWriter, r *http.Request) {
		http.Error(w, "bad key "+r.Header.Get("X-Key"), http.StatusForbidden)
	})
	n := 0
	p := s.peer(t, PeerConfig{Credentials: NewTokens(s.clock, func(context.Context) (Token, error) { n++; return Token{Value: fmt.Sprint("secret-key-", n)}, nil },
		func(req *http.Request, token string) { req.Header.Set("X-Key", token) })})
	for range 3 * maxSigned {
		if _, err := p.Do(t.Context(), Request{Method: "GET", URL: s.URL}); err == nil || strings.Contains(err.Error(), "secret-key") || !strings.Contains(err.Error(), "[secret]") {
			t.Fatalf("%v", err)
		}
	}
	if len(p.hidden.late) > maxSigned {
		t.Errorf("%d are remembered", len(p.hidden.late))
	}
}

// A peer on loopback is refused where private addresses are, by name and behind a redirect; and nothing is sent.
func TestPeerIsHeldToTheNetworkPolicy(t *testing.T) {
	t.Parallel()
	s := newSide(t, says(200, "{}"))
	p := NewPeer(PeerConfig{})
	defer p.Close()
	reply, err := p.Do(t.Context(), Request{Method: "POST", URL: strings.Replace(s.URL, "127.0.0.1", "localhost", 1)})
	if fault.CodeOf(err) != fault.AddressRefused || reply.Sent || s.asked() != 0 {
		t.Errorf("%v, sent %v", err, reply.Sent)
	}
}

// Only the first address is let through; what it redirects to is checked as any other.
func TestRedirectInsideIsRefused(t *testing.T) {
	t.Parallel()
	inside := newSide(t, says(200, "secrets of the cloud"))
	outside := newSide(t, func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, inside.URL, http.StatusFound) })
	client := Policy{}.Client(1, time.Second)
	strict := client.Transport.(*http.Transport).DialContext
	lax := Policy{AllowPrivate: true}.Dialer().DialContext
	dials := 0
	client.Transport.(*http.Transport).DialContext = func(ctx context.Context, network, address string) (net.Conn, error) {
		if dials++; dials == 1 {
			return lax(ctx, network, address)
		}
		return strict(ctx, network, address)
	}
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, outside.URL, nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := Send(client, req, 100); fault.CodeOf(err) != fault.AddressRefused || outside.asked() != 1 || inside.asked() != 0 {
		t.Errorf("%v; the inside was asked %d times", err, inside.asked())
	}
}

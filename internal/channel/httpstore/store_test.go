package httpstore

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
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
	"sync/atomic"
	"testing"
	"time"

	"stockbridge/internal/channel"
	"stockbridge/internal/fault"
	"stockbridge/internal/outbound"
)

// wire.md, "HTTP store": the request to the byte.
func TestRequestIsAsTheContractHasIt(t *testing.T) {
	t.Parallel()
	s := newShop(t, ok)
	st := s.store(t, Config{URL: s.URL + "/levels?shop=1", Token: "tok", SigningSecret: "key"})
	outcomes, err := st.Push(t.Context(), channel.Batch{Store: "st", Run: "r1", Key: "k1", Levels: []channel.Level{
		{SKU: "BIKE-SET", Quantity: 12}, {SKU: `=1+1,"<é>`, Location: "EAST", Quantity: 0},
	}})
	if err != nil || !slices.Equal(verdicts(outcomes), []channel.Verdict{channel.Acknowledged, channel.Acknowledged}) {
		t.Fatalf("%v, %v", outcomes, err)
	}
	r := s.sent()[0]
	var got any
	if err := json.Unmarshal([]byte(r.body), &got); err != nil {
		t.Fatal(err)
	}
	want := map[string]any{"store": "st", "run": "r1", "levels": []any{
		map[string]any{"sku": "BIKE-SET", "location": nil, "quantity": 12.0},
		map[string]any{"sku": `=1+1,"<é>`, "location": "EAST", "quantity": 0.0},
	}}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("body %s", r.body)
	}
	mac := hmac.New(sha256.New, []byte("key"))
	mac.Write([]byte(r.body))
	for name, want := range map[string]string{
		"Content-Type": "application/json", "Authorization": "Bearer tok", "Idempotency-Key": "k1",
		"X-Stockbridge-Signature": "sha256=" + hex.EncodeToString(mac.Sum(nil)),
	} {
		if got := r.header.Get(name); got != want {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
	}

	if _, err := s.store(t, Config{}).Push(t.Context(), batch(1)); err != nil {
		t.Fatal(err)
	}
	if h := s.sent()[1].header; h["Authorization"] != nil || h["X-Stockbridge-Signature"] != nil {
		t.Errorf("not asked for, but sent: %v", h)
	}
	if outcomes, err := s.store(t, Config{}).Push(t.Context(), channel.Batch{Key: "k"}); outcomes != nil || err != nil || len(s.sent()) != 2 {
		t.Errorf("an empty batch: %v, %v", outcomes, err)
	}
}

// spec 6 and wire.md: each answer, what is made of it, and how often the store was asked.
func TestAnswersAreJudged(t *testing.T) {
	t.Parallel()
	const (
		ack     = channel.Acknowledged
		refused = channel.Refused
		unknown = channel.Unknown
	)
	long := strings.Repeat("x", 400)
	moved := status(308, "", "Location", "/new")
	for name, c := range map[string]struct {
		answers  []http.HandlerFunc
		verdict  channel.Verdict
		code     string
		message  string // of the outcome, its beginning
		err      fault.Code
		requests int
	}{
		"200, no body":              {[]http.HandlerFunc{status(200, "")}, ack, "", "", "", 1},
		"202, white space":          {[]http.HandlerFunc{status(202, " \r\n")}, ack, "", "", "", 1},
		"204":                       {[]http.HandlerFunc{ok}, ack, "", "", "", 1},
		"no results":                {[]http.HandlerFunc{status(200, `{"results":[]}`)}, ack, "", "", "", 1},
		"200, HTML":                 {[]http.HandlerFunc{status(200, "<html>Log in</html>")}, unknown, "BAD_REPLY", "the reply is not a JSON object", "", 1},
		"200, half":                 {[]http.HandlerFunc{status(200, `{"results":[{"sku":"SKU-0","st`)}, unknown, "BAD_REPLY", "the reply is not", "", 1},
		"200, too long":             {[]http.HandlerFunc{status(200, `{"results":[]}`+strings.Repeat(" ", replyLimit))}, unknown, "BAD_REPLY", "", "", 1},
		"301":                       {[]http.HandlerFunc{status(301, "<a>", "Location", "https://new.example.com/x?token=1")}, refused, "REFUSED", "POST", fault.Refused, 1},
		"308":                       {[]http.HandlerFunc{moved}, refused, "REFUSED", "POST", fault.Refused, 1},
		"400":                       {[]http.HandlerFunc{status(400, long)}, refused, "HTTP_400", long[:300], "", 1},
		"401":                       {[]http.HandlerFunc{status(401, "who\n are\x00 you")}, refused, "CREDENTIALS_REFUSED", "who are you", fault.CredentialsRefused, 1},
		"403":                       {[]http.HandlerFunc{status(403, "")}, refused, "CREDENTIALS_REFUSED", "403 Forbidden", fault.CredentialsRefused, 1},
		"404":                       {[]http.HandlerFunc{status(404, "no such page")}, refused, "HTTP_404", "no such page", "", 1},
		"422":                       {[]http.HandlerFunc{status(422, "{}")}, refused, "HTTP_422", "{}", "", 1},
		"429 once":                  {[]http.HandlerFunc{status(429, "slow", "Retry-After", "7"), ok}, ack, "", "", "", 2},
		"429, not told how long":    {[]http.HandlerFunc{status(429, "slow"), status(429, "slow"), ok}, ack, "", "", "", 3},
		"429 until a date":          {[]http.HandlerFunc{status(429, "slow", "Retry-After", "Sun, 01 Nov 2026 12:01:30 GMT"), ok}, ack, "", "", "", 2},
		"429 for an hour":           {[]http.HandlerFunc{status(429, "slow", "Retry-After", "3600")}, refused, "THROTTLED", "slow", fault.Throttled, 1},
		"429 for ever":              {[]http.HandlerFunc{status(429, "slow", "Retry-After", "50")}, refused, "THROTTLED", "slow", fault.Throttled, 3},
		"503 once":                  {[]http.HandlerFunc{status(503, "", "Retry-After", "1"), ok}, ack, "", "", "", 2},
		"503 for an hour":           {[]http.HandlerFunc{status(503, "", "Retry-After", "3600")}, refused, "THROTTLED", "503 Service Unavailable", fault.Throttled, 1},
		"503 for ever":              {[]http.HandlerFunc{status(503, "down")}, unknown, "HTTP_503", "down", "", 4},
		"500 once":                  {[]http.HandlerFunc{status(500, "oops"), ok}, ack, "", "", "", 2},
		"500 for ever":              {[]http.HandlerFunc{status(500, long)}, unknown, "HTTP_500", long[:300], "", 4},
		"reply lost once":           {[]http.HandlerFunc{lost, ok}, ack, "", "", "", 2},
		"reply lost for ever":       {[]http.HandlerFunc{lost}, unknown, "UNREACHABLE", "POST", "", 4},
		"lost, then refused":        {[]http.HandlerFunc{lost, status(409, "being worked on")}, unknown, "HTTP_409", "being worked on", "", 2},
		"500, then the key is gone": {[]http.HandlerFunc{status(500, ""), status(401, "")}, unknown, "CREDENTIALS_REFUSED", "401", fault.CredentialsRefused, 2},
		"throttled, then refused":   {[]http.HandlerFunc{status(429, "", "Retry-After", "1"), status(400, "no")}, refused, "HTTP_400", "no", "", 2},
		"hangs":                     {[]http.HandlerFunc{hang}, unknown, "UNREACHABLE", "POST", "", 2},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newShop(t, c.answers...)
			cfg := Config{Timeout: time.Minute}
			if name == "hangs" {
				cfg.Timeout, cfg.Retry.Tries = 500*time.Millisecond, 2
			}
			outcomes, err := s.store(t, cfg).Push(t.Context(), batch(2))
			if fault.CodeOf(err) != c.err || (err == nil) != (c.err == "") {
				t.Errorf("err = %v, want %s", err, c.err)
			}
			if f := (*fault.Error)(nil); errors.As(err, &f) && f.Until.IsZero() == (f.Code == fault.Throttled) { // all that are, name a wait
				t.Errorf("%s until %s", f.Code, f.Until)
			}
			if len(outcomes) != 2 {
				t.Fatalf("%d outcomes", len(outcomes))
			}
			for _, o := range outcomes {
				if o.Verdict != c.verdict || o.Code != c.code || !strings.HasPrefix(o.Message, c.message) || (o.Message == "") != (c.verdict == ack) {
					t.Errorf("outcome %+v", o)
				}
			}
			sent := s.sent()
			if len(sent) != c.requests {
				t.Errorf("%d requests, want %d", len(sent), c.requests)
			}
			for _, r := range sent {
				if r.body != sent[0].body || r.header.Get("Idempotency-Key") != batch(0).Key {
					t.Errorf("not the same request again: %v %s", r.header, r.body)
				}
			}
		})
	}
}

// spec 6: "waits as told"; wire.md: "with Retry-After (seconds or date)".
func TestWaitsAreAsTold(t *testing.T) {
	t.Parallel()
	s := newShop(t, status(429, "", "Retry-After", "7"), status(503, "", "Retry-After", "Sun, 01 Nov 2026 12:01:07 GMT"), status(500, ""), status(500, ""), ok)
	if _, err := s.store(t, Config{}).Push(t.Context(), batch(1)); err != nil {
		t.Fatal(err)
	}
	if want := []time.Duration{7 * time.Second, time.Minute, 250 * time.Millisecond, 500 * time.Millisecond}; !slices.Equal(s.waits, want) {
		t.Errorf("waited %v, want %v", s.waits, want)
	}
}

func TestRateIsKept(t *testing.T) {
	t.Parallel()
	s := newShop(t, ok)
	st := s.store(t, Config{PerSecond: 4})
	for range 9 {
		if _, err := st.Push(t.Context(), batch(1)); err != nil {
			t.Fatal(err)
		}
	}
	if took := s.clock.Now().Sub(time.Date(2026, 11, 1, 12, 0, 0, 0, time.UTC)); took != 2*time.Second {
		t.Errorf("9 requests at 4 a second took %s", took)
	}
}

// A store that finds a batch too large gets it in halves, down to single levels.
func TestTooLargeBatchIsHalved(t *testing.T) {
	t.Parallel()
	var taken sync.Map
	keys := map[string]string{}
	var s *shop
	s = newShop(t, func(w http.ResponseWriter, r *http.Request) {
		s.mu.Lock()
		body := s.requests[len(s.requests)-1].body
		key := r.Header.Get("Idempotency-Key")
		if old, seen := keys[key]; seen && old != body {
			t.Errorf("key %s stands for two bodies", key)
		}
		keys[key] = body
		s.mu.Unlock()
		if strings.Count(body, "sku") > 2 || strings.Contains(body, "SKU-4") {
			w.WriteHeader(http.StatusRequestEntityTooLarge)
			return
		}
		taken.Store(body, true)
	})
	outcomes, err := s.store(t, Config{}).Push(t.Context(), batch(7))
	const a = channel.Acknowledged
	if want := []channel.Verdict{a, a, a, a, channel.Refused, a, a}; err != nil || !slices.Equal(verdicts(outcomes), want) {
		t.Errorf("%+v, %v", outcomes, err)
	}
	if outcomes[4].Code != "HTTP_413" || outcomes[4].Message != "413 Request Entity Too Large" {
		t.Errorf("the level that never fits: %+v", outcomes[4])
	}
	if sent := s.sent(); len(keys) != len(sent) {
		t.Errorf("%d keys for %d requests", len(keys), len(sent))
	}
}

func TestStoreGivenUpBetweenHalves(t *testing.T) {
	t.Parallel()
	s := newShop(t, status(413, ""), ok, status(401, "expired"))
	b := batch(4)
	outcomes, err := s.store(t, Config{}).Push(t.Context(), b)
	if want := []channel.Verdict{channel.Acknowledged, channel.Acknowledged, channel.Refused, channel.Refused}; fault.CodeOf(err) != fault.CredentialsRefused || !slices.Equal(verdicts(outcomes), want) {
		t.Errorf("%+v, %v", outcomes, err)
	}
	s = newShop(t, status(413, ""), status(401, "expired"))
	outcomes, err = s.store(t, Config{}).Push(t.Context(), b)
	if want := []channel.Verdict{channel.Refused, channel.Refused, channel.Unsent, channel.Unsent}; fault.CodeOf(err) != fault.CredentialsRefused || !slices.Equal(verdicts(outcomes), want) || len(s.sent()) != 2 {
		t.Errorf("%+v, %v", outcomes, err)
	}
}

// A committed push whose reply was lost is told apart by its key: nothing is applied twice, and it counts in the end.
func TestCommittedPushWithLostReplyIsNotAppliedTwice(t *testing.T) {
	t.Parallel()
	var applied sync.Map
	var count atomic.Int32
	s := newShop(t, func(w http.ResponseWriter, r *http.Request) {
		if _, again := applied.LoadOrStore(r.Header.Get("Idempotency-Key"), true); again {
			return
		}
		count.Add(1)
		lost(w, r)
	})
	outcomes, err := s.store(t, Config{}).Push(t.Context(), batch(1))
	if err != nil || outcomes[0].Verdict != channel.Acknowledged || count.Load() != 1 || len(s.sent()) != 2 {
		t.Errorf("%+v, %v; applied %d times", outcomes, err, count.Load())
	}
}

func TestStoreThatIsNotThere(t *testing.T) {
	t.Parallel()
	s := newShop(t, ok)
	s.Close()
	st := s.store(t, Config{})
	outcomes, err := st.Push(t.Context(), batch(1))
	if fault.CodeOf(err) != fault.Unreachable || outcomes[0].Verdict != channel.Unsent || outcomes[0].Code != "UNREACHABLE" || len(s.waits) != 3 {
		t.Errorf("%+v, %v after waits %v", outcomes, err, s.waits)
	}
	st.peer = outbound.NewPeer(outbound.PeerConfig{Retry: st.cfg.Retry})
	outcomes, err = st.Push(t.Context(), batch(1))
	if fault.CodeOf(err) != fault.AddressRefused || outcomes[0].Verdict != channel.Unsent || len(s.waits) != 3 {
		t.Errorf("inside: %+v, %v after waits %v", outcomes, err, s.waits)
	}
}

// One batch the store chokes on must not hold up the others; a store that answers none must not be hammered.
func TestStoreIsGivenUpAfterBatchesInARowWithoutAnswer(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		answer http.HandlerFunc
		want   fault.Code
	}{{status(500, "oops"), fault.Unreachable}, {lost, fault.Unreachable}, {status(200, "<html>"), fault.BadReply}} {
		s := newShop(t, c.answer)
		st := s.store(t, Config{Options: outbound.Options{Retry: outbound.Retry{Tries: 1}}})
		for i := range 5 {
			if i == 2 { // an answer to anything breaks the row
				st.cfg.URL = answering(t)
			}
			_, err := st.Push(t.Context(), batch(1))
			if err != nil {
				t.Fatalf("batch %d: %v", i, err)
			}
			st.cfg.URL = s.URL
		}
		if _, err := st.Push(t.Context(), batch(1)); fault.CodeOf(err) != c.want || !strings.Contains(err.Error(), "3 batches in a row") {
			t.Errorf("the third in a row: %v", err)
		}
	}
}

func answering(t *testing.T) string {
	t.Helper()
	s := httptest.NewServer(status(422, "no"))
	t.Cleanup(s.Close)
	return s.URL
}

// channel.Sink: "a canceled context returns at once with what is known and the context's error".
func TestCanceledPushTellsWhatWasSent(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		answer http.HandlerFunc
		want   channel.Verdict
	}{
		"under way":        {hang, channel.Unknown},
		"between attempts": {status(500, ""), channel.Unknown},
		"told to wait":     {status(429, ""), channel.Unsent},
		"canceled before":  {nil, channel.Unsent},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			if c.answer == nil {
				cancel()
			}
			s := newShop(t, func(w http.ResponseWriter, r *http.Request) {
				if name == "under way" {
					cancel()
				}
				c.answer(w, r)
			})
			sleep := s.clock.Sleep
			s.clock.Sleep = func(ctx context.Context, d time.Duration) error {
				cancel()
				return sleep(ctx, d)
			}
			outcomes, err := s.store(t, Config{}).Push(ctx, batch(2))
			if !errors.Is(err, context.Canceled) || !slices.Equal(verdicts(outcomes), []channel.Verdict{c.want, c.want}) {
				t.Errorf("%+v, %v", outcomes, err)
			}
		})
	}
}

// spec 5.2: "secrets go in and never come out", not even in the words of a store that repeats them.
func TestSecretsAreNotRepeated(t *testing.T) {
	t.Parallel()
	const token = "tok-1234567890"
	for name, answer := range map[string]http.HandlerFunc{
		"400": status(400, "you sent "+token), "401": status(401, token), "500": status(500, token), "HTML": status(200, "<p>"+token),
		"item": status(200, `{"results":[{"sku":"SKU-0","status":"error","message":"`+token+`"}]}`),
	} {
		st := newShop(t, answer).store(t, Config{Token: token})
		outcomes, err := st.Push(t.Context(), batch(1))
		if got := fmt.Sprint(outcomes, err); strings.Contains(got, token) || !strings.Contains(got, "[secret]") {
			t.Errorf("%s: %s", name, got)
		}
		if words, err := st.Test(t.Context()); strings.Contains(fmt.Sprint(words, err), token) {
			t.Errorf("%s: %s, %v", name, words, err)
		}
	}
}

func BenchmarkPush(b *testing.B) {
	srv := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { io.Copy(io.Discard, r.Body) }))
	defer srv.Close()
	st, err := New(Config{URL: srv.URL, Token: "t", SigningSecret: "s", Options: outbound.Options{Network: outbound.Policy{AllowPrivate: true}}})
	if err != nil {
		b.Fatal(err)
	}
	defer st.Close()
	levels := batch(250)
	b.SetParallelism(2)
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			if outcomes, err := st.Push(b.Context(), levels); err != nil || outcomes[249].Verdict != channel.Acknowledged {
				b.Error(outcomes[249], err)
			}
		}
	})
	b.ReportMetric(float64(b.N)*250/b.Elapsed().Seconds(), "levels/s")
}

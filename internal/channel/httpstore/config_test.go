package httpstore

import (
	"errors"
	"net/http"
	"strings"
	"testing"

	"stockbridge/internal/channel"
	"stockbridge/internal/fault"
)

func TestTestIsHarmlessAndTellsWhatCameBack(t *testing.T) {
	t.Parallel()
	s := newShop(t, status(200, `{"results":[]}`))
	words, err := s.store(t, Config{Token: "t", Store: "st"}).Test(t.Context())
	if err != nil || !strings.Contains(words, "200 OK") || !strings.Contains(words, s.URL) {
		t.Errorf("%q, %v", words, err)
	}
	if r := s.sent()[0]; r.body != `{"store":"st","run":"test","levels":[]}` || r.header.Get("Authorization") == "" || r.header.Get("Idempotency-Key") == "" {
		t.Errorf("sent %+v", r)
	}
	for want, answer := range map[fault.Code]http.HandlerFunc{
		fault.CredentialsRefused: status(401, ""), fault.Refused: status(404, ""), fault.Unreachable: status(500, ""),
		fault.Throttled: status(429, ""), fault.BadReply: status(200, "hello"),
	} {
		s := newShop(t, answer)
		if _, err := s.store(t, Config{}).Test(t.Context()); fault.CodeOf(err) != want || len(s.sent()) != 1 {
			t.Errorf("%s: %v after %d requests", want, err, len(s.sent()))
		}
	}
}

func TestConfigurationIsChecked(t *testing.T) {
	t.Parallel()
	const u = "https://shop.example.com/hook?x=1"
	for name, c := range map[string]struct {
		cfg   Config
		field string
	}{
		"right":            {Config{URL: u}, ""},
		"all bounds":       {Config{URL: "http://[::1]:8080", BatchSize: 10_000, Concurrency: 64, PerSecond: 0.1, Token: "ü"}, ""},
		"no url":           {Config{}, "url"},
		"no host":          {Config{URL: "https:///x"}, "url"},
		"other scheme":     {Config{URL: "ftp://x"}, "url"},
		"password":         {Config{URL: "https://u:hunter2@x"}, "url"},
		"bad, with secret": {Config{URL: "https://u:hunter2@x:y:z"}, "url"},
		"fragment":         {Config{URL: u + "#top"}, "url"},
		"token of lines":   {Config{URL: u, Token: "hunter2\r\nX: y"}, "token"},
		"batch":            {Config{URL: u, BatchSize: 10_001}, "batchSize"},
		"negative batch":   {Config{URL: u, BatchSize: -1}, "batchSize"},
		"concurrency":      {Config{URL: u, Concurrency: 65}, "concurrency"},
		"rate":             {Config{URL: u, PerSecond: -1}, "requestsPerSecond"},
	} {
		st, err := New(c.cfg)
		var f *fault.Error
		if errors.As(err, &f) != (c.field != "") || f != nil && (f.Field[0] != c.field || strings.Contains(f.Error(), "hunter2")) {
			t.Errorf("%s: %v", name, err)
		}
		if err == nil {
			st.Close()
		}
	}
	st, err := New(Config{URL: u})
	if err != nil || st.Capabilities() != (channel.Capabilities{MaxBatch: 250, Concurrency: 4, Semantics: channel.Available}) {
		t.Errorf("defaults: %+v, %v", st.Capabilities(), err)
	}
}

package main

import (
	"io"
	"net/http"
	"path/filepath"
	"strings"
	"testing"

	"stockbridge/internal/database/dbtest"
)

// do sends a request as an admin, and returns the answer's text.
func (s *instance) do(t *testing.T, method, path, body, key string) (*http.Response, string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, s.url+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header = http.Header{"Authorization": {"Bearer " + s.token}, "Content-Type": {"application/json"}}
	if key != "" {
		req.Header.Set("Idempotency-Key", key)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp, string(text)
}

// A change that is sent again has the same answer, createToken's secret and user errors included, also after a restart.
func TestSentAgain(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"sqlite", "postgres"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			url := dbtest.URL(t, name)
			s := serve(t, url, "--admin-token="+adminToken)
			const token = `{"query":"mutation { createToken(input: {name: \"t\", role: ADMIN}) { secret token { id } userErrors { code } } }"}`
			const blank = `{"query":"mutation { createMerchant(input: {name: \" \"}) { merchant { id } userErrors { code message } } }"}`
			_, secret := s.do(t, "POST", "/graphql", token, "a")
			_, refused := s.do(t, "POST", "/graphql", blank, "b")
			if !strings.Contains(secret, "sbt_") || !strings.Contains(refused, "BLANK") {
				t.Fatal(secret, refused)
			}
			if err := s.stop(); err != nil {
				t.Fatal(err)
			}
			s = serve(t, url, "--admin-token="+adminToken)
			for body, want := range map[string]string{token: secret, blank: refused} {
				key := map[string]string{token: "a", blank: "b"}[body]
				if resp, got := s.do(t, "POST", "/graphql", body, key); dataOf(got) != dataOf(want) || resp.Header.Get("Idempotency-Replayed") != "true" {
					t.Errorf("got %s, want %s", got, want)
				}
			}
			var tokens struct{ Tokens struct{ TotalCount int } }
			if s.ask(t, &tokens, `{ tokens(where: {name: {eq: "t"}}) { totalCount } }`, nil); tokens.Tokens.TotalCount != 1 {
				t.Errorf("%d tokens were made", tokens.Tokens.TotalCount)
			}
		})
	}
}

// dataOf is an answer without what is told beside it, such as what is left of a budget.
func dataOf(answer string) string {
	data, _, _ := strings.Cut(answer, `,"extensions":`)
	return data
}

// spec 5.4: what syncs did is told at /metrics.
func TestMetricsOfSyncs(t *testing.T) {
	t.Parallel()
	s, shop := serve(t, dbtest.URL(t, "sqlite"), "--admin-token="+adminToken, "--allow-private-endpoints"), openShop(t, nil)
	_, warehouse, _, connection := s.connect(t, shop)
	s.report(t, warehouse, "HELMET", 4)
	s.sync(t, connection)
	shop.expect(t, "HELMET 4")
	text := ""
	for !strings.Contains(text, `stockbridge_syncs_total{status="SUCCEEDED"} 1`) && t.Context().Err() == nil {
		_, text = s.do(t, "GET", "/metrics", "", "")
	}
	for _, want := range []string{"stockbridge_levels_pushed_total 1", "stockbridge_levels_failed_total 0", "stockbridge_syncs_running 0"} {
		if !strings.Contains(text, want) {
			t.Errorf("there is no %s in\n%s", want, text)
		}
	}
}

// A setting that makes no sense is a usage error that names the flag.
func TestSettingsThatMakeNoSense(t *testing.T) {
	t.Parallel()
	free := "--database=sqlite://" + filepath.Join(t.TempDir(), "x.db")
	for _, args := range [][]string{
		{"--keep", "23h"}, {"--keep=-1h"}, {"--max-syncs", "0"}, {"--max-syncs", "1001"}, {"--schedule-jitter", "61m"}, {"--schedule-jitter=-1s"},
		{"--oidc-issuer", "https://login.example.com"}, {"--oidc-issuer", "http://login.example.com", "--oidc-audience", "a"}, {"--oidc-issuer", "nowhere", "--oidc-audience", "a"}, {"--oidc-audience", "a"},
	} {
		_, _, err := run(t, nil, append([]string{"serve", "--listen=127.0.0.1:0", free}, args...)...)
		if flag, _, _ := strings.Cut(args[0], "="); exitCode(err) != 2 || !strings.Contains(err.Error(), flag) {
			t.Errorf("%v: %v", args, err)
		}
	}
}

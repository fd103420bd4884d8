package server

import (
	"context"
	"net/http"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"

	"stockbridge/internal/access"
	"stockbridge/internal/fault"
)

// spec 5.3, 5.4: metrics are for an ADMIN, and tell of requests, subscriptions, the runtime and what else is counted.
func TestMetrics(t *testing.T) {
	t.Parallel()
	r := start(t, func(c *Config) {
		more := prometheus.NewCounter(prometheus.CounterOpts{Name: "more_total", Help: "More."})
		more.Add(3)
		c.Metrics = []prometheus.Collector{more}
		c.Authenticate = func(_ context.Context, secret string) (*access.Viewer, error) {
			roles := map[string]access.Role{"good": access.Admin, "partner": access.Partner, "operator": access.Operator}
			if role, ok := roles[secret]; ok {
				return &access.Viewer{Name: secret, Role: role}, nil
			}
			return nil, fault.New(fault.Unauthenticated, "unknown token")
		}
	})
	for head, want := range map[string]string{"Accept: */*": "401 UNAUTHENTICATED", "Authorization: Bearer bad": "401 UNAUTHENTICATED", "Authorization: Bearer partner": "403 FORBIDDEN", "Authorization: Bearer operator": "403 FORBIDDEN"} {
		resp, body := r.do(t, "GET", "/metrics", "", head)
		if got := resp.Status[:4] + codeOf(t, body); got != want {
			t.Errorf("%s: %s, want %s", head, got, want)
		}
	}
	r.do(t, "POST", "/graphql", quoted("{ who }"), signedIn, asJSON)
	r.do(t, "GET", "/nothing/here", "", signedIn)

	req, _ := http.NewRequestWithContext(t.Context(), "POST", r.url+"/graphql", strings.NewReader(quoted("subscription { ticks(n: 1) }")))
	req.Header = http.Header{"Authorization": {"Bearer good"}, "Content-Type": {"application/json"}, "Accept": {"text/event-stream"}}
	stream, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	resp, body := r.do(t, "GET", "/metrics", "", signedIn)
	if err := stream.Body.Close(); err != nil {
		t.Error(err)
	}
	for _, want := range []string{
		`stockbridge_http_requests_total{code="200",path="/graphql"} 1`, `stockbridge_http_requests_total{code="404",path="other"} 1`,
		`stockbridge_http_requests_total{code="401",path="/metrics"} 2`, `stockbridge_http_request_seconds_count{path="/graphql"} 1`,
		"stockbridge_subscriptions 1", "more_total 3", "go_goroutines",
	} {
		if !strings.Contains(body, want) {
			t.Errorf("there is no %s", want)
		}
	}
	if resp.StatusCode != 200 || t.Failed() {
		t.Log(resp.Status, body)
	}
}

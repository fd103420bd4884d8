package server

import (
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"stockbridge/internal/access"
	"stockbridge/internal/fault"
)

// metrics are what /metrics tells (spec 5.4). Labels hold nothing that a client can choose.
type metrics struct {
	page          http.Handler
	requests      *prometheus.CounterVec
	seconds       *prometheus.HistogramVec
	subscriptions prometheus.Gauge
}

func newMetrics(more []prometheus.Collector) *metrics {
	m := &metrics{
		requests: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "stockbridge_http_requests_total", Help: "Requests that ended, by path and status code."}, []string{"path", "code"}),
		seconds: prometheus.NewHistogramVec(prometheus.HistogramOpts{Name: "stockbridge_http_request_seconds", Help: "How long requests took, by path. Streams count when they end, sockets when they open.",
			Buckets: []float64{.005, .02, .1, .5, 2, 10, 60, 600}}, []string{"path"}),
		subscriptions: prometheus.NewGauge(prometheus.GaugeOpts{Name: "stockbridge_subscriptions", Help: "Subscriptions under way."}),
	}
	registry := prometheus.NewRegistry()
	registry.MustRegister(append(more, m.requests, m.seconds, m.subscriptions, collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))...)
	m.page = promhttp.HandlerFor(registry, promhttp.HandlerOpts{})
	return m
}

// count counts a request that has ended. Paths that lead nowhere are one.
func (m *metrics) count(r *http.Request, status int, took time.Duration) {
	path := r.Pattern[strings.IndexByte(r.Pattern, ' ')+1:] // without the method
	if path == "" {
		path = "other"
	}
	m.requests.WithLabelValues(path, strconv.Itoa(status)).Inc()
	m.seconds.WithLabelValues(path).Observe(took.Seconds())
}

// metricsPage shows the metrics to an ADMIN, for they are of all merchants.
func (s *Server) metricsPage(w http.ResponseWriter, r *http.Request) {
	ctx, _, err := s.signIn(r.Context(), r.Header.Values("Authorization"))
	if err != nil {
		s.refuseSignIn(w, r, err)
		return
	}
	if v, err := access.From(ctx); err != nil || v.Role != access.Admin {
		refuse(w, http.StatusForbidden, fault.Forbidden, "metrics are of all merchants, and so for an ADMIN only")
		return
	} else if documentsAlone(w, v) {
		return
	}
	w.Header().Set("Cache-Control", "no-store")
	s.metrics.page.ServeHTTP(w, r)
}

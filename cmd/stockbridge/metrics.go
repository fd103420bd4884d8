package main

import (
	"github.com/prometheus/client_golang/prometheus"

	"stockbridge/internal/pipeline"
)

// syncMetrics tells Prometheus what a pipeline has done.
type syncMetrics struct{ *pipeline.Pipeline }

func describe(name, help string, labels ...string) *prometheus.Desc {
	return prometheus.NewDesc("stockbridge_"+name, help, labels, nil)
}

// Describe names nothing ahead: what Collect gives is taken as it comes.
func (syncMetrics) Describe(chan<- *prometheus.Desc) {}

// Collect gives the figures as they are now.
func (m syncMetrics) Collect(to chan<- prometheus.Metric) {
	t := m.Totals()
	ended := describe("syncs_total", "Syncs that ended in this process, by status.", "status")
	for status, n := range t.Ended {
		to <- prometheus.MustNewConstMetric(ended, prometheus.CounterValue, float64(n), string(status))
	}
	to <- prometheus.MustNewConstMetric(describe("syncs_running", "Syncs under way in this process."), prometheus.GaugeValue, float64(t.Running))
	to <- prometheus.MustNewConstMetric(describe("leases_held", "Leases that this process holds among its replicas."), prometheus.GaugeValue, float64(t.Leases))
	to <- prometheus.MustNewConstMetric(describe("sessions_lost_total", "Times that this process lost its session in the database, and all leases with it."), prometheus.CounterValue, float64(t.Lost))
	to <- prometheus.MustNewConstMetric(describe("replicas_taken_over_total", "Replicas that were gone and whose work this process took over."), prometheus.CounterValue, float64(t.TakenOver))
	to <- prometheus.MustNewConstMetric(describe("levels_pushed_total", "Levels that stores took."), prometheus.CounterValue, float64(t.Pushed))
	to <- prometheus.MustNewConstMetric(describe("levels_failed_total", "Levels that stores did not take."), prometheus.CounterValue, float64(t.Failed))
}

package telemetry

import (
	"time"

	grpcprom "github.com/grpc-ecosystem/go-grpc-middleware/providers/prometheus"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"

	"github.com/brokerd/brokerd/internal/broker"
	"github.com/brokerd/brokerd/internal/spool"
)

// Metrics are the daemon's Prometheus metrics, in a registry of their own.
type Metrics struct {
	registry *prometheus.Registry
	// RPC counts calls and their durations; its interceptors go into the server.
	RPC *grpcprom.ServerMetrics

	uploads    *prometheus.CounterVec
	bytes      *prometheus.CounterVec
	seconds    *prometheus.HistogramVec
	lastStored *prometheus.GaugeVec
	refreshes  *prometheus.CounterVec
	refreshSec *prometheus.HistogramVec
	asked      *prometheus.CounterVec
	spooled    *prometheus.CounterVec
	spoolBytes *prometheus.CounterVec
	spoolEvent *prometheus.CounterVec

	verification verification
}

// NewMetrics makes the metrics of a daemon of this version.
func NewMetrics(version string) *Metrics {
	m := &Metrics{
		registry: prometheus.NewRegistry(),
		RPC:      grpcprom.NewServerMetrics(),
		uploads: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "brokerd_uploads_total", Help: "Finished uploads, by destination and reason (STORED, or the reason of the failure).",
		}, []string{"destination", "reason"}),
		bytes: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "brokerd_upload_bytes_total", Help: "Bytes of stored objects.",
		}, []string{"destination"}),
		seconds: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "brokerd_upload_duration_seconds", Help: "Time from the header to the confirmation by S3, for stored objects.",
			Buckets: prometheus.ExponentialBuckets(0.005, 2.5, 12),
		}, []string{"destination"}),
		lastStored: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: "brokerd_last_stored_timestamp_seconds", Help: "When the destination last stored an object. Alert on its age.",
		}, []string{"destination"}),
		refreshes: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "brokerd_session_refreshes_total", Help: "Refreshes of role sessions, by result (ok, SESSION_DENIED, SESSION_UNAVAILABLE).",
		}, []string{"destination", "result"}),
		refreshSec: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "brokerd_session_refresh_duration_seconds", Help: "Duration of a refresh.",
			Buckets: prometheus.ExponentialBuckets(0.01, 2.5, 9),
		}, []string{"destination"}),
	}
	m.asked = prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "brokerd_credentials_requests_total", Help: "Requests for credentials, by interface (grpc, token, socket) and outcome (OK, " +
			"or the reason of the refusal).",
	}, []string{"destination", "via", "outcome"})
	m.spooled = prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "brokerd_spool_accepted_total", Help: "Objects that the spool has accepted.",
	}, []string{"destination"})
	m.spoolBytes = prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "brokerd_spool_accepted_bytes_total", Help: "Bytes of objects that the spool has accepted.",
	}, []string{"destination"})
	m.spoolEvent = prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "brokerd_spool_events_total", Help: "Events of the spool, by kind (delivered, retried, parked, resumed, dead, dropped, " +
			"quarantined, unreadable, recovered, receipt-lost, file_pending_removal) and reason.",
	}, []string{"destination", "kind", "reason"})
	m.verification = newVerification()
	info := prometheus.NewGauge(prometheus.GaugeOpts{
		Name: "brokerd_build_info", Help: "Always 1; the version is the label.", ConstLabels: prometheus.Labels{"version": version},
	})
	info.Set(1)
	m.registry.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}),
		info, m.RPC, m.uploads, m.bytes, m.seconds, m.lastStored, m.refreshes, m.refreshSec, m.asked, m.spooled, m.spoolBytes, m.spoolEvent,
		m.verification.runs, m.verification.seconds)
	return m
}

// Watch registers gauges that are read when they are scraped.
func (m *Metrics) Watch(statuses func() []broker.Status, memory func() (bytes int64, uploads int), budget int64) {
	m.registry.MustRegister(
		&sessionCollector{statuses, newSessionDescs()},
		prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: "brokerd_memory_used_bytes", Help: "Bytes of the body budget in use."},
			func() float64 { b, _ := memory(); return float64(b) }),
		prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: "brokerd_open_uploads", Help: "Uploads in progress."},
			func() float64 { _, n := memory(); return float64(n) }),
		prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: "brokerd_memory_budget_bytes", Help: "Size of the body budget."},
			func() float64 { return float64(budget) }),
	)
}

// UploadEnded counts an upload. reason is STORED or a reason of failure.
func (m *Metrics) UploadEnded(destination, reason string, bytes int64, took time.Duration) {
	m.uploads.WithLabelValues(destination, reason).Inc()
	if reason != "STORED" {
		return
	}
	m.bytes.WithLabelValues(destination).Add(float64(bytes))
	m.seconds.WithLabelValues(destination).Observe(took.Seconds())
	m.lastStored.WithLabelValues(destination).SetToCurrentTime()
}

// SessionRefreshed implements broker.Observer.
func (m *Metrics) SessionRefreshed(destinations []string, _ *broker.Session, err error, took time.Duration) {
	result := "ok"
	if err != nil {
		result = string(broker.ReasonOf(err))
	}
	for _, d := range destinations {
		m.refreshes.WithLabelValues(d, result).Inc()
		m.refreshSec.WithLabelValues(d).Observe(took.Seconds())
	}
}

// CredentialsAsked implements vend.Observer.
func (m *Metrics) CredentialsAsked(destination, via, outcome string) {
	m.asked.WithLabelValues(destination, via, outcome).Inc()
}

// sessionCollector computes the remaining life when it is scraped, so that the gauge
// falls by itself.
type sessionCollector struct {
	statuses func() []broker.Status
	descs    sessionDescs
}

// sessionDescs are the metrics of each session. Destinations that share one have
// equal values.
type sessionDescs struct{ life, served, vended, waiters, calls, limited *prometheus.Desc }

func newSessionDescs() sessionDescs {
	of := func(name, help string, more ...string) *prometheus.Desc {
		return prometheus.NewDesc("brokerd_session_"+name, help, append([]string{"destination"}, more...), nil)
	}
	return sessionDescs{
		life:    of("expires_in_seconds", "Life left in the session; absent when there is none or it does not expire."),
		served:  of("served_total", "Uses of the session by deliveries, by its state then (fresh, due, critical).", "state"),
		vended:  of("vended_total", "Sessions of their own that peers were given."),
		waiters: of("waiters", "Callers that wait for a refresh now."),
		calls:   of("sts_calls_total", "Attempts to fetch the session from STS."),
		limited: of(
			"limiter_wait_seconds_total",
			"Seconds that refreshes waited for the rate limiter of STS calls (five a second for one source identity).",
		),
	}
}

// Describe implements prometheus.Collector.
func (c *sessionCollector) Describe(ch chan<- *prometheus.Desc) {
	d := c.descs
	for _, desc := range []*prometheus.Desc{d.life, d.served, d.vended, d.waiters, d.calls, d.limited} {
		ch <- desc
	}
}

// Collect implements prometheus.Collector.
func (c *sessionCollector) Collect(ch chan<- prometheus.Metric) {
	d := c.descs
	for _, s := range c.statuses() {
		tell := func(desc *prometheus.Desc, kind prometheus.ValueType, v float64, labels ...string) {
			ch <- prometheus.MustNewConstMetric(desc, kind, v, append([]string{s.Destination}, labels...)...)
		}
		if !s.Expires.IsZero() {
			tell(d.life, prometheus.GaugeValue, time.Until(s.Expires.Round(0)).Seconds())
		}
		tell(d.served, prometheus.CounterValue, float64(s.ServedFresh), "fresh")
		tell(d.served, prometheus.CounterValue, float64(s.ServedDue), "due")
		tell(d.served, prometheus.CounterValue, float64(s.ServedCritical), "critical")
		tell(d.vended, prometheus.CounterValue, float64(s.Vended))
		tell(d.waiters, prometheus.GaugeValue, float64(s.Waiters))
		tell(d.calls, prometheus.CounterValue, float64(s.STSCalls))
		tell(d.limited, prometheus.CounterValue, s.LimiterWait.Seconds())
	}
}

// WatchLog registers metrics of the log; stats is called when they are scraped.
func (m *Metrics) WatchLog(stats func() LogStats) {
	m.registry.MustRegister(
		prometheus.NewCounterFunc(prometheus.CounterOpts{Name: "brokerd_log_dropped_lines_total",
			Help: "Log lines that were dropped because the reader of the log did not keep up or was gone. Alert on any increase."},
			func() float64 { return float64(stats().Dropped) }),
		prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: "brokerd_log_stalled_seconds",
			Help: "How long the reader of the log has taken nothing; 0 while it keeps up."},
			func() float64 { return stats().Stalled.Seconds() }),
		prometheus.NewGaugeFunc(
			prometheus.GaugeOpts{Name: "brokerd_log_queue_bytes", Help: "Bytes of log lines that wait for the reader of the log."},
			func() float64 { return float64(stats().QueuedBytes) },
		),
	)
}

// WatchUnrecovered registers a gauge of the files that the spool cannot deliver.
func (m *Metrics) WatchUnrecovered(of func() spool.Unrecovered) {
	m.registry.MustRegister(&unrecoveredCollector{of, prometheus.NewDesc("brokerd_spool_unrecovered_files",
		"Files of accepted objects that cannot be delivered, by state (unreadable, quarantined). Alert on any above 0.", []string{"state"}, nil)})
}

type unrecoveredCollector struct {
	of    func() spool.Unrecovered
	files *prometheus.Desc
}

// Describe implements prometheus.Collector.
func (c *unrecoveredCollector) Describe(ch chan<- *prometheus.Desc) { ch <- c.files }

// Collect implements prometheus.Collector.
func (c *unrecoveredCollector) Collect(ch chan<- prometheus.Metric) {
	u := c.of()
	ch <- prometheus.MustNewConstMetric(c.files, prometheus.GaugeValue, float64(u.Unreadable), "unreadable")
	ch <- prometheus.MustNewConstMetric(c.files, prometheus.GaugeValue, float64(u.Quarantined), "quarantined")
}

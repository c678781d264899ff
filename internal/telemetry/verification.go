package telemetry

import (
	"github.com/prometheus/client_golang/prometheus"

	"github.com/brokerd/brokerd/internal/monitor"
	"github.com/brokerd/brokerd/internal/verify/report"
)

// verification are the metrics of the daemon's own verification.
type verification struct {
	runs    *prometheus.CounterVec
	seconds *prometheus.HistogramVec
}

func newVerification() verification {
	return verification{
		runs: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "brokerd_verify_runs_total", Help: "Verifications by the daemon itself, by what they found (pass, fail, unknown).",
		}, []string{"destination", "result"}),
		seconds: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "brokerd_verify_duration_seconds", Help: "Time that a verification by the daemon itself took.",
			Buckets: prometheus.ExponentialBuckets(0.05, 2.5, 8),
		}, []string{"destination"}),
	}
}

// VerificationEnded counts a verification that the daemon made by itself.
func (m *Metrics) VerificationEnded(s monitor.State) {
	m.verification.runs.WithLabelValues(s.Destination, string(s.Result)).Inc()
	m.verification.seconds.WithLabelValues(s.Destination).Observe(s.Took.Seconds())
}

// WatchVerification registers gauges of the last verification; states is called when
// they are scraped.
func (m *Metrics) WatchVerification(states func() []monitor.State) {
	of := func(name, help string, labels ...string) *prometheus.Desc {
		return prometheus.NewDesc("brokerd_verify_"+name, help, append([]string{"destination"}, labels...), nil)
	}
	m.registry.MustRegister(&verificationCollector{
		states: states,
		result: of(
			"result",
			"1 for what the daemon's own verification found last (pass, fail, unknown), 0 for the others; absent before the first. "+
				"fail is the one to alert on.",
			"result",
		),
		problem: of(
			"problem",
			"1 for each code that the last verification found failed or undecided; brokerctl explain CODE says what to do.",
			"code",
			"result",
		),
		checked: of("last_run_timestamp_seconds", "When the last verification ended."),
		since:   of("since_timestamp_seconds", "Since when the result has been what it is, by the same causes."),
	})
}

type verificationCollector struct {
	states                          func() []monitor.State
	result, problem, checked, since *prometheus.Desc
}

// Describe implements prometheus.Collector.
func (c *verificationCollector) Describe(ch chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{c.result, c.problem, c.checked, c.since} {
		ch <- d
	}
}

// Collect implements prometheus.Collector.
func (c *verificationCollector) Collect(ch chan<- prometheus.Metric) {
	for _, s := range c.states() {
		if s.Result == "" {
			continue
		}
		tell := func(d *prometheus.Desc, v float64, labels ...string) {
			ch <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, v, append([]string{s.Destination}, labels...)...)
		}
		for _, r := range []report.Result{report.Pass, report.Fail, report.Unknown} {
			v := 0.0
			if r == s.Result {
				v = 1
			}
			tell(c.result, v, string(r))
		}
		told := make(map[string]bool)
		for _, p := range s.Problems {
			if id := p.Code + " " + string(p.Result); p.Code != "" && !told[id] {
				told[id] = true
				tell(c.problem, 1, p.Code, string(p.Result))
			}
		}
		tell(c.checked, float64(s.Checked.UnixNano())/1e9)
		tell(c.since, float64(s.Since.UnixNano())/1e9)
	}
}

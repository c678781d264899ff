package telemetry

import (
	"github.com/prometheus/client_golang/prometheus"

	"github.com/brokerd/brokerd/internal/spool"
)

// UploadSpooled counts an object that the spool has accepted.
func (m *Metrics) UploadSpooled(destination string, bytes int64) {
	m.spooled.WithLabelValues(destination).Inc()
	m.spoolBytes.WithLabelValues(destination).Add(float64(bytes))
}

// SpoolEvent counts an event of the spool.
func (m *Metrics) SpoolEvent(e spool.Event) {
	if e.Kind == spool.EventAccepted {
		return // counted by UploadSpooled, once the caller is about to hear of it
	}
	m.spoolEvent.WithLabelValues(e.Destination, string(e.Kind), e.Reason).Inc()
}

// WatchSpool registers gauges of the spool's content; usage is called when they
// are scraped.
func (m *Metrics) WatchSpool(usage func() []spool.Usage) {
	of := func(name, help string, labels ...string) *prometheus.Desc {
		return prometheus.NewDesc("brokerd_spool_"+name, help, append([]string{"destination"}, labels...), nil)
	}
	m.registry.MustRegister(&spoolCollector{
		usage:   usage,
		objects: of("objects", "Objects in the spool, by state (queued, delivering, parked, dead).", "state"),
		bytes:   of("bytes", "Bytes of objects in the spool, by state.", "state"),
		oldest:  of("oldest_timestamp_seconds", "When the oldest object that waits was received; absent when none does."),
		parked:  of("parked", "1 while the destination is parked: everything is kept and nothing but a probe is sent."),
		flight:  of("in_flight", "Deliveries under way."),
		window:  of("in_flight_limit", "Most deliveries under way at a time, as the answers of AWS allow now."),
	})
}

type spoolCollector struct {
	usage                                          func() []spool.Usage
	objects, bytes, oldest, parked, flight, window *prometheus.Desc
}

// Describe implements prometheus.Collector.
func (c *spoolCollector) Describe(ch chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{c.objects, c.bytes, c.oldest, c.parked, c.flight, c.window} {
		ch <- d
	}
}

// Collect implements prometheus.Collector.
func (c *spoolCollector) Collect(ch chan<- prometheus.Metric) {
	for _, u := range c.usage() {
		tell := func(d *prometheus.Desc, v float64, labels ...string) {
			ch <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, v, append([]string{u.Destination}, labels...)...)
		}
		for _, s := range []struct {
			name    string
			objects int
			bytes   int64
		}{{"queued", u.Queued, u.QueuedBytes}, {"delivering", u.Delivering, u.DeliveringBytes}, {"parked", u.Parked, u.ParkedBytes},
			{"dead", u.Dead, u.DeadBytes}} {
			tell(c.objects, float64(s.objects), s.name)
			tell(c.bytes, float64(s.bytes), s.name)
		}
		if !u.Oldest.IsZero() {
			tell(c.oldest, float64(u.Oldest.UnixNano())/1e9)
		}
		parked := 0.0
		if u.ParkedReason != "" {
			parked = 1
		}
		tell(c.parked, parked)
		tell(c.flight, float64(u.InFlight))
		tell(c.window, float64(u.Window))
	}
}

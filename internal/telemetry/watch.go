package telemetry

import (
	"github.com/prometheus/client_golang/prometheus"

	"github.com/brokerd/brokerd/internal/watch"
)

// WatchFiles registers the metrics of watched files; status is called when they are
// scraped. A daemon without watches exports none.
func (m *Metrics) WatchFiles(status func() []watch.Status) {
	of := func(name, help string, labels ...string) *prometheus.Desc {
		return prometheus.NewDesc("brokerd_watch_"+name, help, append([]string{"watch", "destination"}, labels...), nil)
	}
	m.registry.MustRegister(&watchCollector{
		status: status,
		files: of("files", "Files of the watch, by state (waiting, in_flight, retrying, removing, dead, refused, left, "+
			"kept, skipped).", "state"),
		found:    of("found_total", "Files, and new contents of known files, that were found."),
		stored:   of("stored_total", "Files that were delivered."),
		bytes:    of("stored_bytes_total", "Bytes of files that were delivered."),
		failed:   of("failed_total", "Deliveries of files that failed, by kind (changed, dead, other).", "kind"),
		refused:  of("refused_total", "Files that must not be read: another owner, a link, another kind of file."),
		oldest:   of("oldest_timestamp_seconds", "Modification time of the oldest file that is to be delivered; absent without one."),
		last:     of("last_stored_timestamp_seconds", "When a file was delivered last; absent before the first one."),
		paused:   of("paused", "1 while the destination takes no file: everything stays, and one file at a time probes it."),
		problems: of("problems", "Directories that cannot be read or do not exist, and 1 for too many files."),
		scan:     of("scan_duration_seconds", "Duration of the last scan."),
	})
}

type watchCollector struct {
	status                                                                             func() []watch.Status
	files, found, stored, bytes, failed, refused, oldest, last, paused, problems, scan *prometheus.Desc
}

// Describe implements prometheus.Collector.
func (c *watchCollector) Describe(ch chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{
		c.files, c.found, c.stored, c.bytes, c.failed, c.refused, c.oldest, c.last, c.paused, c.problems, c.scan,
	} {
		ch <- d
	}
}

// Collect implements prometheus.Collector.
func (c *watchCollector) Collect(ch chan<- prometheus.Metric) {
	for _, s := range c.status() {
		put := func(d *prometheus.Desc, kind prometheus.ValueType, v float64, labels ...string) {
			ch <- prometheus.MustNewConstMetric(d, kind, v, append([]string{s.Watch, s.Destination}, labels...)...)
		}
		gauge := func(d *prometheus.Desc, v float64, labels ...string) { put(d, prometheus.GaugeValue, v, labels...) }
		count := func(d *prometheus.Desc, n uint64, labels ...string) {
			put(d, prometheus.CounterValue, float64(n), labels...)
		}
		for _, state := range []watch.State{
			watch.Waiting, watch.InFlight, watch.Retrying, watch.Removing, watch.DeadFile, watch.Refused, watch.Left, watch.Kept, watch.Skipped,
		} {
			gauge(c.files, float64(s.Files[state]), string(state))
		}
		n := s.Counts
		count(c.found, n.Found)
		count(c.stored, n.Stored)
		count(c.bytes, uint64(n.Bytes))
		count(c.failed, n.Changed, "changed")
		count(c.failed, n.Dead, "dead")
		count(c.failed, n.Failed-n.Changed-n.Dead, "other")
		count(c.refused, n.Refused)
		if !s.Oldest.IsZero() {
			gauge(c.oldest, float64(s.Oldest.UnixNano())/1e9)
		}
		if !n.LastStored.IsZero() {
			gauge(c.last, float64(n.LastStored.UnixNano())/1e9)
		}
		paused, problems := 0.0, len(s.Problems)+len(s.Missing)
		if !s.PausedSince.IsZero() {
			paused = 1
		}
		if s.Full {
			problems++
		}
		gauge(c.paused, paused)
		gauge(c.problems, float64(problems))
		gauge(c.scan, s.ScanTook.Seconds())
	}
}

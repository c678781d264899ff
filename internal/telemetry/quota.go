package telemetry

import (
	"github.com/prometheus/client_golang/prometheus"

	"github.com/brokerd/brokerd/internal/quota"
)

// partMemory is the label of the memory for parts, which is no resource of the ledger.
const partMemory = "part_memory_bytes"

// WatchQuota registers metrics of the resources that users share; the functions are
// called when they are scraped.
func (m *Metrics) WatchQuota(ledger func() []quota.Usage, memory func() quota.PoolUsage) {
	of := func(name, help string) *prometheus.Desc {
		return prometheus.NewDesc("brokerd_quota_"+name, help, []string{"resource"}, nil)
	}
	m.registry.MustRegister(&quotaCollector{
		ledger: ledger, memory: memory,
		used:    of("used", "How much of a resource that users share is in use."),
		total:   of("total", "How much of the resource there is."),
		largest: of("largest_share", "The most that one user, pod or group holds."),
		refused: of("refused_total",
			"Requests for more than the share of the user; of part memory, parts that filled too slowly and were called back."),
	})
}

type quotaCollector struct {
	ledger                        func() []quota.Usage
	memory                        func() quota.PoolUsage
	used, total, largest, refused *prometheus.Desc
}

// Describe implements prometheus.Collector.
func (c *quotaCollector) Describe(ch chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{c.used, c.total, c.largest, c.refused} {
		ch <- d
	}
}

// Collect implements prometheus.Collector.
func (c *quotaCollector) Collect(ch chan<- prometheus.Metric) {
	p := c.memory()
	parts := quota.Usage{Name: partMemory, Used: p.Used, Total: p.Total, Largest: p.Largest, Refused: p.CalledBack}
	for _, u := range append(c.ledger(), parts) {
		ch <- prometheus.MustNewConstMetric(c.used, prometheus.GaugeValue, float64(u.Used), u.Name)
		ch <- prometheus.MustNewConstMetric(c.total, prometheus.GaugeValue, float64(u.Total), u.Name)
		ch <- prometheus.MustNewConstMetric(c.largest, prometheus.GaugeValue, float64(u.Largest), u.Name)
		ch <- prometheus.MustNewConstMetric(c.refused, prometheus.CounterValue, float64(u.Refused), u.Name)
	}
}

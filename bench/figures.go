package main

import "fmt"

// verdict is the result of a figure.
type verdict string

const (
	aimMet     verdict = "aim met"
	floorMet   verdict = "floor met"
	belowFloor verdict = "BELOW THE FLOOR"
)

// figure is one line of the table: a metric of one participant, in most cases as a
// ratio to the same metric of another.
type figure struct {
	benchCase  string
	name       string
	metric     metric
	ours, peer string  // participants; without a peer, the metric itself is compared with the limits
	floor, aim float64 // in the metric's unit if there is no peer
}

// metric is one measurement of a sample.
type metric struct {
	unit   string
	of     func(sample) float64
	higher bool // a higher value is better
}

var (
	cpuPerGiB  = metric{unit: "cpu s/GiB", of: func(s sample) float64 { return s.CPU / (float64(s.Bytes) / (1 << 30)) }}
	throughput = metric{unit: "MiB/s", of: func(s sample) float64 { return float64(s.Bytes) / (1 << 20) / s.Wall }, higher: true}
	objectRate = metric{unit: "objects/s", of: func(s sample) float64 { return float64(s.Objects) / s.Wall }, higher: true}
	peakMemory = metric{unit: "MiB", of: func(s sample) float64 { return float64(s.Peak) / (1 << 20) }}
	idleMemory = metric{unit: "MiB", of: func(s sample) float64 { return float64(s.Idle) / (1 << 20) }}
	readiness  = metric{unit: "ms", of: func(s sample) float64 { return 1000 * s.Ready }}
)

// The names of the cases.
const (
	smallObjects = "16 KiB objects, 16 in flight"
	bigFile      = "big file"
	bigStream    = "big stream"
	farFile      = "big file, 20 ms a request"
	slowFile     = "big file, 20 ms a request, 90 MB/s a connection"
	manyStreams  = "64 streams at once"
	spooled      = "big stream, spooled"
	start        = "start"
)

// figures are the limits that brokerd has to meet.
var figures = []figure{
	{smallObjects, "CPU", cpuPerGiB, brokerd, sdk, 0.75, 0.45},
	{smallObjects, "objects a second", objectRate, brokerd, sdk, 1.35, 2.2},
	{bigFile, "CPU", cpuPerGiB, brokerd, sdk, 0.95, 0.80},
	{bigFile, "throughput", throughput, brokerd, sdk, 1.0, 1.15},
	{bigStream, "CPU", cpuPerGiB, brokerd, sdk, 1.75, 1.4},
	{farFile, "throughput", throughput, brokerd, transferManager, 1.4, 1.6},
	{slowFile, "throughput", throughput, brokerd, transferManager, 1.4, 1.6},
	{manyStreams, "peak RSS of brokerd", peakMemory, brokerd, "", 160, 110},
	{spooled, "CPU", cpuPerGiB, brokerdSpool, brokerd, 1.5, 1.3},
	{start, "idle RSS", idleMemory, brokerd, "", 24, 16},
	{start, "to READY", readiness, brokerd, "", 150, 60},
}

// judge compares a measured value with the figure's floor and aim.
func (f figure) judge(value float64) verdict {
	better := func(than float64) bool {
		if f.metric.higher {
			return value >= than
		}
		return value <= than
	}
	switch {
	case better(f.aim):
		return aimMet
	case better(f.floor):
		return floorMet
	}
	return belowFloor
}

// bound formats a floor or an aim.
func (f figure) bound(v float64) string {
	sign := "<="
	if f.metric.higher {
		sign = ">="
	}
	if f.peer == "" {
		return fmt.Sprintf("%s %g %s", sign, v, f.metric.unit)
	}
	return fmt.Sprintf("%s %.2f", sign, v)
}

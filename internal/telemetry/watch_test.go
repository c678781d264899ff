package telemetry

import (
	"strings"
	"testing"
	"time"

	"github.com/brokerd/brokerd/internal/watch"
)

func TestAWatchIsExported(t *testing.T) {
	m := NewMetrics("test")
	m.WatchFiles(func() []watch.Status {
		return []watch.Status{{
			Watch: "app", Destination: "logs", Files: map[watch.State]int{watch.Waiting: 2, watch.Refused: 1},
			Counts: watch.Counts{Found: 9, Stored: 5, Bytes: 50, Failed: 4, Changed: 1, Dead: 1, Refused: 3}, Oldest: time.Unix(100, 0),
			PausedSince: time.Unix(200, 0), Missing: []string{"/x"}, Full: true, ScanTook: time.Second,
		}}
	})
	families, err := m.registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]float64{}
	for _, f := range families {
		name, ours := strings.CutPrefix(f.GetName(), "brokerd_watch_")
		if !ours {
			continue
		}
		for _, s := range f.GetMetric() {
			label := ""
			for _, l := range s.GetLabel() {
				if l.GetName() == "state" || l.GetName() == "kind" {
					label = " " + l.GetValue()
				}
			}
			got[name+label] = s.GetCounter().GetValue() + s.GetGauge().GetValue()
		}
	}
	for name, want := range map[string]float64{
		"files waiting": 2, "files refused": 1, "files kept": 0, "found_total": 9, "stored_total": 5,
		"stored_bytes_total": 50, "refused_total": 3,
		"failed_total changed": 1, "failed_total dead": 1, "failed_total other": 2, "oldest_timestamp_seconds": 100, "paused": 1, "problems": 2,
		"scan_duration_seconds": 1,
	} {
		if v, ok := got[name]; !ok || v != want {
			t.Errorf("%s: got %v, %v, want %v", name, v, ok, want)
		}
	}
	if _, ok := got["last_stored_timestamp_seconds"]; ok {
		t.Error("a delivery is dated before the first one")
	}
}

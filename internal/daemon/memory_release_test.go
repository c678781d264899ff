package daemon

import "testing"

func TestMemoryIsGivenBackOnceWorkHasEnded(t *testing.T) {
	const mib = 1 << 20
	var r memoryReleaser
	for _, step := range []struct {
		name      string
		allocated uint64
		busy, due bool
	}{
		{"the start", 8 * mib, false, false},
		{"quiet after the start", 8*mib + 100<<10, false, true},
		{"quiet, and nothing to give", 8*mib + 200<<10, false, false},
		{"work", 90 * mib, true, false},
		{"a pause with an upload open", 90*mib + 1, true, false},
		{"more work, between two uploads", 95 * mib, false, false},
		{"quiet after work", 95*mib + 10, false, true},
		{"health checks", 95*mib + 200<<10, false, false},
	} {
		if got := r.due(step.allocated, step.busy); got != step.due {
			t.Errorf("%s: got due %v, want %v", step.name, got, step.due)
		}
	}
}

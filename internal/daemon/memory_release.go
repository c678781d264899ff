package daemon

import (
	"runtime/debug"
	"runtime/metrics"
)

// memoryReleaser returns freed memory to the system after work has ended. The
// collector runs rarely, because a small heap makes it expensive; without the
// releaser the process would keep the memory of its busiest minute.
type memoryReleaser struct {
	lastAllocated uint64 // total bytes allocated, at the previous check
	atRelease     uint64 // total bytes allocated, at the last release
}

const (
	// idleAllocation is the most that an idle daemon allocates between two checks.
	idleAllocation = 256 << 10
	// worthReleasing is the least that must have been allocated since the last release.
	worthReleasing = 2 << 20
)

// due reports whether to release memory, given the total bytes allocated so far.
func (r *memoryReleaser) due(allocated uint64, busy bool) bool {
	idle := !busy && allocated-r.lastAllocated <= idleAllocation
	r.lastAllocated = allocated
	if !idle || allocated-r.atRelease < worthReleasing {
		return false
	}
	r.atRelease = allocated
	return true
}

// check releases memory when that is due.
func (r *memoryReleaser) check(busy bool) {
	sample := []metrics.Sample{{Name: "/gc/heap/allocs:bytes"}}
	metrics.Read(sample)
	if sample[0].Value.Kind() == metrics.KindUint64 && r.due(sample[0].Value.Uint64(), busy) {
		debug.FreeOSMemory()
	}
}

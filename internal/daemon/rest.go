package daemon

import (
	"runtime/debug"
	"runtime/metrics"
)

// rest gives memory back to the system when work has ended. The collector is lazy,
// because a small heap makes it expensive; left alone it would keep what the start,
// or the busiest minute, has taken.
type rest struct {
	last  uint64 // bytes allocated in all, when it was last looked at
	given uint64 // the same, when memory was last given back
}

const (
	// quiet is how little may have been allocated between two looks for the daemon to be at rest.
	quiet = 256 << 10
	// worth is how much must have been allocated since memory was last given back.
	worth = 2 << 20
)

// due says whether memory is to be given back, by what was allocated in all.
func (r *rest) due(allocated uint64, busy bool) bool {
	still := !busy && allocated-r.last <= quiet
	r.last = allocated
	if !still || allocated-r.given < worth {
		return false
	}
	r.given = allocated
	return true
}

// look gives memory back when that is due.
func (r *rest) look(busy bool) {
	sample := []metrics.Sample{{Name: "/gc/heap/allocs:bytes"}}
	metrics.Read(sample)
	if sample[0].Value.Kind() == metrics.KindUint64 && r.due(sample[0].Value.Uint64(), busy) {
		debug.FreeOSMemory()
	}
}

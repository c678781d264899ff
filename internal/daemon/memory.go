package daemon

import (
	"math"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

const (
	leastBudget = 16 << 20
	mostBudget  = 48 << 20
	// leastHeap is the minimum of the collector's soft limit. Body memory is mapped and
	// does not count; unread bytes of clients do. A limit below the live heap would make
	// the collector run all the time.
	leastHeap = 48 << 20
)

// memory is the daemon's division of its memory, in bytes.
type memory struct {
	limit  int64 // of the cgroup; 0: none
	budget int64 // for bodies in flight
	heap   int64 // the collector's soft limit
}

// shareMemory derives the budget from the cgroup's limit, unless it is configured.
func shareMemory(configured, limit int64) memory {
	m := memory{limit: limit, budget: configured}
	if m.budget == 0 {
		m.budget = mostBudget
		if limit > 0 {
			m.budget = max(leastBudget, min(mostBudget, limit/4))
		}
	}
	m.heap = max(leastHeap, m.budget)
	return m
}

// cgroupLimit returns the smallest memory limit of the process's cgroup and its
// parents, in bytes; 0 when there is none or none can be read. root is
// /sys/fs/cgroup, self /proc/self/cgroup.
func cgroupLimit(root, self string) int64 {
	text, err := os.ReadFile(self)
	if err != nil {
		return 0
	}
	limit := int64(math.MaxInt64)
	for line := range strings.Lines(string(text)) {
		parts := strings.SplitN(strings.TrimSpace(line), ":", 3)
		if len(parts) != 3 {
			continue
		}
		base, file := root, "memory.max"
		switch {
		case parts[1] == "": // the unified hierarchy
		case strings.Contains(","+parts[1]+",", ",memory,"):
			base, file = filepath.Join(root, "memory"), "memory.limit_in_bytes"
		default:
			continue
		}
		// In a container the path may be the host's. Then only the root of the mount
		// counts.
		for dir := filepath.Clean("/" + parts[2]); ; dir = filepath.Dir(dir) {
			limit = min(limit, limitIn(filepath.Join(base, dir, file)))
			if dir == "/" {
				break
			}
		}
	}
	// Version 1 says "no limit" with a number near the largest.
	if limit > 1<<60 {
		return 0
	}
	return limit
}

func limitIn(path string) int64 {
	text, err := os.ReadFile(path)
	if err != nil {
		return math.MaxInt64
	}
	n, err := strconv.ParseInt(strings.TrimSpace(string(text)), 10, 64)
	if err != nil || n <= 0 {
		return math.MaxInt64
	}
	return n
}

package unixsock

import (
	"math"

	"golang.org/x/sys/unix"
)

// reserved are the file descriptors of a daemon that does nothing: log, listeners,
// configuration, spool, STS.
const reserved = 40

// DescriptorLimit returns how many file descriptors this process may have open.
func DescriptorLimit() uint64 {
	var r unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &r); err != nil {
		return math.MaxInt32
	}
	return uint64(r.Cur)
}

// Fits returns how many tasks of n descriptors each fit into the limit of this process;
// at least 2.
func Fits(n int) int {
	limit := min(DescriptorLimit(), math.MaxInt32)
	return max((int(limit)-reserved)/n, 2)
}

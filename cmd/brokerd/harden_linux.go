package main

import (
	"fmt"

	"golang.org/x/sys/unix"
)

// harden keeps the memory of this process, which holds session credentials, from other
// processes of the same user, and out of core dumps. Root can still read it.
func harden() error {
	if err := unix.Prctl(unix.PR_SET_DUMPABLE, 0, 0, 0, 0); err != nil {
		return fmt.Errorf("closing the memory to other processes (PR_SET_DUMPABLE): %w", err)
	}
	// The unit's seccomp filter refuses setrlimit, and sets the limit itself (LimitCORE=0).
	_ = unix.Setrlimit(unix.RLIMIT_CORE, &unix.Rlimit{})
	return nil
}

package main

import (
	"fmt"
	"os/exec"
	"runtime"
	"syscall"

	"golang.org/x/sys/unix"
)

// cores are the two cores of a benchmark: one for brokerd and the applications, one for
// the sink. On a machine with a single core both are that core.
type cores struct{ work, sink int }

func pickCores() (cores, error) {
	var set unix.CPUSet
	if err := unix.SchedGetaffinity(0, &set); err != nil {
		return cores{}, fmt.Errorf("asking for the cores: %w", err)
	}
	var found []int
	for cpu := 0; cpu < 8*len(set)*8 && len(found) < 2; cpu++ {
		if set.IsSet(cpu) {
			found = append(found, cpu)
		}
	}
	return cores{found[0], found[len(found)-1]}, nil
}

// startOn starts a program on one core. The program inherits the affinity of the thread
// that starts it: setting the affinity afterwards would miss the threads that the
// program has already started. The kernel kills the program if the benchmark is killed.
func startOn(cpu int, cmd *exec.Cmd) error {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	var before, one unix.CPUSet
	if err := unix.SchedGetaffinity(0, &before); err != nil {
		return err
	}
	one.Set(cpu)
	if err := unix.SchedSetaffinity(0, &one); err != nil {
		return fmt.Errorf("pinning to core %d: %w", cpu, err)
	}
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL, Setpgid: true}
	err := cmd.Start()
	if back := unix.SchedSetaffinity(0, &before); err == nil {
		err = back
	}
	return err
}

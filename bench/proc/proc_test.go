//go:build linux

package proc

import (
	"os"
	"os/exec"
	"syscall"
	"testing"
	"time"
)

func TestParseStatus(t *testing.T) {
	for _, c := range []struct {
		name, text string
		want       Memory
		fails      bool
	}{
		{name: "as the kernel writes it", text: "Name:\tbrokerd\nVmPeak:\t 1234567 kB\nVmHWM:\t   12345 kB\nVmRSS:\t    2345 kB\nThreads:\t7\n",
			want: Memory{Now: 2345 << 10, Peak: 12345 << 10}},
		{name: "a name that looks like a field", text: "Name:\tVmRSS:\nVmHWM:\t2 kB\nVmRSS:\t1 kB\n", want: Memory{Now: 1 << 10, Peak: 2 << 10}},
		{name: "a process that has ended", text: "Name:\tbrokerd\nState:\tZ (zombie)\n", fails: true},
		{name: "half of it", text: "VmRSS:\t1 kB\n", fails: true},
		{name: "another unit", text: "VmHWM:\t2 MB\nVmRSS:\t1 kB\n", fails: true},
		{name: "no number", text: "VmHWM:\tmany kB\nVmRSS:\t1 kB\n", fails: true},
		{name: "below zero", text: "VmHWM:\t-2 kB\nVmRSS:\t1 kB\n", fails: true},
		{name: "nothing", fails: true},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, err := parseStatus(c.text)
			if (err != nil) != c.fails || got != c.want {
				t.Errorf("%+v, %v", got, err)
			}
		})
	}
}

func FuzzParseStatus(f *testing.F) {
	f.Add("VmHWM:\t   12345 kB\nVmRSS:\t    2345 kB\n")
	f.Add("VmRSS:")
	f.Fuzz(func(t *testing.T, text string) {
		if m, err := parseStatus(text); err == nil && (m.Now < 0 || m.Peak < 0) {
			t.Errorf("%+v of %q", m, text)
		}
	})
}

func TestMemoryOfThisProcess(t *testing.T) {
	before, err := MemoryOf(0)
	if err != nil {
		t.Fatal(err)
	}
	const size = 64 << 20
	page, err := syscall.Mmap(-1, 0, size, syscall.PROT_READ|syscall.PROT_WRITE, syscall.MAP_ANON|syscall.MAP_PRIVATE)
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i < size; i += os.Getpagesize() {
		page[i] = 1
	}
	if err := syscall.Munmap(page); err != nil {
		t.Fatal(err)
	}
	after, err := MemoryOf(os.Getpid())
	if err != nil {
		t.Fatal(err)
	}
	if after.Peak < before.Now+size*3/4 {
		t.Errorf("the peak is %d after %d bytes were used and given back, from %d", after.Peak, size, before.Now)
	}
	if after.Now > after.Peak {
		t.Errorf("more is resident than ever was: %+v", after)
	}
}

// The clock of a process agrees with the resource usage that wait4 returns.
func TestCPUOfAnotherProcess(t *testing.T) {
	if os.Getenv("PROC_BURN") != "" {
		var usage syscall.Rusage
		for usage.Utime.Nano()+usage.Stime.Nano() < int64(100*time.Millisecond) {
			if err := syscall.Getrusage(syscall.RUSAGE_SELF, &usage); err != nil {
				t.Fatal(err)
			}
		}
		_, _ = os.Stdout.WriteString("burnt\n")
		_, _ = os.Stdin.Read(make([]byte, 1)) // until the parent closes it
		return
	}
	cmd := exec.Command(os.Args[0], "-test.run", "^TestCPUOfAnotherProcess$")
	cmd.Env = append(os.Environ(), "PROC_BURN=1")
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	if _, err := out.Read(make([]byte, 6)); err != nil {
		t.Fatal(err)
	}
	got, cpuErr := CPUOf(cmd.Process.Pid)
	_ = in.Close()
	if err := cmd.Wait(); err != nil {
		t.Fatal(err)
	}
	whole := cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()
	// The process used at least 100 ms by getrusage; the kernel may round by 20 ms.
	if cpuErr != nil || got < 80*time.Millisecond || got > whole+20*time.Millisecond {
		t.Errorf("the clock says %s, %v; wait4 %s", got, cpuErr, whole)
	}
	if _, err := CPUOf(cmd.Process.Pid); err == nil {
		t.Error("a process that has ended still has a clock")
	}
}

package proc

import (
	"fmt"
	"os"
	"strconv"
	"strings"
)

// Memory is the resident memory of a process, in bytes.
type Memory struct {
	Now  int64 // VmRSS
	Peak int64 // VmHWM: the most since the process began
}

// MemoryOf reads the memory of a process; pid 0 is the caller.
func MemoryOf(pid int) (Memory, error) {
	path := "/proc/self/status"
	if pid != 0 {
		path = "/proc/" + strconv.Itoa(pid) + "/status"
	}
	text, err := os.ReadFile(path)
	if err != nil {
		return Memory{}, err
	}
	m, err := parseStatus(string(text))
	if err != nil {
		return Memory{}, fmt.Errorf("%s: %w", path, err)
	}
	return m, nil
}

// parseStatus reads lines such as "VmHWM:	   12345 kB" (proc_pid_status(5)). A
// process that has ended, and a thread of the kernel, have none.
func parseStatus(text string) (Memory, error) {
	var m Memory
	wanted := map[string]*int64{"VmRSS": &m.Now, "VmHWM": &m.Peak}
	for line := range strings.Lines(text) {
		name, rest, _ := strings.Cut(line, ":")
		field := wanted[name]
		if field == nil {
			continue
		}
		number, unit, _ := strings.Cut(strings.TrimSpace(rest), " ")
		n, err := strconv.ParseInt(number, 10, 64)
		if err != nil || n < 0 || n > 1<<50 || unit != "kB" {
			return Memory{}, fmt.Errorf("%s is %q, not a number of kB", name, strings.TrimSpace(rest))
		}
		*field = n << 10
		delete(wanted, name)
	}
	for name := range wanted {
		return Memory{}, fmt.Errorf("there is no %s: the process has ended", name)
	}
	return m, nil
}

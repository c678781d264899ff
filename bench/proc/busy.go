package proc

import (
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"
)

// tick is the unit of /proc/stat: USER_HZ is 100 on every Linux that Go runs on.
const tick = time.Second / 100

// Busy returns how long these cores have been busy since the machine started, with any
// process.
func Busy(cores ...int) (time.Duration, error) {
	text, err := os.ReadFile("/proc/stat")
	if err != nil {
		return 0, err
	}
	var sum time.Duration
	slices.Sort(cores)
	for _, core := range slices.Compact(cores) {
		busy, err := parseBusy(string(text), core)
		if err != nil {
			return 0, fmt.Errorf("/proc/stat: %w", err)
		}
		sum += busy
	}
	return sum, nil
}

// parseBusy reads a line such as "cpu0 10 20 30 40 50 60 70 80 0 0" (proc_stat(5)):
// user, nice, system, idle, iowait, irq, softirq, steal. user and nice include the two
// fields that follow.
func parseBusy(text string, core int) (time.Duration, error) {
	name := "cpu" + strconv.Itoa(core)
	for line := range strings.Lines(text) {
		fields := strings.Fields(line)
		if len(fields) == 0 || fields[0] != name {
			continue
		}
		if len(fields) < 9 {
			return 0, fmt.Errorf("%s has %d numbers, fewer than 8", name, len(fields)-1)
		}
		var ticks uint64
		for i, field := range fields[1:9] {
			n, err := strconv.ParseUint(field, 10, 48)
			if err != nil {
				return 0, fmt.Errorf("%s: %w", name, err)
			}
			if idle := i == 3 || i == 4; !idle {
				ticks += n
			}
		}
		return time.Duration(ticks) * tick, nil
	}
	return 0, fmt.Errorf("there is no %s", name)
}

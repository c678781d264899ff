package unixsock

import "strings"

// onlyPID reads the fdinfo of a process handle. It returns the number of the process if
// the process has one number only, in the PID namespace of /proc; else "". A process in a
// nested PID namespace has a number in each, an ended process has -1, and one outside of
// the namespace of /proc has 0.
func onlyPID(fdinfo string) string {
	for line := range strings.Lines(fdinfo) {
		value, found := strings.CutPrefix(line, "NSpid:")
		if !found {
			continue
		}
		numbers := strings.Fields(value)
		if len(numbers) != 1 || numbers[0] == "0" || numbers[0] == "-1" {
			return ""
		}
		return numbers[0]
	}
	return ""
}

package unixsock

import (
	"regexp"
	"strings"
)

// podUID matches the UID of a pod in the cgroup names of the kubelet, whose systemd
// driver writes '_' for '-'.
var podUID = regexp.MustCompile(`pod([0-9a-f]{8}[-_][0-9a-f]{4}[-_][0-9a-f]{4}[-_][0-9a-f]{4}[-_][0-9a-f]{12})(?:\.slice)?$`)

// parseCgroup reads the contents of /proc/PID/cgroup. It returns the system unit and
// the pod of the process, each empty when there is none.
//
// It trusts only the first elements of the path. Below a unit that delegates its
// cgroup, such as a user's systemd instance, the owner chooses the names.
func parseCgroup(cgroups string) (unit, pod string) {
	path := ""
	for line := range strings.SplitSeq(cgroups, "\n") {
		// hierarchy:controllers:path; systemd's own hierarchy, or the unified one.
		parts := strings.SplitN(line, ":", 3)
		if len(parts) != 3 {
			continue
		}
		if parts[1] == "name=systemd" || parts[1] == "" && (path == "" || path == "/") {
			path = parts[2]
		}
	}
	inKubepods := false
	for i, part := range strings.Split(strings.TrimPrefix(path, "/"), "/") {
		if i == 0 {
			inKubepods = part == "kubepods" || part == "kubepods.slice"
		}
		if inKubepods {
			if m := podUID.FindStringSubmatch(part); m != nil {
				return "", strings.ReplaceAll(m[1], "_", "-")
			}
		}
		if strings.HasSuffix(part, ".slice") {
			continue
		}
		if !inKubepods && (strings.HasSuffix(part, ".service") || strings.HasSuffix(part, ".scope")) {
			return part, ""
		}
		if !inKubepods {
			return "", ""
		}
	}
	return "", ""
}

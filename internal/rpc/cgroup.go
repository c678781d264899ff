package rpc

import (
	"regexp"
	"strings"
)

// podUID is the UID of a pod as the kubelet puts it into the names of cgroups; its
// systemd driver writes '_' for '-'.
var podUID = regexp.MustCompile(`pod([0-9a-f]{8}[-_][0-9a-f]{4}[-_][0-9a-f]{4}[-_][0-9a-f]{4}[-_][0-9a-f]{12})(?:\.slice)?$`)

// placeIn reads the contents of /proc/PID/cgroup: the system unit and the pod that
// the process is in, each empty when it is in none.
//
// Only the beginning of a path is worth anything: below a unit that delegates its
// group, and a user's own manager is one, anybody names groups as they like.
func placeIn(cgroups string) (unit, pod string) {
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

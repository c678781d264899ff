package access

import (
	"fmt"
	"strings"
)

// IDMap lists the user or group ids that exist in the daemon's user namespace. Nil stands
// for all of them: the host's own namespace, or a system without namespaces.
type IDMap []IDRange

// IDRange is the ids from First on.
type IDRange struct {
	First, Count uint32
}

// ParseIDMap reads the content of /proc/self/uid_map or gid_map: a line for each range,
// with its first id inside, its first id outside, and its length.
func ParseIDMap(text string) (IDMap, error) {
	var m IDMap
	for line := range strings.Lines(text) {
		var r IDRange
		var outside uint32
		if _, err := fmt.Sscan(line, &r.First, &outside, &r.Count); err != nil {
			return nil, fmt.Errorf("reading the id map %q: %w", text, err)
		}
		if r.First == 0 && r.Count == noID {
			return nil, nil
		}
		m = append(m, r)
	}
	if m == nil { // a namespace without a mapping: every id is the overflow id
		m = IDMap{}
	}
	return m, nil
}

// Whole reports whether every id exists.
func (m IDMap) Whole() bool { return m == nil }

// Contains reports whether id exists.
func (m IDMap) Contains(id uint32) bool {
	for _, r := range m {
		if id >= r.First && id-r.First < r.Count {
			return true
		}
	}
	return m.Whole()
}

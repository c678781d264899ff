package unixsock

import (
	"fmt"
	"os"
	"path/filepath"
)

// pathOf returns a path of a file in p that does not depend on the name of p.
func (p *private) pathOf(name string) string {
	byHandle := fmt.Sprintf("/proc/self/fd/%d", p.file.Fd())
	if _, err := os.Stat(byHandle); err != nil { // no /proc
		return filepath.Join(p.parent.path, p.name, name)
	}
	return filepath.Join(byHandle, name)
}

//go:build !linux

package unixsock

import "path/filepath"

// pathOf returns the path of a file in p.
func (p *private) pathOf(name string) string { return filepath.Join(p.parent.path, p.name, name) }

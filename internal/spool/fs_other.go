//go:build !linux

package spool

import "golang.org/x/sys/unix"

// Space returns no magic number on this system, so no file system is refused. Use
// it for development only.
func (osFS) Space(name string) (Space, error) {
	var s unix.Statfs_t
	if err := unix.Statfs(name, &s); err != nil {
		return Space{}, err
	}
	return Space{Free: int64(s.Bavail) * int64(s.Bsize)}, nil
}

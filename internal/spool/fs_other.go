//go:build !linux

package spool

import "golang.org/x/sys/unix"

// Space has no magic number here: no file system is refused. Not for production.
func (osFS) Space(name string) (Space, error) {
	var s unix.Statfs_t
	if err := unix.Statfs(name, &s); err != nil {
		return Space{}, err
	}
	return Space{Free: int64(s.Bavail) * int64(s.Bsize)}, nil
}

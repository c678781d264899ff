package spool

import "golang.org/x/sys/unix"

// Sync writes the data and the metadata that is needed to read it (fdatasync).
func (f osFile) Sync() error {
	for {
		if err := unix.Fdatasync(int(f.Fd())); err != unix.EINTR {
			return err
		}
	}
}

func (osFS) Space(name string) (Space, error) {
	var s unix.Statfs_t
	if err := unix.Statfs(name, &s); err != nil {
		return Space{}, err
	}
	return Space{Free: int64(s.Bavail) * int64(s.Bsize), Type: uint64(uint32(s.Type))}, nil
}

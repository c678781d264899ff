//go:build !linux

package safefile

func (r *Root) openBeneath(rel string, flags int) (int, error) {
	if r.links {
		return openat(int(r.dir.Fd()), rel, flags)
	}
	return r.stepwise(rel, flags)
}

// FileSystem describes the root's file system. This system does not say.
func (*Root) FileSystem() (FileSystem, error) { return FileSystem{}, nil }

// FileSystemID returns the number of the device.
func (r *Root) FileSystemID() uint64 { return r.device }

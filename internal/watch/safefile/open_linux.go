package safefile

import (
	"errors"

	"golang.org/x/sys/unix"
)

// maxAgain bounds how often an open is repeated because a directory was renamed meanwhile.
const maxAgain = 16

// openBeneath opens rel below the root, on its file system. Without links it follows none.
func (r *Root) openBeneath(rel string, flags int) (int, error) {
	if r.links {
		return openat(int(r.dir.Fd()), rel, flags)
	}
	how := unix.OpenHow{
		Flags:   uint64(flags),
		Resolve: unix.RESOLVE_BENEATH | unix.RESOLVE_NO_SYMLINKS | unix.RESOLVE_NO_MAGICLINKS | unix.RESOLVE_NO_XDEV,
	}
	for again := 0; ; again++ {
		fd, err := unix.Openat2(int(r.dir.Fd()), rel, &how)
		switch {
		case err == unix.EINTR, err == unix.EAGAIN && again < maxAgain:
			continue
		case errors.Is(err, unix.ENOSYS), errors.Is(err, unix.EPERM), errors.Is(err, unix.E2BIG):
			// Linux before 5.6, or a filter of system calls that does not know the call.
			return r.stepwise(rel, flags)
		}
		return fd, err
	}
}

// pseudo are file systems whose files have no content of their own.
var pseudo = map[uint32]string{
	unix.PROC_SUPER_MAGIC: "proc", unix.SYSFS_MAGIC: "sysfs", unix.DEBUGFS_MAGIC: "debugfs", unix.TRACEFS_MAGIC: "tracefs",
	unix.SECURITYFS_MAGIC: "securityfs", unix.SELINUX_MAGIC: "selinuxfs", unix.AAFS_MAGIC: "apparmorfs", unix.BPF_FS_MAGIC: "bpf",
	unix.CGROUP_SUPER_MAGIC: "cgroup", unix.CGROUP2_SUPER_MAGIC: "cgroup", unix.EFIVARFS_MAGIC: "efivarfs", unix.XENFS_SUPER_MAGIC: "xenfs",
}

// remote are file systems that other hosts or processes change without a notification.
var remote = map[uint32]string{
	unix.FUSE_SUPER_MAGIC: "FUSE", unix.NFS_SUPER_MAGIC: "NFS", unix.CIFS_SUPER_MAGIC: "CIFS", unix.SMB_SUPER_MAGIC: "SMB",
	unix.SMB2_SUPER_MAGIC: "SMB", unix.V9FS_MAGIC: "9P", unix.CEPH_SUPER_MAGIC: "Ceph", unix.AFS_FS_MAGIC: "AFS",
	unix.AFS_SUPER_MAGIC: "AFS", unix.CODA_SUPER_MAGIC: "Coda",
}

// FileSystem describes the root's file system.
func (r *Root) FileSystem() (FileSystem, error) {
	var fs unix.Statfs_t
	if err := unix.Fstatfs(int(r.dir.Fd()), &fs); err != nil {
		return FileSystem{}, err
	}
	t := uint32(fs.Type)
	if name, ok := pseudo[t]; ok {
		return FileSystem{Name: name, Pseudo: true}, nil
	}
	if name, ok := remote[t]; ok {
		return FileSystem{Name: name, Remote: true}, nil
	}
	return FileSystem{}, nil
}

// FileSystemID returns a number that identifies the root's file system, after a restart of
// the machine too where the file system has a lasting id. Otherwise it is the device's
// number, or 0 for a remote file system, whose number changes with every mount. The id of
// XFS is no lasting one: the kernel makes it from the device's number.
func (r *Root) FileSystemID() uint64 {
	var fs unix.Statfs_t
	if err := unix.Fstatfs(int(r.dir.Fd()), &fs); err != nil {
		return r.device
	}
	if id := uint64(uint32(fs.Fsid.Val[0])) | uint64(uint32(fs.Fsid.Val[1]))<<32; id != 0 {
		return id
	}
	if _, far := remote[uint32(fs.Type)]; far {
		return 0
	}
	return r.device
}

package unixsock

import (
	"os"

	"golang.org/x/sys/unix"
)

// refusedFS are file systems whose reads may wait for a network or for a process of
// the peer, or whose contents depend on who reads.
var refusedFS = map[uint32]string{
	unix.FUSE_SUPER_MAGIC: "FUSE", unix.NFS_SUPER_MAGIC: "NFS", unix.CIFS_SUPER_MAGIC: "CIFS", unix.SMB_SUPER_MAGIC: "SMB",
	unix.SMB2_SUPER_MAGIC: "SMB", unix.V9FS_MAGIC: "9P", unix.CEPH_SUPER_MAGIC: "Ceph", unix.AFS_FS_MAGIC: "AFS",
	unix.AFS_SUPER_MAGIC: "AFS", unix.CODA_SUPER_MAGIC: "Coda",
	unix.PROC_SUPER_MAGIC: "proc", unix.SYSFS_MAGIC: "sysfs", unix.DEBUGFS_MAGIC: "debugfs", unix.TRACEFS_MAGIC: "tracefs",
	unix.SECURITYFS_MAGIC: "securityfs", unix.SELINUX_MAGIC: "selinuxfs", unix.AAFS_MAGIC: "apparmorfs", unix.BPF_FS_MAGIC: "bpf",
	unix.CGROUP_SUPER_MAGIC: "cgroup", unix.CGROUP2_SUPER_MAGIC: "cgroup", unix.EFIVARFS_MAGIC: "efivarfs", unix.XENFS_SUPER_MAGIC: "xenfs",
}

func checkFileSystem(fd, flags int) error {
	if flags&unix.O_PATH != 0 {
		return refused("it is not open for reading (O_PATH)")
	}
	if flags&unix.O_DIRECT != 0 {
		return refused("it was opened with O_DIRECT")
	}
	var fs unix.Statfs_t
	if err := unix.Fstatfs(fd, &fs); err != nil {
		return refused("fstatfs failed: %v", err)
	}
	if name, ok := refusedFS[uint32(fs.Type)]; ok {
		return refused("its file system is %s, whose files the daemon does not read", name)
	}
	return nil
}

// ReadAhead tells the kernel that the file is read from front to back. It is a hint.
func ReadAhead(f *os.File, offset, size int64) {
	raw, err := f.SyscallConn()
	if err != nil {
		return
	}
	_ = raw.Control(func(fd uintptr) { _ = unix.Fadvise(int(fd), offset, size, unix.FADV_SEQUENTIAL) })
}

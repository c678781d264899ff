package client

import (
	"os"

	"golang.org/x/sys/unix"
)

// diskFS are file systems on a disk or in memory, which know the size of a file.
var diskFS = map[uint32]bool{
	unix.EXT4_SUPER_MAGIC: true, unix.XFS_SUPER_MAGIC: true, unix.BTRFS_SUPER_MAGIC: true, unix.F2FS_SUPER_MAGIC: true, unix.TMPFS_MAGIC: true,
	unix.RAMFS_MAGIC: true, unix.OVERLAYFS_SUPER_MAGIC: true, unix.ECRYPTFS_SUPER_MAGIC: true, unix.REISERFS_SUPER_MAGIC: true,
	unix.NILFS_SUPER_MAGIC: true, unix.MSDOS_SUPER_MAGIC: true, unix.EXFAT_SUPER_MAGIC: true, unix.ISOFS_SUPER_MAGIC: true,
	unix.UDF_SUPER_MAGIC: true, unix.SQUASHFS_MAGIC: true, unix.EROFS_SUPER_MAGIC_V1: true, unix.HUGETLBFS_MAGIC: true,
	0x2fc12fc1: true, // ZFS
	0xca451a4e: true, // bcachefs
	0x3153464a: true, // JFS
	0x7366746e: true, // NTFS
}

// networkFS are file systems of a server, which reports the size of a file.
var networkFS = map[uint32]bool{
	unix.NFS_SUPER_MAGIC: true, unix.CIFS_SUPER_MAGIC: true, unix.SMB2_SUPER_MAGIC: true, unix.CEPH_SUPER_MAGIC: true,
	unix.AFS_SUPER_MAGIC: true,
	0x0bd00bd0:           true, // Lustre
}

// knowsSize reports whether size, from fstat, is the size of the regular file f. It is
// only a hint in /proc and /sys, in FUSE with direct I/O, and on file systems that this
// package does not know: such a file is read to its end.
func knowsSize(f *os.File, size int64) bool {
	raw, err := f.SyscallConn()
	if err != nil {
		return false
	}
	var fs unix.Statfs_t
	var serr error
	if err := raw.Control(func(fd uintptr) { serr = unix.Fstatfs(int(fd), &fs) }); err != nil || serr != nil {
		return false
	}
	kind := uint32(fs.Type)
	return diskFS[kind] || networkFS[kind] && size > 0
}

package filereader

import (
	"fmt"

	"golang.org/x/sys/unix"

	"github.com/brokerd/brokerd/internal/reason"
)

// localFS are the file systems that read from a block device of this host alone.
var localFS = map[uint32]string{
	unix.EXT4_SUPER_MAGIC:  "ext4", // also ext2 and ext3
	unix.XFS_SUPER_MAGIC:   "XFS",
	unix.BTRFS_SUPER_MAGIC: "Btrfs",
	unix.F2FS_SUPER_MAGIC:  "F2FS",
	0x2fc12fc1:             "ZFS",
	0xca451a4e:             "bcachefs",
}

// refusedFS names the frequent ones of the others, for the refusal.
var refusedFS = map[uint32]string{
	unix.OVERLAYFS_SUPER_MAGIC: "an overlay", unix.FUSE_SUPER_MAGIC: "FUSE", unix.NFS_SUPER_MAGIC: "NFS", unix.CIFS_SUPER_MAGIC: "CIFS",
	unix.SMB_SUPER_MAGIC: "SMB", unix.SMB2_SUPER_MAGIC: "SMB", unix.V9FS_MAGIC: "9P", unix.CEPH_SUPER_MAGIC: "Ceph", unix.AFS_FS_MAGIC: "AFS",
	unix.AFS_SUPER_MAGIC: "AFS", unix.TMPFS_MAGIC: "tmpfs", unix.PROC_SUPER_MAGIC: "proc", unix.SYSFS_MAGIC: "sysfs",
}

// Block devices of these major numbers have a file, or a process, below them.
var refusedDevices = map[uint32]string{7: "a loop device", 43: "a network block device"}

// sealed are the seals of a memory file whose bytes stay as they are.
const sealed = unix.F_SEAL_WRITE | unix.F_SEAL_SHRINK

func refused(format string, args ...any) error {
	return reason.New(reason.DescriptorRefused, "the daemon does not read this file: "+format+"; send its bytes in a stream", args...)
}

// inspect returns an error with the reason DESCRIPTOR_REFUSED unless fd is a file that
// this process reads. The questions that no file system answers come first: the flags,
// the seals, and statx without a request (AT_STATX_DONT_SYNC). A file that they refuse
// is not asked further.
func inspect(fd int) error {
	flags, err := unix.FcntlInt(uintptr(fd), unix.F_GETFL, 0)
	if err != nil {
		return refused("fcntl failed: %v", err)
	}
	mode := flags & unix.O_ACCMODE
	switch {
	case flags&unix.O_PATH != 0:
		return refused("it is not open for reading (O_PATH)")
	case mode != unix.O_RDONLY && mode != unix.O_RDWR:
		return refused("it is not open for reading")
	case flags&unix.O_DIRECT != 0:
		return refused("it was opened with O_DIRECT")
	}
	// The kernel knows seals of memory files and of files on tmpfs, and asks no file system.
	if seals, err := unix.FcntlInt(uintptr(fd), unix.F_GET_SEALS, 0); err == nil {
		if seals&sealed != sealed {
			return refused("it is in memory (memfd, tmpfs) and not sealed against writes and shrinking")
		}
		return nil
	}
	var st unix.Statx_t
	if err := unix.Statx(fd, "", unix.AT_EMPTY_PATH|unix.AT_STATX_DONT_SYNC, unix.STATX_TYPE, &st); err != nil {
		return refused("statx failed: %v", err)
	}
	if st.Mode&unix.S_IFMT != unix.S_IFREG {
		return refused("it is not a regular file")
	}
	if device, ok := refusedDevices[st.Dev_major]; ok {
		return refused("its file system is in %s", device)
	}
	return inspectFS(fd)
}

// inspectFS asks the file system for its type. The kernel puts the type in, and FUSE and
// an overlay cannot state another one.
func inspectFS(fd int) error {
	var fs unix.Statfs_t
	if err := unix.Fstatfs(fd, &fs); err != nil {
		return refused("fstatfs failed: %v", err)
	}
	magic := uint32(fs.Type)
	if _, ok := localFS[magic]; ok {
		return nil
	}
	name, ok := refusedFS[magic]
	if !ok {
		name = fmt.Sprintf("of the type 0x%x", magic)
	}
	return refused("its file system is %s, and the daemon reads files of a local block device alone", name)
}

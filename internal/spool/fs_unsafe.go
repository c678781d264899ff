package spool

// unsafeFileSystem is a kind of file system that may lose acknowledged objects.
type unsafeFileSystem struct {
	magic uint64 // f_type of statfs(2), 32 bits
	name  string
	why   string
}

const (
	whyMemory  = "it keeps files in memory, and loses them when the machine restarts"
	whyNetwork = "another machine decides when data is durable, and a network failure may lose the lock"
	whyFUSE    = "a user-space program decides what fsync and rename mean"
	whyOverlay = "it is the layer of a container, and is deleted with the container"
	whyNoLinks = "it has neither hard links nor permissions, and a crash may tear a rename"
)

// The numbers are those of linux/magic.h and of the file systems' own sources.
var unsafeFileSystems = []unsafeFileSystem{
	{0x01021994, "tmpfs", whyMemory},
	{0x858458f6, "ramfs", whyMemory},
	{0x00006969, "NFS", whyNetwork},
	{0x0000517b, "SMB", whyNetwork},
	{0xff534d42, "CIFS", whyNetwork},
	{0xfe534d42, "SMB2", whyNetwork},
	{0x00c36400, "Ceph", whyNetwork},
	{0x5346414f, "AFS", whyNetwork},
	{0x01021997, "9p", whyNetwork},
	{0x65735546, "FUSE", whyFUSE},
	{0x794c7630, "overlayfs", whyOverlay},
	{0x61756673, "aufs", whyOverlay},
	{0x786f4256, "vboxsf", whyNetwork}, // the host of a virtual machine is another machine
	{0x00004d44, "FAT", whyNoLinks},
	{0x2011bab0, "exFAT", whyNoLinks},
}

// checkFileSystem returns why a file system is unsafe; nil when it is not on the list.
func checkFileSystem(dir string, magic uint64) *UnsafeError {
	for _, u := range unsafeFileSystems {
		if u.magic == magic {
			return &UnsafeError{Dir: dir, FileSystem: u.name, Why: u.why}
		}
	}
	return nil
}

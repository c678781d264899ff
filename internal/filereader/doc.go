// Package filereader reads the files that peers hand over, in a process of its own.
//
// A system call on a file may wait for the file system, without an end and in a state
// that no signal ends. A peer that owns the file system (FUSE, or an overlay above
// FUSE) decides how long: in fstat, fstatfs, read, and in close. A write of the peer
// whose source is such a file holds the lock of an XFS file for as long. So the daemon
// takes no descriptor of a peer. A child process receives it, looks at it, reads it, and
// closes it. The daemon reads the bytes from a pipe.
//
// Guarantees:
//
//   - No descriptor of a peer is ever one of the daemon. Its threads wait for pipes and
//     sockets alone, and every such wait ends with a context or a deadline.
//   - The child receives a descriptor only after the caller's access was decided: Open
//     is called then, and not before.
//   - The child has no environment, no log, no lock, no listener, and of the spool
//     and the configuration no descriptor. A child that hangs keeps no new daemon from
//     starting. It ends when the daemon ends, unless a system call of it waits.
//   - Only sealed memory files, and regular files of ext4, XFS, Btrfs, F2FS, ZFS and
//     bcachefs are read. An overlay, FUSE, a network file system, tmpfs, a kernel file
//     system, and a file system in a loop or network block device are refused. The
//     refusal has the reason DESCRIPTOR_REFUSED, and the client sends a stream.
//   - A file that hangs costs its owner the right to hand over more than
//     maxUnanswered files, until the file system answers. Other users are not delayed:
//     each file has its own threads in the child.
//
// Limits that callers must know:
//
//   - A file may change while it is read; File.Verify compares.
//   - A child that hangs in a system call stays until the file system answers, also
//     after the daemon ended. It is in the daemon's control group.
//   - On other systems than Linux every file is refused.
package filereader

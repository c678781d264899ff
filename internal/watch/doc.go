// Package watch delivers finished files as objects, each exactly once.
//
//	scan → judge → open and identify → send → compare → remove, move or keep
//
// Guarantees:
//
//   - A file is one object in one version, also after kill -9, a lost answer of S3, or a
//     lost journal. The upload's id, and with it the key in the bucket, comes from the
//     file: the watch's name, the file system's id, inode, creation time, modification
//     time, size, and a hash of the first and last 4 KiB.
//   - A rename does not change that identity. The change time (ctime) is left out on
//     purpose: on ext4, XFS, Btrfs and tmpfs a rename sets it. A numbered file that shifts
//     from x.1 to x.2 is the same file, and keeps the object name it was first sent under.
//   - A file is removed or moved only when S3 has confirmed its object (or, with
//     after_state: spooled, when the spool has it), and only while its name still is that
//     very file, unchanged and without a writer. A file that changed while it was sent
//     becomes no object; it is sent again under its new identity.
//   - Only regular files of the configured owner, with one name, on the file system of the
//     glob's fixed beginning are read. No symbolic link below that beginning is followed.
//     Every refusal is counted, logged and listed.
//   - The file system is the queue. A file that cannot be delivered now stays where it is,
//     and holds no memory but a small record. One bad file does not block the others.
//   - The scan is the truth. Notifications only make it earlier; without them, nothing but
//     time is lost.
//
// It refuses: pseudo file systems (proc, sysfs), files with several names, and more than
// [MaxFiles] files in a watch at a time.
//
// Limits. Two different files that follow each other on the same inode, with the same
// creation time, modification time, size, and first and last 4 KiB count as one. A kept
// file is delivered again after its journal was lost and it was renamed, because its object
// then has another name. Without conditional writes (a compatible store that has none), a
// repeated delivery may write its object twice.
//
// The file system's id is f_fsid of statfs(2). Ext4 and Btrfs derive it from the UUID on
// the disk. XFS derives it from the device's number, which can change when disks are added,
// removed, or found in another order. After such a change, kept files are delivered again,
// and so is a file that was stored but not yet removed or moved. A copy of the files on
// another file system is new files, on every file system.
//
// The package knows neither S3 nor gRPC: the daemon gives it a [Sender].
package watch

// Package safefile opens, compares, moves and removes files in directories that other
// users write to.
//
// Guarantees:
//
//   - [Root.Open] follows no symbolic link below the root, leaves neither the root nor its
//     file system, does not wait for a FIFO, and returns regular files only.
//   - [Root.Remove] and [Root.Move] affect only the very file that the caller has open: the
//     file gets a name that no other program uses, is compared there, and gets its old name
//     back when it is another file, has changed, or is open for writing.
//   - A directory that Move needs is created and opened without following a link anywhere
//     in its path.
//
// The root itself is opened as it is named: links in its own path are followed. The
// administrator chose that path.
//
// Linux opens with openat2; older kernels, and other systems, open segment by segment.
// Limits: a file system without RENAME_NOREPLACE or without leases (NFS, FUSE) keeps the
// comparison, and loses the protection of the last microseconds against a program that
// replaces the name or opens the file at that moment.
package safefile

// Package unixsock is the security boundary of the daemon's Unix sockets: it
// listens, identifies the peer of each connection, and reads the messages that
// hand over files, without the files.
//
// Guarantees:
//
//   - A socket appears under its name only with its final mode and group. Listen
//     never replaces a socket that another process answers on, nor any other file.
//   - Listen refuses a directory in which other users can replace the socket. It binds in a
//     directory that only this user may enter, and changes no mode or owner by a name that
//     another user can redirect.
//   - Peer returns the identity that the kernel recorded when the connection was
//     made (SO_PEERCRED, SO_PEERGROUPS): UID, GID, groups and PID. The peer cannot
//     choose them. A connection without an identity is refused.
//   - SameNamespaces is reported for root and the daemon's own user only, when a process
//     handle shows that the peer is in this PID namespace, and /proc that it is in this
//     user namespace.
//   - A unit or pod is reported only when the kernel's process handle (SO_PEERPIDFD)
//     proves that its cgroup belongs to the process that connected. Only the part
//     of the cgroup path that root controls is read.
//   - No descriptor of a peer becomes one of this process. A message that hands a file
//     over is looked at in the socket (MSG_PEEK), so that access is decided before
//     any process receives its file. Closing a descriptor may wait for a file system of
//     the peer, and so may the end of a process that has it.
//
// Limits that callers must know:
//
//   - Before Linux 6.5 there is no handle of the process that connected. SameNamespaces
//     then looks at the process that has its PID at that moment.
//   - Where /proc hides other users' processes, the user namespace of a root process is
//     not compared; its PID namespace is.
//   - The PID is for logs only. It is 0 across PID namespaces, and numbers are reused.
//   - The identity is that of the process that connected. A process that inherits
//     or receives the connection acts with the same identity.
//   - The overflow UID (65534) means a user without a mapping in this user
//     namespace: several strangers share it.
//
// It decides no access: package access does, from the Peer.
package unixsock

// Package access decides which peer may do which operation with which destination.
//
// # Threat model
//
// A peer is known by the facts that the kernel reports about the process that connected
// to the Unix socket (SO_PEERCRED, SO_PEERGROUPS): its user id and its groups at the
// time of the connect. The content of a message never takes part in a decision.
//
// The process id is a field for logs and never part of a decision: it is 0 when
// the peer lives in another pid namespace (a sidecar), and ids are used again.
//
// The kernel reports the process that connected, not the process that writes: a process
// can hand its connected socket to another one. Each process of an allowed user can
// use the rights of that user.
//
// Guarantees: rules only add rights, so their order does not matter; a request that no
// rule allows is refused; every decision carries its reason; names of users and
// groups are resolved once, in New, so that a decision does no I/O and a name
// that does not exist is an error at start, not a silent refusal.
//
// Root and the daemon's own user have admin, and no other right unless a rule gives it.
// They have it only from the daemon's own user and PID namespaces: a container next to the
// daemon may run with the same numbers. In a container they do not have it by default,
// because containers may share a PID namespace; Socket.OwnerIsAdmin decides.
//
// A number that stands for several users is no identity. Where the daemon's user namespace
// does not map all ids, a rule for the overflow id is an error, and a peer with it matches
// no rule.
package access

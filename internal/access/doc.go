// Package access decides which peer may do what with which destination.
//
// # Threat model
//
// A peer is known by what the kernel attests about the process that connected
// to the Unix socket (SO_PEERCRED): its user id and its primary group id at the
// time of the connect. Nothing a message says takes part in a decision.
//
// The process id is a field for logs and never part of a decision: it is 0 when
// the peer lives in another pid namespace (a sidecar), and ids are used again.
//
// What the kernel attests is who connected, not who writes: a process can hand
// its connected socket to another one. Whoever runs as an allowed user can do
// what that user may do.
//
// Guarantees: rules only add rights, so their order does not matter; what no
// rule allows is refused; every decision carries its reason; names of users and
// groups are resolved once, in New, so that a decision does no I/O and a name
// that does not exist is an error at start, not a silent refusal.
//
// Root and the daemon's own user always have admin: both can read the daemon's
// memory anyway. They have no other right unless a rule gives it.
package access

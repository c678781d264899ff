// Package broker keeps role sessions fresh.
//
// It assumes the role of each configured destination, holds the session in memory and
// replaces it in the background long before it expires. A caller does not wait for
// STS, and does not notice an outage that is shorter than the remaining life.
//
// Guarantees:
//
//   - A session is never served after its expiry, and its expiry is never rewritten.
//   - A failed, empty, incomplete or shorter response never replaces a better session.
//   - One AssumeRole call is in flight per session key. It has its own deadline: a
//     caller that gives up ends neither the call nor the wait of other callers. All
//     waiters get the same failure.
//   - Destinations with the same STS request share one session. Destinations that
//     differ in any field of it never do.
//   - STS gets at most five calls a second from one source, in order of priority, and
//     thirty at once after a quiet time: fifty destinations are verified within six
//     seconds. Four background refreshes run at a time; callers never queue for them.
//   - Each role of a chain has one session that destinations share. A role that is
//     assumed by a role lasts an hour at most; a longer duration is cut and logged.
//   - A session policy limits a session to writing below its destination's prefix,
//     unless it is turned off. Status reports when STS cannot take it.
//   - Expiries are compared with AWS's time when the local clock is wrong, and always
//     by the wall clock: a host that was suspended serves no expired session.
//   - A reload swaps all destinations at once. Unchanged requests keep their session,
//     their call in flight and their failures. A removed destination is unknown at once.
//   - Secrets have the type [secret.String], which prints REDACTED in every format.
//
// The package assumes no role that is not in the configuration: callers name a
// destination, never an ARN. Package access decides who may ask.
//
// The states of a session:
//
//	EMPTY -> FRESH -> DUE -> CRITICAL -> EXPIRED
//	           ^_______|________|___________|   a refresh succeeded
//
// FRESH and DUE sessions are served from memory. For a CRITICAL session (less than a
// minute left) the caller waits for the refresh, and gets the old one if that fails.
package broker

// Package broker keeps role sessions fresh.
//
// It assumes the role of each configured destination, holds the session in
// memory and replaces it in the background long before it ends, so that a
// caller never waits for STS and never sees an outage that is shorter than the
// life that is left.
//
// Guarantees:
//
//   - A session is never served after its expiry, and its expiry is never rewritten.
//   - A failed, empty, torn or shorter answer never replaces a better session.
//   - One AssumeRole is in flight per session key, whoever asks. It has its own
//     deadline: a caller that gives up fails neither the flight nor other callers,
//     and a failure is shared by all that waited for it.
//   - Destinations with the same STS request share one session; destinations
//     that differ in any field of it never do.
//   - At most five calls a second go to STS for one source, the most urgent first;
//     thirty at once after a quiet time, so that fifty destinations are verified
//     within six seconds. Four background refreshes run at a time; callers never
//     queue behind them.
//   - Each role of a chain is a session of its own that destinations share. A role
//     that is assumed by a role lasts an hour at most: longer is cut, and said.
//   - Unless it is turned off, a session policy limits a session to writing below
//     its destination's prefix; where STS cannot take it, Status says so.
//   - Expiries are compared with AWS's time when the local clock is wrong, and by
//     the wall clock always: a suspended machine serves nothing that has ended.
//   - A reload swaps all destinations at once. Unchanged requests keep their session,
//     their flight and their failures; a removed destination is unknown at once.
//   - Secrets are of type [secret.String], which prints REDACTED everywhere.
//
// It refuses to assume a role that is not in the configuration: callers name
// a destination, never an ARN. Who may ask is not decided here but in access.
//
// The state of a session:
//
//	EMPTY -> FRESH -> DUE -> CRITICAL -> EXPIRED
//	           ^_______|________|___________|   a refresh succeeded
//
// FRESH and DUE are served from memory. A CRITICAL one (less than a minute left)
// is served as well when the refresh that its caller joins fails.
package broker

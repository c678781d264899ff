// Package quota accounts the resources that users of the daemon share, and keeps
// each user's use of them fair. It is the only place that decides who gets more.
//
// A resource is charged to a [Party]: the user that the kernel reports, in its pod
// where there is one. A user that only a rule for a group lets in shares with the whole
// group, because one user can own many user ids of one group (/etc/subuid).
//
// Guarantees:
//
//   - [Ledger] counts things that are refused when there are none left: connections,
//     hand-overs, open calls, upload slots, verifications. A quarter of each is set
//     aside, in equal parts, for the users and groups that the rules let in, so that
//     each of them always has its part. Of the rest a share may hold at most three times
//     as much as it leaves free. Inside a group or a pod, one user may hold at most
//     three times as much as it leaves to the others.
//   - [Pool] lends memory, and callers wait for it. A share holds at most three quarters.
//     The waiter whose share holds least is served first. A loan that is filled slowly is
//     called back while another share with less waits: the least speed is 64 KiB/s times
//     the seconds of that wait. A loan that is full is never called back.
//   - [Rates] limits how often something may happen: verifications, sessions of a
//     user's own, streams that are reset.
//   - [Lines] limits log lines for each share and reason, and reports how many it left out.
//   - [Memory] remembers values for each share. A value is forgotten only when its own
//     share holds the most.
//
// Where the configuration lets in one user alone, that user may hold all upload slots and
// all memory.
//
// A user that no rule lets in has no account: its connections are refused when they are
// accepted (see internal/unixsock), before a byte is read.
//
// The package starts no goroutine, reads no configuration and imports nothing of the
// project. Its memory is bounded by what is charged, and by the limits given.
package quota

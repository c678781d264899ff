// Package health decides whether a destination is ready for uploads, and why not.
//
// Three facts decide: the role session, the spool, and the last delivery or
// verification. Stats counts deliveries per destination and remembers a refusal by
// AWS until a later success. Verdict condenses the checks of one verification.
//
// Guarantees:
//
//   - A refusal by AWS makes a destination unready until a delivery succeeds or a
//     verification proves the path. An outage does not.
//   - A check that does not concern deliveries never makes a destination unready.
//   - An undecided verification changes nothing: unknown is never reported as ready.
//
// It holds plain Go values. Package rpc translates them for the API.
package health

// Package cloudtrail is CloudTrail of the sandbox: the audit trail of all calls,
// LookupEvents, and trails with their event selectors.
//
// # Guarantees
//
//   - A call is in the trail before its client has the answer, with the caller, the
//     decision and the error. A call across accounts is in both accounts' trails.
//   - No secret is in the trail: keys, tokens, plaintexts and signatures are left out.
//   - Memory holds the newest 20,000 events; with a data directory its file holds all.
//
// Event selectors are stored and returned; they do not change the record.
package cloudtrail

// Package fixproof decides whether a change of policies is a safe fix: whether it
// lets one request through and changes the answer for no other caller.
//
// Prove compares the policies before and after a change with the policy engine:
//
//   - the request itself is allowed after the change;
//   - no probe that was denied before is allowed after, and no probe that was
//     allowed before is denied after. A probe whose answer becomes unknown counts
//     as changed.
//
// A probe is a request that differs from the fixed one in its caller, in one
// condition key, or in its action or resource. Probes are derived from the documents
// and the request: every principal, condition key, value and action that occurs,
// and in addition a stranger, another role of the account, other organizations,
// web identities of another subject and another audience, the same AWS service on
// behalf of another account, anonymous callers, plain HTTP, missing encryption
// headers, another object and another bucket. Callers are tried with policies of
// their own that allow everything, and with none.
//
// The caller of the request is probed too. A new Allow statement may not let it
// through without a condition key that the documents mention and the request
// carries. A Deny statement that exempts the caller may, except for the keys that
// guard a request: transport, external id, MFA and encryption headers.
//
// Propose returns only fixes that Prove accepts. Steps that cannot be proven are
// returned as advice, with the probes whose answer would change.
//
// Guarantees: the package is pure, it never changes the documents that it is
// given, and it knows nothing of how a fix was made: the judge reads the documents
// with the text reader, not with the code that writes fixes.
//
// It cannot prove anything about KMS grants and access points, which the engine
// does not know. Layers that were not supplied are assumed to stay as they are.
package fixproof

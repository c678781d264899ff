// Package verify proves, for one destination, that an upload would arrive: it
// walks the whole way with real calls and says, when a step fails, which policy
// in which account is at fault, and what repairs it.
//
// Guarantees:
//
//   - Nothing is reported as passed that was not seen. What an S3-compatible
//     store cannot prove, and what AWS's answer leaves open, is "unknown".
//   - No object is written: the probe is a multipart upload of one byte that is
//     always aborted, with its own deadline, also when the caller gave up. When
//     the abort fails, the check says which upload was left behind.
//   - At most 20 calls, no secret in any text.
//
// AWS's own refusal text is evidence, not proof: where it is missing (callers
// outside the bucket's organization get a bare "Access Denied"), verify asks
// again with one thing changed, and otherwise names every policy that could be
// at fault instead of guessing one.
//
// It refuses to repair: it prints the statement, somebody with the right to do
// so applies it. It reads no policy, for it needs no more rights than an upload.
package verify

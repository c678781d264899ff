// Package verify proves, for one destination, that an upload would arrive. It makes
// the calls of an upload. When a call fails, it names the account, the document and
// the statement at fault, and the change that repairs it.
//
// The checks are a table (checks.go, one category a file). Each check yields findings,
// which become a report.Report: observation, evidence, near misses, fix.
//
// A finding has three sources. The policy engine predicts every request of a delivery
// from the documents that were supplied (documents.go, questions.go, prediction.go).
// Calls show the answer of AWS (checks_*.go), and after a refusal the answer to the
// same request with one header changed (variant.go). AWS's text comes last
// (errortext.go). It names one layer even if several refuse, gives no reason to
// callers of other organizations, and names the resource's policy when the caller's
// own policy lacks the action. A contradiction between the documents and AWS is a
// finding of its own.
//
// Guarantees:
//
//   - Pass means that the check saw it hold. If AWS's answer, an S3-compatible store
//     or a missing document leaves it open, the result is Unknown.
//   - A command is printed only for a change that the policy engine has proven: the
//     layer then allows the delivery, and no other caller is let in or locked out.
//     Other fixes are descriptions (prediction_proof.go).
//   - A printed command compares the document with the one that was read, and stops
//     when it differs.
//   - Independent faults of both accounts are found in one run. A failed check skips
//     only the checks that could not succeed.
//   - Verify aborts every multipart upload that it starts, with a deadline of its own.
//     Only a canary stores an object. A failed abort is reported with the upload's id.
//   - A run makes at most 20 calls, aborts included. No text holds a secret, no token
//     goes over plain HTTP to another host, and GenerateDataKey always has DryRun.
//   - Text from documents is quoted in commands.
//
// It applies no fix, and reads no policy: it needs no more rights than an upload. Its
// callers supply the policies.
//
// Not verified on real AWS: the layer that AWS's text names across accounts for S3 and
// KMS, the headers that S3 evaluates for a part of an upload, and the network keys of
// a call that S3 forwards to KMS.
package verify

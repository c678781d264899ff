// Package verify proves, for one destination, that an upload would arrive: it
// walks the whole way with real calls and says, when a step fails, which
// statement of which document in which account is at fault, and what repairs it.
//
// The checks are a table (checks.go, one category a file). Each yields records
// (record.go): what was found, where, the evidence, what came near, and a fix
// that can be applied as it is printed. A Report is what the renderers show.
//
// Three sources are fused. The policy engine predicts every request of a delivery
// from the documents that somebody could read (library.go, question.go,
// verdict.go). Calls show what AWS does (checks_*.go), and on a failure what it
// does with one thing changed (differ.go). AWS's text is read last (bytext.go):
// it names one layer even when several refuse, says nothing to callers from other
// organizations, and blames the resource's policy for what the caller's own
// lacks. Where the documents and AWS disagree, that is a finding of its own.
//
// Guarantees:
//
//   - Nothing is reported as passed that was not seen. What an S3-compatible
//     store cannot prove, what AWS's answer leaves open and what depends on a
//     document that was not read is "unknown".
//   - Faults that do not depend on each other are found in one run, those of both
//     accounts; a failed check skips only what could not succeed.
//   - No object is written unless a canary is asked for: the probe is a multipart
//     upload of one byte that is always aborted, with its own deadline, also when
//     the caller gave up. What a negative check started by mistake is aborted at
//     once, and the check fails. When an abort fails, the record says which
//     upload was left behind.
//   - At most 20 calls, the undoing included; no secret in any text; no token
//     over plain http to another host; GenerateDataKey never without DryRun.
//   - What documents say comes from other people: it is quoted in commands.
//
// It refuses to repair: it prints the change, somebody with the right to do so
// applies it. It reads no policy itself, for it needs no more rights than an
// upload; whoever can read the documents hands them over (Policies).
//
// Not verified on real AWS: which layer AWS's text blames across accounts for S3
// and KMS, whether a part of an upload is judged with the encryption headers of
// its start, and what a forwarded call carries of the caller's network.
package verify

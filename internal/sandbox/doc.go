// Package sandbox is two AWS accounts in one process: STS, IAM, S3, KMS and
// CloudTrail on one loopback listener, for rehearsing and testing access across accounts.
//
// This package is the facade: options, start and stop, HTTP routing, the admin token and
// the saved state. The services are packages below it: admin and s3, then kms and sts,
// then iam and cloudtrail, then kernel. Their doc.go files say what each guarantees.
//
// # Guarantees
//
//   - Every call is authenticated (SigV4 in the header, in the query, and over
//     chunked bodies) and then decided by internal/iampolicy over the documents
//     that are stored at that moment, on both sides when two accounts are
//     involved. No switch turns that off.
//   - Errors have AWS's code, status, text and form. AWS hides some facts from callers
//     of other accounts; the sandbox hides them as well.
//   - A request that is not modelled is answered NotImplemented (501), never with a made-up success.
//   - Every call is in the audit trail before the client has its answer.
//   - With Options.DataDir, a change that was answered survives kill -9. One
//     sandbox uses a directory at a time; a damaged state is refused, not repaired.
//     Faults, VPC endpoints and the clock's offset are not kept.
//   - It listens on loopback addresses only, for a method call returns the root keys of
//     both accounts.
//
// # Modelled operations
//
// STS: AssumeRole (external id, session policies, tags, source identity, chaining
// limit), AssumeRoleWithWebIdentity, GetSessionToken, GetCallerIdentity. IAM:
// roles, users, groups, access keys, inline and managed policies, boundaries,
// instance profiles, OIDC providers, simulation. S3: buckets and their policy,
// default encryption, ownership, public access block, versioning, access control
// lists, tags, lifecycle rules, CORS, object lock, logging targets, request
// payment; objects, copies, multipart uploads, conditional reads and writes,
// checksums, tags, lists, form uploads; other configurations read as never set. KMS: symmetric,
// asymmetric, MAC and key-agreement keys, policies, grants, aliases, tags,
// rotation, imported material and every condition key of kms: that depends on the
// request. S3 Control: the public-access block of an account. CloudTrail: LookupEvents,
// and trails with their event selectors, which decide nothing here. Around the accounts: an organization with
// its control policies, VPC endpoints.
// Sandbox.Operations returns the whole list.
//
// # Limits
//
//   - Changes take effect at once, where AWS takes seconds. Nothing is throttled
//     unless a fault says so.
//   - Other accounts than the two do not exist, so policies cannot name them.
//   - No SSE-C or DSSE, no replicas of keys, no custom key stores. SigV4 only.
//   - All Regions share the listener: a call is in the Region it is signed for.
//   - Lifecycle rules run when ApplyLifecycle is called. They move nothing to
//     another storage class, and access logs are not written.
//   - Encryption at rest is bookkeeping: keys are checked at each use, bytes are
//     stored as they came.
//   - The trail shows the newest 20,000 records; the file of a data directory
//     keeps all. LookupEvents shows data events, which AWS's does not.
//   - Organizations are one level of policies, VPC endpoints a URL: both are set
//     by the Go and the admin API, and tokens of identity providers are signed there.
//   - DNS names other than localhost resolve to the sandbox only when the client
//     arranges that.
//   - Wordings follow AWS's documentation and public reports. Where those are
//     silent or differ the code says so; none of it was compared with AWS by
//     this project.
package sandbox

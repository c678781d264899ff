// Package sandbox is two AWS accounts in one process: STS, IAM, S3, KMS and
// CloudTrail on one loopback listener, for rehearsing and testing access across accounts.
//
// # What it guarantees
//
//   - Every call is authenticated (SigV4 in the header, in the query, and over
//     chunked bodies) and then decided by internal/iampolicy over the documents
//     that are stored at that moment, on both sides when two accounts are
//     involved. There is no switch to turn that off.
//   - S3 asks KMS on the caller's behalf as AWS does: GenerateDataKey for
//     PutObject and CreateMultipartUpload, Decrypt for UploadPart,
//     CompleteMultipartUpload and reads; with kms:ViaService, the encryption
//     context of S3, and without the client's source address.
//   - Roles and users in policies are kept by unique id. A role that is deleted
//     and made again is another role.
//   - An object is visible only when its whole body came and every checksum,
//     digest, length and signature that was promised is right.
//   - Errors have AWS's code, status, text and shape. What AWS keeps from a
//     caller of another account is kept here too.
//   - Access control lists are asked as policies of whoever owns the bucket or
//     the object: they add to what policies allow, an explicit deny stands, and
//     an object of another account is reached by its own list only.
//   - What is not modelled answers NotImplemented (501), never a made-up success.
//   - Bodies above 1 MiB are on disk, in a directory that Close removes; memory
//     does not grow with the size of an upload.
//   - Every call leaves its record in the trail before the client has its answer:
//     who, what, the decision and the error, and no secret. What crosses
//     accounts is recorded in both.
//   - With Options.DataDir, what was answered is there after a kill -9. One
//     sandbox uses a directory at a time; a damaged state is refused, not repaired.
//     Faults, VPC endpoints and the clock's offset are not kept.
//   - Faults with a rate hit the same calls in every run of the same calls under
//     the same seed.
//
// # What is modelled
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
// The routes in s3routes.go, s3configroutes.go, iam.go, sts.go and kms.go are the whole list.
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
//
// It refuses to listen on an address that is not loopback: root keys of both
// accounts are handed out by a method call.
package sandbox

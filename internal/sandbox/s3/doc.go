// Package s3 is S3 of the sandbox: buckets with their configuration, objects, copies,
// multipart uploads, lists and form uploads.
//
// # Guarantees
//
//   - An object is visible only when its whole body has arrived and every checksum,
//     digest, length and signature that was promised is right.
//   - Every action is decided, object by object where S3 does so, with the bucket policy,
//     access control lists, public access blocks and the caller's policies.
//   - KMS is asked on the caller's behalf as AWS does: GenerateDataKey for PutObject and
//     CreateMultipartUpload, Decrypt for UploadPart, CompleteMultipartUpload and reads.
//   - Bodies above 1 MiB are on disk; memory does not grow with the size of an upload.
//   - The lock is never held while bytes move: a body is read between two short critical
//     sections, and conditions are checked again in the second one.
//
// An operation without an entry in the tables of routes.go and config_routes.go is refused
// with NotImplemented. Encryption at rest is bookkeeping: keys are checked at each use,
// bytes are stored as they came.
package s3

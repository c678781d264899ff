// Package sink is an S3 endpoint that keeps nothing.
//
// It stands where S3 would in a benchmark of senders, and speaks as much of S3
// and STS as an SDK, the AWS CLI, rclone and brokerd need in order to upload:
// PutObject, the calls of a multipart upload, HeadObject, an empty ListObjectsV2
// and AssumeRole. Bodies are read and dropped. What a sender compares is answered
// as S3 answers it: the checksum and the encryption that were asked for, the
// checksum of the whole object when an upload is completed.
//
// It believes everything: signatures, checksums and policies are not looked at.
// What it guarantees instead is the count. An object is counted once its bytes
// have all arrived and its upload was completed, so that a benchmark can tell a
// sender that was fast from one that sent less.
//
// A network can be imitated: each answer comes later by Options.Delay, and each
// connection is read no faster than Options.Rate.
package sink

// Package sink is an S3 endpoint that discards the objects it receives.
//
// It replaces S3 in a benchmark of senders. It implements the part of S3 and STS that
// an SDK, the AWS CLI, rclone and brokerd need in order to upload: PutObject, the
// calls of a multipart upload, HeadObject, an empty ListObjectsV2 and AssumeRole. It
// reads and discards bodies. Its responses carry the values that senders compare: the
// requested checksum and encryption, and the checksum of a completed object.
//
// It checks no signature, checksum or policy. It guarantees the count instead: an
// object counts when all its bytes have arrived and its upload is complete. A benchmark
// can therefore distinguish a fast sender from one that sent less.
//
// It can simulate a network: Options.Delay delays each response, and Options.Rate limits
// the bytes a second that it reads from each connection.
package sink

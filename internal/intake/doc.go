// Package intake takes uploads in: from a validated header and a body to an object
// in S3 or in the spool.
//
//	header → access → limits → admission → identity → body → delivery or spool → outcome
//
// Guarantees:
//
//   - Access is decided before anything is reserved for an upload.
//   - An upload succeeds only when the sender's statement about its bytes (length and
//     checksum, or the file's size and times) agrees with the received bytes.
//   - Two uploads with the same idempotency key, user and destination are one object.
//     The second waits for the first. Another object under the same key is refused.
//   - A sender that is silent longer than limits.idle_timeout is cut off. A sender
//     that is faster than its delivery waits: at most 64 KiB of an upload are read ahead.
//   - After Drain has reported that no upload is open, no upload begins.
//   - Every upload ends with one log line, one metric and one record in UploadRegistry.
//
// It knows no gRPC service, no protobuf and no socket. Package rpc translates both ways.
package intake

// Package uploader delivers one object to S3, or nothing.
//
// Guarantees:
//
//   - Nothing is completed before the body has ended well and [Object.Verify]
//     agreed with its length and checksum. A body that fails, or a caller that
//     gives up before that, leaves neither an object nor a multipart upload.
//
//   - After that point the delivery is finished whether the caller stays or not,
//     so that the outcome that is recorded is the true one.
//
//   - Every byte is covered by a CRC32C that was computed when it arrived: per
//     part in the request header, and over the whole object at completion. S3
//     refuses what differs.
//
//   - What [Stored] says was compared with what was asked for: encryption, key
//     ARN and checksum. A difference is an error, never a success.
//
//   - Memory for bodies is bounded by one process-wide [Budget]. A small body
//     takes one page, a larger one a part at a time; waiting for memory means
//     not reading, never allocating.
//
//   - A key with the upload's id is written under the condition that nobody has it.
//     That it is taken means that an earlier try of the same upload succeeded, and
//     its answer was lost: one object, one version, and success.
//
//   - An object at rest ([AtRest]) goes on where an interrupted try ended; what of
//     a stream a crash left in the bucket is aborted at the next start ([Leftovers]).
//
// What a destination decides of an object, its key above all, is decided once, by
// [Uploader.Open], when the object is accepted.
//
// It refuses to choose a bucket, key, role or encryption by what a caller says:
// all of that comes from the destination.
//
// A request is tried up to four times, with growing pauses; one that was refused
// for an expired session is signed anew, once, with the session that replaced it.
// [FailureOf] returns what a failure means for an object that is kept.
package uploader

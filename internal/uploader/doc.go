// Package uploader delivers one object to S3, whole or not at all.
//
// Guarantees:
//
//   - No object is completed before its body has ended well and [Body.Verify] has
//     accepted length and checksum. A body that fails, or a caller that gives up before
//     that, leaves neither an object nor a multipart upload.
//
//   - After that point the delivery continues without its caller, so that the recorded
//     outcome is the true one.
//
//   - A CRC32C covers every byte from its arrival on: per part in the request header,
//     and over the whole object at completion. S3 refuses a difference.
//
//   - Every field of [Stored] was compared with the request: encryption, key ARN and
//     checksum. A difference is an error, never a success.
//
//   - One process-wide [Budget] bounds the memory for bodies. A small body takes one
//     page, a larger one takes a part at a time. An upload without memory reads no
//     further byte.
//
//   - A key that contains the upload's id is written on the condition that it does not
//     exist. If it exists, an earlier try of the same upload succeeded and its response
//     was lost: that is one object, one version, and success.
//
//   - An object on disk ([AtRest]) resumes where an interrupted try ended. The
//     [OrphanLog] makes the next start abort the multipart uploads of streams that a
//     crash cut off.
//
// [Uploader.Open] resolves the properties of an object that its destination
// configures, its key above all, once, when the object is accepted.
//
// The package takes no bucket, key, role or encryption from a caller: all of them come
// from the destination.
//
// A request is tried up to four times, with growing pauses. After a refusal for an
// expired session it is signed again, once, with the replacement of that session.
// [FailureOf] returns the disposition of an object that is kept.
package uploader

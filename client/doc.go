// Package client talks to brokerd over its Unix socket.
//
// An upload is a stream of chunks closed by a trailer with the length and the
// CRC32C of the bytes, computed here as they were read: the daemon and S3
// both refuse an object that differs. When Upload returns a Result whose State is
// Stored, the object is in the bucket, encrypted, and its checksum was confirmed;
// when it is Spooled, it is safe on the daemon's disk, and Wait waits for the rest.
// When it returns an error, MayBeStored reports whether there may be an object.
//
// A slow or silent reader is no failure: keep-alive messages show the daemon that the
// client is alive. A daemon that gives no sign of life is one: pings and heartbeats find
// out within 20 seconds.
//
// Uploads are tried again while the daemon restarts, under one idempotency key: an
// object is stored once however often it is sent.
//
// On Linux, UploadFile hands the open file over instead of its bytes. On a
// connection of its own to the same socket it sends
//
//	"brokerd-file-1\n"                     once, at the beginning
//	length, 4 bytes, big-endian            of the next message; at most 16,384
//	FileUpload, encoded with protobuf      its header must have a size
//
// and, with the first byte of it, exactly one descriptor (SCM_RIGHTS): a regular
// file of a local file system, open for reading. The daemon reads `size` bytes from
// `offset`; the descriptor's own position is neither used nor moved. It answers with
// FileUploadResult messages, each with its length before it: one with only the
// upload id when the header is accepted, heartbeats while the upload goes on, then the
// final one, with a code or a response. The next upload, from the length on, may follow then. Closing or
// shutting down the sending side before the final answer, or sending anything,
// gives the upload up. The reason DESCRIPTOR_REFUSED asks for a stream instead.
//
// A Client may be used by several goroutines.
package client

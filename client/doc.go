// Package client talks to brokerd over its Unix socket.
//
// An upload is a stream of chunks closed by a trailer with the length and the
// CRC32C of what was sent, computed here from what was read: the daemon and S3
// both refuse an object that differs. When Upload returns without an error, the
// object is in the bucket, encrypted, and its checksum was confirmed. When it
// returns one, the error says whether the same upload may be tried again.
//
// A Client may be used by several goroutines.
package client

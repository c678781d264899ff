// Package rpc serves the gRPC API on the daemon's Unix socket, and the hand-over of
// open files on the same socket.
//
// Guarantees:
//
//   - The caller's identity is that of package unixsock: the kernel's, taken once when
//     the connection is made. A connection without an identity is refused.
//   - Access is decided on every call, before any other work is done for it.
//   - No message names a bucket, role, key prefix or ARN.
//   - Every error has a code, a stable reason (google.rpc.ErrorInfo), a text that says
//     what to do, and RetryInfo where a retry can help. No error or log line holds a secret.
//   - A panic in a call ends that call, and is logged.
//
// It holds no decision about uploads or readiness: package intake takes uploads in,
// package health decides readiness, package vend issues credentials. rpc translates
// between messages and plain Go values, and errors into statuses.
package rpc

// Package rpc is the door of the daemon: the gRPC services on the Unix socket.
//
// Guarantees:
//
//   - Who calls is what the kernel says about the peer of the socket
//     (SO_PEERCRED), taken once when the connection is made. A connection without
//     it is refused. The process id is for the log only: it is 0 across pid
//     namespaces, and ids are used again.
//   - Access is decided on every call, before anything else is done for it.
//   - No message names a bucket, role, key prefix or ARN.
//   - An upload ends well only with a trailer that agrees with what arrived, and
//     only after S3 confirmed the object.
//   - Every error has a code, a stable reason (google.rpc.ErrorInfo), a text that
//     says what to do, and RetryInfo where trying again can help. No error or log
//     line holds a secret.
//
// It refuses to hold logic of its own: services translate between messages and
// the cores.
package rpc

// Package s3client is the request path of the data plane: the S3 calls of a
// delivery over HTTP/1.1 connections of its own, signed by a SigV4 of its own.
//
// An SDK spends most of a small object's time in its middleware, and net/http
// hands each request from goroutine to goroutine. Here a call is one header, one
// signature with a key that is derived once a day and session, and one exchange
// in the caller's goroutine: over TLS, head and body of a small object leave in one
// system call. What is read is parsed by net/http.
//
// It guarantees:
//
//   - A call is one attempt. Retries, the refresh of sessions and the fate of an
//     object are the caller's. The one exception: a request of which no byte left,
//     because the store had closed a kept connection, goes to another one.
//   - What is signed is what the SDK would sign: the same canonical request, byte
//     for byte, for every key. No path is cleaned on its way.
//   - Bodies go out unhashed (UNSIGNED-PAYLOAD) under the CRC32C that their owner
//     computed; S3 refuses what differs. A body shorter or longer than its size is
//     an error of the body, never of the network.
//   - No byte of a payload is read after the call has returned.
//   - Errors keep their kind: an answer of the store is a [ResponseError], also
//     when it hides in a 200; the network's errors stay *url.Error over net.OpError;
//     the body's and the credentials' errors are in the chain unchanged.
//   - Nobody waits for ever: connecting, a peer that takes no bytes and a request
//     that is not answered all have their limits.
//   - No secret is in an error: neither keys, nor tokens, nor signatures, nor what
//     a store quotes of them.
//
// It refuses redirects (they are answers, with the Region in them), directory
// buckets and ARNs in place of a bucket's name, which are addressed and signed
// in other ways, and HTTP/2, which S3 does not speak.
package s3client

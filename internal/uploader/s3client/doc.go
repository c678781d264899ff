// Package s3client makes the S3 calls of a delivery. It has its own HTTP/1.1
// connections and its own SigV4 signer.
//
// An SDK spends most of a small object's time in its middleware, and net/http
// passes each request between goroutines. Here a call is one header, one
// signature and one exchange in the caller's goroutine. The signing key is
// derived once a day and session. Over TLS, head and body of a small object leave
// in one system call. net/http parses the responses.
//
// Guarantees:
//
//   - A call is one attempt. The caller decides about retries, new sessions and the
//     object. There is one exception: when a kept connection was closed before any
//     byte of the request was sent, the request is sent on a new connection.
//   - The signature covers the same canonical request as the SDK's, byte for byte,
//     for every key. No path is cleaned.
//   - Bodies are sent unhashed (UNSIGNED-PAYLOAD) with the CRC32C that their owner
//     computed, and S3 refuses a body that differs. A body shorter or longer than
//     its size is an error of the body, never of the network.
//   - The payload is not read after the call has returned.
//   - Errors keep their kind: a response of the store is a [ResponseError], also
//     inside an HTTP 200; a network error is a *url.Error over a net.OpError; errors
//     of the body and the credentials are in the chain unchanged.
//   - Every wait has a limit: connecting, a peer that takes no byte, and a response
//     that does not arrive.
//   - Errors hold no secret: no key, token or signature, and no part of a response
//     that quotes them.
//
// The package refuses redirects to another host (the caller gets them as errors,
// with the Region in them), directory buckets, ARNs instead of a bucket's name, and
// HTTP/2, which S3 does not support.
package s3client

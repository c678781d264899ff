// Package vend issues session credentials to programs that have an AWS client of their
// own. It serves them over HTTP, as a container credentials endpoint that every AWS SDK
// can read: on loopback, and on a Unix socket.
//
// Guarantees:
//
//   - The caller is identified first: on a Unix socket by the kernel, on loopback by a
//     token that stands for one peer. An access rule must allow that peer the
//     credentials of the destination. A token can narrow that right, never widen it.
//   - Every issue and every refusal is logged, with the peer, the destination and the
//     last four characters of the access key. A rate limit per user applies to both.
//   - Tokens are compared in constant time with every known token, and only their
//     digests are kept. A token file that is missing, short, readable by others or
//     shared by two peers identifies nothing. Nor does a file that its directory's owner
//     put in the place of a token: a link, a named pipe, a file of a stranger (see
//     openToken). No wait for a file holds a lock.
//   - Connections that send no whole request keep no caller out: at the limit, a new
//     connection takes the place of the oldest of them.
//   - The session is the peer's own, limited as the destination says, with its true
//     expiration: broker.Broker.Vend issues it. No answer may be cached.
//   - A listener that fails is opened again, and reported as down meanwhile. It does
//     not affect uploads.
//
// It refuses to listen outside loopback. It refuses requests of browsers and proxies:
// those with a foreign Host, an Origin, or a forwarding header. Packets leave with a
// hop limit of 1. There is one path per destination, with GET only: no listing, no
// redirect.
package vend

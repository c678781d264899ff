// Package vend hands session credentials to programs that bring their own AWS
// client: over HTTP in the form that every AWS SDK takes from a container
// credentials endpoint, on loopback and on a Unix socket.
//
// Guarantees:
//
//   - Whoever asks is known before anything is looked up: on a Unix socket by what
//     the kernel says, on loopback by a token that stands for one peer. An access
//     rule must give that peer the credentials of the destination it names; a token
//     can narrow that further, never widen it.
//   - Every hand-out and every refusal is logged, with the peer, the destination and
//     the last four characters of the access key; a user who asks in a loop is
//     slowed down.
//   - Tokens are compared in constant time with all that are known, and only their
//     digests are kept. A token file that is missing, short, readable by everybody
//     or shared by two peers opens nothing.
//   - What is handed out is the peer's own session, limited as the destination says,
//     with its true expiration: it is broker.Broker.Vend's. No answer may be cached.
//   - A listener that fails takes nothing else with it: it is tried again, and until
//     then the endpoint is reported as down.
//
// It refuses to listen anywhere but on loopback, and to answer what a browser or a
// proxy sends: requests with a foreign Host, an Origin, or a forwarding header.
// Packets leave with a hop limit of 1. There is one path, GET, per destination;
// no listing, no redirect.
package vend

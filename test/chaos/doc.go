// Package chaos runs the daemon while what it depends on misbehaves, by a seed
// that a failure prints, and holds it to its invariants meanwhile.
//
// TestTorture is the long one. Callers send objects of 0 B to 24 MiB through the
// real brokerd, to destinations of all three durabilities, while brokerd is killed
// with SIGKILL every half second to three seconds, and the sandbox that stands in
// for AWS throttles, fails, stalls, cuts connections, loses answers, ends sessions,
// and loses its key, its bucket policy and STS, for two minutes at a stretch when
// the run is long. Callers that get an error send the same object again under the
// same idempotency key, until it is acknowledged.
//
// What has to hold:
//
//   - At every kill, while nothing runs: an object that was acknowledged is in the
//     bucket or in the spool.
//   - At the end: every object is in the bucket once, in one version, with the
//     bytes that were sent; nothing else is there; nothing is left in the spool.
//   - An upload that its caller gave up before the end left no object.
//   - No multipart upload is left, but one whose id never reached brokerd: because
//     the answer with it was lost, or the kill came before it was written down.
//   - brokerd never ended by itself, and no secret is in what it wrote.
//
// By default the run is short. The whole one takes some minutes, and prints its
// figures:
//
//	go test ./test/chaos -run Torture -v -timeout 30m -args -uploads 20000
//
// Sizes, kills and weather follow from the seed, -chaos.seed; how they meet is up
// to the machine.
package chaos

// Package chaos runs brokerd under injected faults and kills, and checks its
// invariants during and after the run. A failure prints the seed that repeats it.
//
// TestTorture is the long test. Callers send objects of 0 B to 24 MiB through the
// real brokerd, to destinations of all three durabilities. Meanwhile the test kills
// brokerd with SIGKILL every half second to three seconds. The sandbox that stands
// in for AWS throttles, fails, stalls, cuts connections, loses answers and ends
// sessions. It also disables its KMS key, its bucket policy and STS, for two minutes
// in a long run. A caller that gets an error sends the same object again under the
// same idempotency key, until it is acknowledged.
//
// The invariants:
//
//   - After every kill, each acknowledged object is in the bucket or in the spool.
//   - At the end, the bucket holds each object once, in one version, with the bytes
//     that were sent, and no other object. The spool is empty.
//   - An upload that its caller cancelled left no object.
//   - No multipart upload is left, except those whose id never reached brokerd: the
//     answer with the id was lost, or the kill came before brokerd wrote it to disk.
//   - brokerd never ended by itself, and its log contains no secret.
//
// By default the run is short. The whole run takes some minutes and prints its
// figures:
//
//	go test ./test/chaos -run Torture -v -timeout 30m -args -uploads 20000
//
// Sizes, kills and faults follow from the seed, -chaos.seed. Their timing against
// each other depends on the machine.
package chaos

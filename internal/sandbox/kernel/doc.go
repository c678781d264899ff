// Package kernel is the part of the sandbox that all services share: requests and
// their answers, SigV4, errors in AWS's form, policy decisions, faults, the clock,
// the record of calls, and the data directory.
//
// # Guarantees
//
//   - A request is authenticated before its caller is set; an unsigned one stays anonymous.
//   - A decision is made by internal/iampolicy, over the caller's policies, the
//     organization's and the VPC endpoint's as they are at that moment.
//   - An answer is buffered until its handler has ended, unless it streams object data:
//     a client that reads slowly holds up no lock.
//   - A call is recorded once, before the client has its answer.
//   - Faults with a rate hit the same calls in every run of the same calls under the same seed.
//
// # Locks
//
// Each service has a lock of its own, and a service calls only services below it. So
// locks are taken in one order: S3, KMS, IAM, kernel; CloudTrail's is taken alone. STS
// keeps its state, access keys, in IAM and takes IAM's lock. A function whose name
// ends in Locked is called with the lock of its service held. Every lock is released
// by the function that took it.
//
// A decision reads the resource's policy under the lock of its service, and then the
// caller's policies under IAM's. A change between the two counts for one and not for the
// other, as on AWS, where changes take seconds to arrive.
package kernel

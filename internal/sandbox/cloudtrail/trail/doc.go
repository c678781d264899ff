// Package trail keeps the sandbox's audit trail in CloudTrail's shape.
//
// # Guarantees
//
//   - Every event that was appended is seen by every follower, in order, and by
//     Lookup, until it is among the oldest of more than the log's capacity.
//   - Memory is bounded by the capacity, whatever is appended.
//   - Events are immutable once appended.
//
// # Limits
//
// It makes no events: the sandbox does. Delivery is immediate, where AWS takes
// minutes. Lookup shows data events beside management events; AWS's LookupEvents
// leaves them out, and a trail has to be set up to see them.
package trail

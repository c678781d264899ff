// Package monitor verifies the daemon's destinations regularly: soon after the
// start, and then once an interval.
//
// Guarantees:
//
//   - An interval of 0 turns it off: no goroutine runs, and no timer wakes the process.
//   - Each interval varies by up to a tenth at random, so that destinations and
//     daemons do not all ask AWS at the same moment.
//   - A destination is verified once at a time, and at most four at once.
//   - Changed is called once for the first result and once for each change. A result
//     that equals the one before is not a change.
//   - A destination that could not be verified is Unknown, whatever its last result.
//
// It does not decide the meaning of a result for health, log and metrics: its
// caller does.
package monitor

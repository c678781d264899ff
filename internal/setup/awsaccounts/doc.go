// Package awsaccounts reads the two accounts around a configuration, and makes the
// changes of a plan. It is linked by brokerctl alone: the daemon has no use for
// the clients of IAM and CloudTrail.
//
// Guarantees:
//
//   - Read makes reading calls only. A part that AWS refuses to show is Unread
//     with AWS's reason; an account without credentials is unread as a whole.
//   - Apply reads each document again right before it writes it, and stops when
//     the document differs from the planned one.
//   - A replaced document is in the backup directory before the write.
//   - When a call fails, no later call is tried; the error lists the finished
//     changes. A later run goes on from there.
//
// It refuses to delete buckets and keys, and roles that setup did not make.
package awsaccounts

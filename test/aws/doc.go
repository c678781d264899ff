// Package kit compares the sandbox with a pair of real AWS accounts. It is for the
// first person who has two:
//
//	BROKERD_TEST_A=profile-a BROKERD_TEST_B=profile-b go test -tags aws -timeout 2h ./test/aws
//
// The profiles are of the shared AWS configuration, each of an administrator of a
// test account. Without AWS, `go test ./test/aws` compares one sandbox with another.
//
// # Job
//
//   - It announces its resources, and the most that they can cost: less than 0.10 USD.
//   - It makes a user, a role, a bucket and a key, and applies a configuration to both
//     accounts by `brokerctl setup apply`.
//   - It runs the delivery suite through the daemon, `brokerctl verify`, each row of
//     test/misconfig that needs no organization, and the table of test/recorded.
//   - It asks a sandbox the same, compares every answer, and writes the differences
//     as differences.md and differences.json. Account ids, names, keys and tokens are
//     replaced.
//   - It removes all its resources: at the end, after Ctrl-C, and, for a run that was
//     killed, with `go test -tags aws ./test/aws -args -cleanup`.
//
// # Guarantees
//
//   - Everything that it makes has a name that begins with Prefix, or, for keys, a tag
//     of that value. Nothing else is written or removed.
//   - No secret is written to a file that stays.
//   - A difference is reported even when the sandbox's answer is the recorded one.
//
// # Limits
//
//   - Keys cannot be deleted at once: they are scheduled for deletion in seven days,
//     during which they cost nothing.
//   - Some rows make S3 create the key aws/s3 in account A. AWS has no way to delete
//     it; it costs nothing.
//   - This project has not run the kit against AWS.
package kit

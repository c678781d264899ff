// Package importer reads an existing arrangement, a role, a bucket and a key with
// their policies, into the configuration that describes it, and lists the
// permissions that exceed the configuration's needs.
//
// Guarantees:
//   - It is pure: its input is a setup.Snapshot, and it makes no call.
//   - Each conclusion comes from policies, through the policy engine where it is a
//     decision, and names its basis. A question without an answer is listed, and
//     never guessed.
//   - A finding names its statement and a sufficient replacement. That
//     replacement is the statement that setup itself would write.
//   - A part that could not be read is named, and nothing is concluded from it.
//
// It refuses to judge statements that concern neither the role nor every
// principal: they belong to others.
package importer

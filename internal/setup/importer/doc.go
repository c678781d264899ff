// Package importer reads an arrangement that somebody else made, a role, a bucket
// and a key with their policies, into the configuration that describes it, and
// says what the policies give beyond what that configuration needs.
//
// Guarantees:
//   - It is pure: it is shown a setup.Snapshot, and calls nobody.
//   - What it concludes is concluded from policies, with the policy engine where a
//     decision is asked for, and every conclusion says what it rests on. What
//     cannot be concluded is said too, and never guessed.
//   - A finding names its statement and what would be enough in its place. That
//     replacement is what setup itself would write.
//   - A part that could not be read is named, and nothing is concluded from it.
//
// It refuses to judge statements that concern neither the role nor everybody:
// they are other people's.
package importer

// Package setup plans the arrangement of both accounts that a configuration
// needs. StateOf derives it, a Snapshot holds the accounts as they are, and
// NewPlan compares the two. The package makes no call; awsaccounts reads and applies.
//
// Guarantees:
//
//   - The State is a pure function of the configuration, byte for byte. Several
//     destinations that share a role, a bucket or a key share its documents.
//   - Statement ids are stable: they begin with "Brokerd" and end with a
//     destination's name and a hash of that name and its role. Only statements with
//     such an id are ever changed or removed. Everything else in a document stays as it is, byte for byte.
//   - No statement has a wildcard principal with Allow, and none allows more than
//     writing below the destinations' own prefixes.
//   - A plan never rests on a part that was not read: such a part is OpUnknown,
//     and each conclusion from it is Unclear.
//   - A plan proves, with the policy engine and the documents as they will be,
//     that uploads are allowed and that other requests are denied. Policies that
//     the engine does not see (organization policies) are among the assumptions.
//
// It names the role's ARN, not the account, in the policies of account B: that
// is least privilege, and AWS then blames the layer that is really at fault.
//
// It refuses to touch anything outside of one delivery: the source identity
// itself, the key's rotation and deletion, objects, and settings that other
// writers of a bucket rely on (a default encryption with another key stays).
package setup

// Package setup knows the arrangement of both accounts that one configuration
// asks for, compares it with the arrangement that is there, and says what to
// change: it derives (StateOf), it is shown what was read (Snapshot), and it
// plans (NewPlan). It makes no call; package cloud reads and applies.
//
// Guarantees:
//
//   - The State is a pure function of the configuration, byte for byte. Several
//     destinations that share a role, a bucket or a key share its documents.
//   - Statement ids are stable: they begin with "Brokerd" and end with a
//     destination's name. Only statements with such an id are ever changed or
//     removed. Everything else in a document stays as it is, byte for byte.
//   - No statement has a wildcard principal with Allow, and none allows more than
//     writing below the destinations' own prefixes.
//   - A plan never rests on what was not read: such a part is OpUnknown, and what
//     follows from it is Unclear.
//   - A plan proves, with the policy engine and the documents as they will be,
//     that uploads are allowed and that what should be denied is denied. What the
//     engine is not shown (organization policies) is among the assumptions.
//
// It names the role's ARN, not the account, in the policies of account B: that
// is least privilege, and AWS then blames the layer that is really at fault.
//
// It refuses to touch what is not part of one delivery: the source identity
// itself, the key's rotation and deletion, objects, and settings that other
// writers of a bucket rely on (a default encryption with another key stays).
package setup

// Package kms is KMS of the sandbox: symmetric, asymmetric, MAC and key-agreement keys,
// key policies, grants, aliases, tags, rotation and imported material.
//
// # Guarantees
//
//   - Every use of a key is decided by its policy, by grants and by the caller's policies,
//     on both sides when two accounts are involved.
//   - Keys of other accounts cannot be found by guessing.
//   - Ciphertexts open under every generation of a key's material, and under no other key
//     or encryption context.
//   - Keys are deleted, rotated and emptied of imported material when their time has
//     come, by the sandbox's clock.
//   - S3 uses keys on a caller's behalf as a service of AWS does, see forward.go; each use is recorded.
//
// Custom key stores, replicas of keys and attested recipients are refused with NotImplemented.
package kms

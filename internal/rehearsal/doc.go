// Package rehearsal runs a user's configuration in the sandbox: it starts
// both accounts, makes the key, the bucket, the role and the policies that the
// configuration needs, and writes a copy of the configuration for the daemon.
//
// Guarantees:
//
//   - The user's file is read and never written.
//   - The copy differs from it only in [Rehearsal.Changes]: the places of this
//     machine (socket, spool, credentials, endpoints), the KMS keys, which the
//     sandbox makes, and the rule that lets this user in. Bucket, role, key
//     template, session, encryption and limits stay as they are.
//   - The policies come from `brokerctl setup`, as they would on AWS.
//   - Everything is below one private directory, which the caller removes.
//
// It refuses a configuration whose destinations belong to more than two
// accounts, because the sandbox has two, and one without a destination on AWS.
package rehearsal

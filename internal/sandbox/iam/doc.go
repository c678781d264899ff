// Package iam is IAM of the sandbox: accounts, roles, users, groups, access keys, managed
// and inline policies, boundaries, instance profiles, OIDC providers and simulation.
//
// # Guarantees
//
//   - Roles and users in policies are kept by unique id: a role that is deleted and made
//     again is another role.
//   - Policies are checked for IAM's grammar and quotas before they are stored.
//   - A session ends with its role or user.
//   - Every parameter is validated as AWS's model of the operation says, before anything is decided.
//
// It is the keyring of all services, and it stores the policies with principals of
// all services, for it alone resolves principals. An operation that is not in the table
// of handlers is refused with NotImplemented.
package iam

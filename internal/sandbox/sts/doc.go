// Package sts is STS of the sandbox: AssumeRole, AssumeRoleWithWebIdentity, GetSessionToken,
// GetCallerIdentity and GetAccessKeyInfo. It is also the identity provider that signs web identity tokens.
//
// # Guarantees
//
//   - A session is made only when the role's trust policy and the caller's policies allow
//     every action that the request takes: AssumeRole, TagSession, SetSourceIdentity.
//   - A role that does not exist is refused like one that does not trust the caller.
//   - Role chaining is limited to an hour.
//
// Sessions are access keys, which IAM keeps: its operations take IAM's lock. MFA is refused
// with NotImplemented.
package sts

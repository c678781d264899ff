// Package handover writes the message for the administrator of an account that
// setup cannot reach: the request, its effects, the ways to apply, check and
// revoke it.
//
// Guarantees:
//
//   - A policy is handed over as statements to add. A whole document would drop
//     the statements of others.
//   - The commands need a POSIX shell, the AWS CLI and jq, and nothing of brokerd.
//     They read the document first, replace only statements with the same Sid, and
//     work where there is no document yet.
//   - The list of permissions is the proof of the plan: a line is printed as
//     allowed or denied only when the policy engine decided it so.
//
// The package makes no call and writes no file.
package handover

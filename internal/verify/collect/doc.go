// Package collect gathers the policies that verify evaluates: from a directory of
// exported files, from a snapshot of the accounts, or from CloudTrail.
//
// Guarantees:
//
//   - A document that could not be read is marked as unreadable, with the reason. It is
//     never taken for absent.
//   - A directory is read up to report.MaxPolicyBytes, and from regular files only.
//
// It makes no call to AWS, and does not judge the documents.
package collect

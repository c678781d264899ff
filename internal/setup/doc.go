// Package setup derives from one destination the policies that make it work:
// the role's trust and identity policy in account A, the bucket policy and the
// key policy in account B.
//
// Guarantees: the documents are a pure function of the destination and the
// options, byte for byte; statement ids are stable and start with "Brokerd";
// no statement has a wildcard principal with Allow, and none allows more than
// writing below the destination's own prefix.
//
// It names the role's ARN, not the account, in the policies of account B: that
// is least privilege, and AWS then blames the layer that is really at fault.
package setup

// Package iampolicy decides, as AWS documents it, whether a request is allowed
// by a set of policies, and explains the decision.
//
// It parses policy documents (Parse), lints them (Document.Lint), decides a
// Scenario (Evaluate), searches for changes that make it allowed (Candidates,
// Apply), expands an S3 upload into the decisions that AWS makes for it
// (Put.Scenarios), and writes the error text that AWS sends (AccessDeniedText).
// Package fixproof proves changes before they are offered to anybody.
//
// Guarantees: it is pure (no I/O, no clock, no globals that change), safe for
// concurrent use with shared documents, and never panics on any input. A
// request or document that it cannot understand is an error or a denial, never
// an allowance. An allowed result carries the assumptions it rests on.
//
// It refuses: documents that AWS would refuse to store for their syntax
// (unknown elements and operators, duplicate keys, wrong types), documents
// larger than any AWS policy, and nesting deeper than any policy needs.
//
// It does not know KMS grants, S3 access control lists on existing objects, access
// points, management accounts, and anything that AWS does not document. Its rules
// follow AWS's documentation and were not compared with AWS. Comments in the code
// mark the places where the documentation is silent.
package iampolicy

// Package awsarn parses and writes Amazon Resource Names.
//
// Guarantees: it is pure, and an ARN that Parse accepts is written back by
// String byte for byte. Parse checks the shape only: six fields, of which
// partition, service and resource are not empty. Whether the partition, the
// account or the resource exists is for the caller to decide.
//
// It refuses to guess: a text that is not an ARN has no account and no name.
//
// The format is that of the AWS General Reference, "Identify AWS resources with
// Amazon Resource Names (ARNs)".
package awsarn

// Package render writes the arrangement of a configuration for other tools: JSON
// documents, Terraform, CloudFormation, and a shell script around the AWS CLI. It
// is for operators who apply changes with their own tools, in their own
// pipelines, or through another account's administrator.
//
// Guarantees:
//   - The output is a pure function of the State and the half that was asked for,
//     byte for byte. Nothing is read, and no account is called.
//   - Every statement is the one that `brokerctl setup apply` would write, with the
//     same Sid. A plan of setup after an apply of the rendered files finds nothing to do
//     in the documents that they hold.
//   - Documents that others share (bucket policies, key policies) are merged by
//     Sid with the existing ones; statements of others are kept. A tool that cannot
//     merge asks for the documents that it would replace.
//   - Settings of an existing bucket that would replace foreign entries
//     (default encryption, lifecycle rules) are changed only when the reader says so.
//
// It refuses to leave out silently: a part that a format cannot express (the
// selectors of a trail that it does not own) is named in the output.
package render

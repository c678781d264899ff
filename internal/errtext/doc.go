// Package errtext reads AWS errors out of text that people paste, and explains them.
//
// [Read] accepts log lines, logfmt, JSON logs, CloudTrail records, the output of the AWS
// CLI and of Terraform, and the errors of the SDKs for Go, Java, Python, JavaScript,
// Rust, .NET and PHP, with stack traces, escaped quotes and wrapped lines. It returns one
// [Error] for each error in the text, in order, without duplicates of one trace.
//
// [Explain] returns the cause, the policy layer, the account and the next step. Its
// statements are those of AWS's text: it names a layer, an explicit deny or a missing
// statement only if the text names it, and otherwise lists the candidates.
//
// The package is pure. It never panics on any input, and reads at most [MaxText] bytes.
// It refuses to decide: the policy engine and `brokerctl verify` do that.
package errtext

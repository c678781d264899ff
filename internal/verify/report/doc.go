// Package report is the record of a verification: checks, findings, fixes and the
// documents that they refer to.
//
// Every form that a person or a program sees is made from it: render prints it,
// verifypb carries it over the API, monitor compares it with the one before.
//
// Guarantees:
//
//   - It has no dependency on the engine that fills it, and makes no call.
//   - Its JSON names are part of the public format: docs/verify.schema.json describes them.
//   - Unknown is never summed up as Pass, and a report without a passed check is Unknown.
//   - A fix that has no Command is a description: it is not to be pasted.
//
// It refuses to decide: which check failed, and why, is for verify to say.
package report

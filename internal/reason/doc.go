// Package reason holds the stable reasons of brokerd's errors: one constant and
// one row of facts for each.
//
// Programs compare reasons; people read texts. A reason keeps its spelling and its
// meaning forever. The gRPC API sends it in google.rpc.ErrorInfo, the credentials
// endpoint sends it as "code", and the spool writes it to disk.
//
// Guarantees:
//
//   - Every reason that any package reports is a constant here.
//   - Every constant has one row, and docs/error-codes.md lists the same rows.
//   - The package is pure. It imports gRPC's codes and nothing else.
//
// It does not decide which error has which reason: the package that makes the
// error does that.
package reason

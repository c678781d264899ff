// Package policytext reads and edits the text of policy documents: JSON with the
// place of every value, lists that may be a single string, the elements of a
// statement, and edits that keep all other bytes.
//
// Guarantees:
//
//   - Read is stricter than encoding/json, as AWS is: duplicate names, NUL
//     characters, lone surrogates, invalid UTF-8 and deep nesting are errors with
//     their line and column.
//   - Edit changes the statements that it is told to change. Every other byte of
//     the document stays, and taking out an added statement gives the document
//     back byte for byte.
//   - Two statements with equal Elements mean the same, however they are written.
//
// It refuses to judge: package iampolicy decides whether an operator exists, a
// principal is valid, and a statement allows a request.
package policytext

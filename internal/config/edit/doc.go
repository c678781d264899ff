// Package edit writes configuration files: a new one with comments, or one more
// destination in an existing file.
//
// Guarantees:
//   - The returned text is a configuration that config.Parse accepts, with the
//     destination that was asked for in it.
//   - Add only ever inserts. Every old byte is still there, in the same order, with
//     its comments and its layout, and the old settings keep their values: both are
//     checked before Add returns.
//   - Nothing is read and nothing is written: text in, text out.
//
// It refuses to guess. Where it finds no place in which an addition keeps that
// promise, it returns a NoPlaceError with the lines to add by hand.
package edit

// Package edit writes configuration files: a new one with comments, or one more
// destination in a file that somebody else wrote.
//
// Guarantees:
//   - What it returns is a configuration that config.Parse accepts, with the
//     destination that was asked for in it.
//   - Add only ever inserts. Every byte that was there is there still, in the same
//     order, with its comments and its layout, and everything that the file said
//     before it says afterwards: both are checked before Add returns.
//   - Nothing is read and nothing is written: text in, text out.
//
// It refuses to guess. Where it finds no place in which an addition keeps that
// promise, it returns a NoPlaceError with the lines to add by hand.
package edit

// Package cli is brokerctl: its commands, their output and their exit codes.
//
// Guarantees: what a script reads goes to standard output, everything else to
// standard error; colour and progress bars appear on a terminal only; every exit
// code has one meaning (see exit.go and `brokerctl help exit-codes`).
//
// It refuses to hold rights of its own: uploads and verification go through the
// daemon, which knows its caller from the kernel. Only `verify --standalone`,
// `sandbox` and `demo` work without one.
package cli

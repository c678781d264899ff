// Package cli is brokerctl: its commands, their output and their exit codes.
//
// Guarantees: results go to standard output, all other text to standard error;
// colour and progress bars appear on a terminal only; every exit code has one meaning
// (see exit.go and `brokerctl help exit-codes`).
//
// It holds no rights of its own: uploads and verification go through the daemon, which
// learns its caller's user from the kernel. Only `verify --standalone`, `init`, `setup`,
// `policy`, `explain`, `sandbox` and `demo` work without a daemon.
//
// Files named cmd_* hold the commands; the other files hold the parts that they share.
package cli

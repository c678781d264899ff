// Package console is what all commands of brokerctl share: standard streams, the
// connection to the daemon, exit codes, formats of output, colours, questions and
// units. It holds no command.
package console

// Package sandboxcmd is `brokerctl sandbox`: run two AWS accounts on this machine,
// and talk to the running ones through the file that announces them.
package sandboxcmd

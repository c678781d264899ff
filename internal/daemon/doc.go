// Package daemon is the composition root: it turns a configuration into a
// running brokerd and stops it in order.
//
// Start: config, telemetry, broker, uploader, access, rpc, sockets. The daemon
// reports READY when it listens and every destination's first attempt to get a
// session has ended, or after ten seconds: an outage of AWS delays nothing but
// readiness per destination.
//
// Reload (SIGHUP, or the API): the whole file is read and checked, and everything
// that can fail is made, before the first part is swapped. What only a restart
// can change refuses the reload.
//
// Stop (SIGTERM): new uploads are refused, open ones have the grace time to
// finish, what is left is cut and aborted, sessions are dropped. Nothing is
// written to disk but the socket and its lock file.
//
// The first part that fails stops the rest. No goroutine outlives Run.
package daemon

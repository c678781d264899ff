// Package daemon is the composition root: it turns a configuration into a
// running brokerd and stops it in order.
//
// Start: config, telemetry, broker, spool, uploader, access, vend, monitor, rpc,
// sockets. The daemon reports READY when it listens and every destination's first
// attempt to get a session has ended, or after ten seconds: an outage of AWS
// delays nothing but readiness per destination.
//
// Reload (SIGHUP, or the API): the whole file is read and checked, and every part
// prepares its change, before the first part commits. A setting that only a restart
// can change refuses the reload.
//
// Stop (SIGTERM): new uploads are refused, and open ones have the grace time to
// finish; then they are cut and aborted, and sessions are dropped. The spool keeps
// its objects for the next start; shutdown.drain delivers them first, within the
// grace time.
//
// On disk it writes the socket with its lock file, the spool's directory, and next to
// it the multipart uploads to abort after a crash.
//
// The first part that fails stops the rest. No goroutine outlives Run.
package daemon

// Package telemetry holds the log and the metrics of the daemon.
//
// Labels are destination names, results and stable reasons: never an ARN, a key,
// an object name or an access key id. No secret reaches this package; sessions
// arrive as values that do not print.
package telemetry

// Package bench measures, and compares with a peer in the same run.
//
// A figure counts as a ratio: machines differ, and the one in use is never
// quiet. Every benchmark therefore runs its rounds in turns with its peer's and
// reports CPU time of the server's process beside wall time. Nothing here
// passes or fails by a clock.
//
//	go test -run '^$' -bench . -benchtime 1x ./bench
package bench

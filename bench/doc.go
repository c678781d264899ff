// Command bench measures brokerd and its peers in the same run.
//
//	go run ./bench
//
// The result is a ratio, because machines differ and are never fully idle. In each
// round every participant runs the case once, and the ratio is taken within the
// round. The table shows its median and quartiles next to two limits: the floor,
// which the figure must reach, and the aim.
//
// brokerd and every application are separate processes on one core; the sink that
// stands in for S3 runs on another core. The processor time of an application
// includes its start. For brokerd, which runs all the time, it is the time that the
// work added. A round counts only if the sink received all objects.
//
// The tests of this package are benchmarks of single parts, against their own peers:
//
//	go test -run '^$' -bench . -benchtime 1x ./bench
//
// No measured time makes the command fail, unless -strict is set.
package main

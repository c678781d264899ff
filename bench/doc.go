// Command bench measures brokerd beside its peers, in the same run.
//
//	go run ./bench
//
// A figure counts as a ratio: machines differ, and the one in use is never
// quiet. Contestants therefore take turns, round after round, and the ratio is
// taken within a round; the table has its median and quartiles beside the floor
// that a figure must not miss and the aim it is meant to reach. brokerd and every
// application are processes of their own on one core, the sink that stands for S3
// is on another. Processor time is all that a process used, its start included;
// for brokerd, which is always there, it is what the work added. What the sink
// counted must be what was to be sent, or there is no figure.
//
// The tests beside it are benchmarks of single parts, against their own peers:
//
//	go test -run '^$' -bench . -benchtime 1x ./bench
//
// Nothing here passes or fails by a clock, unless -strict asks for it.
package main

package main

import (
	"time"

	"github.com/brokerd/brokerd/bench/load"
	"github.com/brokerd/brokerd/bench/sink"
)

// The participants. All but brokerd send to S3 directly.
const (
	brokerd         = "brokerd"
	brokerdSpool    = "brokerd, spool"
	sdk             = "SDK PutObject"
	manager         = "feature/s3/manager"
	transferManager = "transfermanager"
	awsCLI          = "aws s3 cp"
	rclone          = "rclone"
)

// benchCase is one workload, and the participants that run it.
type benchCase struct {
	name    string
	job     load.Job
	field   []string
	network sink.Options
	daemon  settings
	fresh   bool // start a new daemon for each round, to measure its peak memory or its start
	idle    bool // send no objects: measure the start and the idle memory only
}

// settings are the changes that a case makes to brokerd's configuration. A zero field
// leaves the default.
type settings struct {
	memory      string
	concurrency int
	durability  string
}

// cases returns all cases. The flag -only selects by their names.
func cases(quick bool) []benchCase {
	count, size, each := 10_000, int64(1<<30), int64(64<<20)
	if quick {
		count, size, each = 1_000, 64<<20, 16<<20
	}
	file := load.Job{Objects: 1, Size: size, InFlight: 1, Body: load.File, Prefix: "object"}
	stream := load.Job{Objects: 1, Size: size, InFlight: 1, Body: load.Stream, Prefix: "object"}
	distant := sink.Options{Delay: 20 * time.Millisecond}
	// AWS's performance guide: one connection to S3 carries 85 to 90 MB/s.
	slow := sink.Options{Delay: 20 * time.Millisecond, Rate: 90_000_000}
	// With a delay the throughput depends on the parts in flight: give them memory.
	wide := settings{memory: "128MiB", concurrency: 12}
	everybody := []string{brokerd, sdk, manager, transferManager, awsCLI, rclone}
	return []benchCase{
		{name: smallObjects, job: load.Job{Objects: count, Size: 16 << 10, InFlight: 16, Body: load.Memory, Prefix: "object"}, field: everybody},
		{name: bigFile, job: file, field: everybody},
		{name: bigStream, job: stream, field: []string{brokerd, sdk, manager, transferManager}},
		{name: farFile, job: file, field: everybody, network: distant, daemon: wide},
		{name: slowFile, job: file, field: everybody, network: slow, daemon: wide},
		{
			name: manyStreams, job: load.Job{Objects: 64, Size: each, InFlight: 64, Body: load.Stream, Prefix: "object"},
			field: []string{brokerd, manager, transferManager}, fresh: true,
		},
		{name: spooled, job: stream, field: []string{brokerd, brokerdSpool}},
		{name: start, field: []string{brokerd}, fresh: true, idle: true},
	}
}

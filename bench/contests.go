package main

import (
	"time"

	"github.com/brokerd/brokerd/bench/load"
	"github.com/brokerd/brokerd/bench/sink"
)

// The contestants. All but brokerd send to S3 by themselves.
const (
	brokerd         = "brokerd"
	brokerdSpool    = "brokerd, spool"
	sdk             = "SDK PutObject"
	manager         = "feature/s3/manager"
	transferManager = "transfermanager"
	awsCLI          = "aws s3 cp"
	rclone          = "rclone"
)

// contest is one piece of work and who does it.
type contest struct {
	name    string
	job     load.Job
	field   []string
	network sink.Options
	daemon  settings
	fresh   bool // a new daemon every round: its peak is to be seen, or its start
	idle    bool // there is no work: only the start and the rest after it count
}

// settings are what a contest changes in brokerd's configuration; what is zero
// stays as it is by default.
type settings struct {
	memory      string
	concurrency int
	durability  string
}

// contests is all of them. Each is told by its name, and -only picks by that.
func contests(quick bool) []contest {
	count, size, each := 10_000, int64(1<<30), int64(64<<20)
	if quick {
		count, size, each = 1_000, 64<<20, 16<<20
	}
	file := load.Job{Objects: 1, Size: size, InFlight: 1, Body: load.File, Prefix: "object"}
	stream := load.Job{Objects: 1, Size: size, InFlight: 1, Body: load.Stream, Prefix: "object"}
	distant := sink.Options{Delay: 20 * time.Millisecond}
	// What S3 gives one connection, by AWS's own performance guide: 85 to 90 MB/s.
	slow := sink.Options{Delay: 20 * time.Millisecond, Rate: 90_000_000}
	// Over a distance parts in flight are what counts: the budget has room for them.
	wide := settings{memory: "128MiB", concurrency: 12}
	everybody := []string{brokerd, sdk, manager, transferManager, awsCLI, rclone}
	return []contest{
		{name: smallObjects, job: load.Job{Objects: count, Size: 16 << 10, InFlight: 16, Body: load.Memory, Prefix: "object"}, field: everybody},
		{name: bigFile, job: file, field: everybody},
		{name: bigStream, job: stream, field: []string{brokerd, sdk, manager, transferManager}},
		{name: farFile, job: file, field: everybody, network: distant, daemon: wide},
		{name: slowFile, job: file, field: everybody, network: slow, daemon: wide},
		{name: manyStreams, job: load.Job{Objects: 64, Size: each, InFlight: 64, Body: load.Stream, Prefix: "object"}, field: []string{brokerd, manager, transferManager}, fresh: true},
		{name: spooled, job: stream, field: []string{brokerd, brokerdSpool}},
		{name: start, field: []string{brokerd}, fresh: true, idle: true},
	}
}

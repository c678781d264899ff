package config

import (
	"crypto/sha256"
	"encoding/hex"
	"time"
)

// The defaults. They are set before the file is read, so that an empty value in
// the file (bucket_key: false) is a decision and not a gap.
func newConfig() *Config {
	return &Config{
		Socket:   Socket{Path: "/run/brokerd/brokerd.sock", Mode: 0o660},
		Log:      Log{Level: "info"},
		Shutdown: Shutdown{Grace: Duration(30 * time.Second)},
		Limits:   Limits{IdleTimeout: Duration(time.Minute), MaxObject: 5 * TiB, Credentials: 50},
		Spool:    Spool{Dir: "/var/lib/brokerd/spool", Max: 10 * GiB, MinFree: 512 * MiB, Concurrency: 16},
		Verify:   Verify{Every: Duration(15 * time.Minute)},
		AWS:      AWS{Source: Source{Type: SourceDefault}},
	}
}

func newDestination(name string) *Destination {
	bucketKey := true
	return &Destination{
		Name:        name,
		BucketKey:   &bucketKey,
		Durability:  DurabilityDirect,
		PartSize:    8 * MiB,
		Concurrency: 4,
		Session:     Session{Name: defaultSessionName(name), Duration: Duration(time.Hour), Scope: ScopeAuto},
	}
}

func newHop() Hop { return Hop{Duration: Duration(time.Hour)} }

// defaultSessionName is stable, because some services treat a change of the
// session name as a change of the principal. STS allows 64 characters: a longer
// name is cut and keeps a digest of the whole.
func defaultSessionName(destination string) string {
	name := "brokerd-" + destination
	if len(name) <= 64 {
		return name
	}
	sum := sha256.Sum256([]byte(destination))
	return name[:55] + "-" + hex.EncodeToString(sum[:4])
}

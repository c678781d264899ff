// Package chaos runs the daemon while what it depends on misbehaves, by a seed
// that a failure prints, and holds it to its invariants meanwhile.
package chaos

package config

import (
	"errors"
	"fmt"
	"reflect"
	"slices"
)

// Change is a reload that one part of the daemon has prepared. The caller calls
// either Commit or Discard, once.
type Change interface {
	// Commit makes the part follow the new configuration. It cannot fail.
	Commit()
	// Discard releases what Prepare made. The part stays as it was.
	Discard()
}

// ErrNeedsRestart is wrapped by the error of a reload that needs a restart.
var ErrNeedsRestart = errors.New("restart the daemon for that")

// Changes lists the destinations that a reload added, changed or removed. Names are sorted.
type Changes struct{ Added, Changed, Removed, Unchanged []string }

// Compare lists the destinations that differ between two configurations. The AWS
// section is part of every destination: it decides the identity and the endpoints.
func Compare(old, next *Config) Changes {
	var out Changes
	for name, d := range next.Destinations {
		was := old.Destinations[name]
		switch {
		case was == nil:
			out.Added = append(out.Added, name)
		case !was.Same(d) || old.AWS != next.AWS:
			out.Changed = append(out.Changed, name)
		default:
			out.Unchanged = append(out.Unchanged, name)
		}
	}
	for name := range old.Destinations {
		if next.Destinations[name] == nil {
			out.Removed = append(out.Removed, name)
		}
	}
	for _, list := range [][]string{out.Added, out.Changed, out.Removed, out.Unchanged} {
		slices.Sort(list)
	}
	return out
}

// Same reports whether two stanzas have equal values, wherever they are in their files.
func (d *Destination) Same(other *Destination) bool {
	a, b := *d, *other
	a.Line, b.Line, a.KeyTemplate, b.KeyTemplate = 0, 0, nil, nil // the template is Key, parsed
	a.Setup, b.Setup = Setup{}, Setup{}                           // nothing that the daemon goes by
	return reflect.DeepEqual(a, b)
}

// RestartNeeded names the settings of next that a running daemon cannot take
// over, with their old and new values; empty when it can take over all.
func (c *Config) RestartNeeded(next *Config) []string {
	var out []string
	for _, s := range []struct {
		name     string
		was, now any
	}{
		{"socket.path", c.Socket.Path, next.Socket.Path}, {"socket.mode", c.Socket.Mode, next.Socket.Mode},
		{"socket.group", c.Socket.Group, next.Socket.Group}, {"socket.reflection", c.Socket.Reflection, next.Socket.Reflection},
		{"vend.address", c.Vend.Address, next.Vend.Address},
		{"vend.socket", c.Vend.Socket, next.Vend.Socket}, {"metrics.address", c.Metrics.Address, next.Metrics.Address},
		{"metrics.socket", c.Metrics.Socket, next.Metrics.Socket},
		{"memory.max", c.Memory.Max, next.Memory.Max}, {"spool.dir", c.Spool.Dir, next.Spool.Dir},
		{"spool.concurrency", c.Spool.Concurrency, next.Spool.Concurrency},
		{"spool.allow_volatile", c.Spool.AllowVolatile, next.Spool.AllowVolatile},
		{"aws.ca_bundle", c.AWS.CABundle, next.AWS.CABundle},
	} {
		if s.was != s.now {
			out = append(out, fmt.Sprintf("%s (%v, now %v)", s.name, s.was, s.now))
		}
	}
	return out
}

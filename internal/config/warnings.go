package config

import (
	"cmp"
	"fmt"
	"maps"
	"net"
	"slices"
	"strings"
	"time"
)

// Warnings lists, sorted by section, what works but should be looked at.
func (c *Config) Warnings() []string {
	var out []string
	if c.Socket.Mode&0o006 != 0 {
		out = append(
			out,
			fmt.Sprintf(
				"socket.mode %v lets every local user connect; the access rules still decide, but socket.group with 0660 shuts strangers out",
				c.Socket.Mode,
			),
		)
	}
	if host, _, err := net.SplitHostPort(c.Metrics.Address); err == nil && !loopback(host) {
		out = append(out, fmt.Sprintf("metrics.address %s can be reached from other machines; it has no authentication", c.Metrics.Address))
	}
	if c.Vend.Address != "" || c.Vend.Socket != "" {
		if !slices.ContainsFunc(c.Access, func(r Rule) bool { return slices.Contains(r.Allow, PermCredentials) }) {
			out = append(out, "vend is on, but no access rule allows anybody to have credentials: it will refuse everybody")
		}
	}
	for _, w := range c.Watch {
		if w.After != AfterKeep && w.Finished.Idle == 0 && !w.Finished.Closed {
			out = append(
				out, fmt.Sprintf("watch %s: its marker alone says that a file is finished; finished.idle also detects a writer that goes on", w.Name),
			)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(c.Destinations)) {
		d := c.Destinations[name]
		at := "destinations." + name
		if d.KeyTemplate != nil && d.KeyTemplate.Prefix() == "" {
			out = append(out, at+".key has no fixed first segment: the role must be allowed to write anywhere in the bucket")
		}
		if d.Role != "" && d.Session.Duration.Std() > time.Hour {
			out = append(
				out,
				at+".session.duration is over 1h: it is cut to 1h when the source is itself a role, and STS refuses it when the role's "+
					"maximum is lower",
			)
		}
		if d.FixedKey {
			out = append(
				out,
				at+".fixed_key: a later object replaces an earlier one of the same key, and a retry may store an object twice in a versioned bucket",
			)
		}
		if !c.uploadable(name) {
			out = append(out, at+": no access rule allows anybody to upload to it")
		}
	}
	return append(out, c.sharedPrefixes()...)
}

// sharedPrefixes names each destination whose prefix overlaps with that of an earlier one
// in the same bucket. It names one other destination, however many there are.
func (c *Config) sharedPrefixes() (out []string) {
	names := slices.Sorted(maps.Keys(c.Destinations))
	for i, name := range names {
		d := c.Destinations[name]
		for _, other := range names[:i] {
			o := c.Destinations[other]
			if d.KeyTemplate == nil || o.KeyTemplate == nil || d.Bucket != o.Bucket || d.Region != o.Region ||
				cmp.Or(d.Endpoints.S3, c.AWS.Endpoints.S3) != cmp.Or(o.Endpoints.S3, c.AWS.Endpoints.S3) {
				continue
			}
			if !shareKeys(o, d) {
				continue
			}
			out = append(out, fmt.Sprintf("destinations.%s and destinations.%s: their key prefixes %q and %q overlap in the bucket %s, "+
				"so that a user of one can write among the objects of the other; give each a prefix of its own",
				other, name, o.KeyTemplate.Prefix(), d.KeyTemplate.Prefix(), d.Bucket))
			break
		}
	}
	return out
}

// shareKeys reports whether two destinations may write one key, or below one prefix. A
// template without a variable is one key.
func shareKeys(a, b *Destination) bool {
	one := func(d *Destination) bool { return !strings.Contains(d.Key, "{") }
	switch p, q := a.KeyTemplate.Prefix(), b.KeyTemplate.Prefix(); {
	case one(a) && one(b):
		return a.Key == b.Key
	case one(a):
		return strings.HasPrefix(a.Key, q)
	case one(b):
		return strings.HasPrefix(b.Key, p)
	default:
		return strings.HasPrefix(p, q) || strings.HasPrefix(q, p)
	}
}

func (c *Config) uploadable(destination string) bool {
	if slices.ContainsFunc(c.Watch, func(w Watch) bool { return w.Destination == destination }) {
		return true
	}
	for _, r := range c.Access {
		if slices.Contains(r.Allow, PermUpload) && (slices.Contains(r.Destinations, "*") || slices.Contains(r.Destinations, destination)) {
			return true
		}
	}
	return false
}

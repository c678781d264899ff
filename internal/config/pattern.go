package config

import (
	"regexp"
	"strings"
)

// A long length limit is checked next to its pattern and not in it: a compiled
// repetition needs memory for each count, and the daemon keeps these patterns.

// entity matches the resource of an IAM ARN: a kind, an optional path, a name.
type entity struct{ pattern *regexp.Regexp }

// maxPath is the length of an IAM path without its first slash.
const maxPath = 511

// MatchString reports whether s matches.
func (e entity) MatchString(s string) bool {
	return strings.LastIndexByte(s, '/')-strings.IndexByte(s, '/') <= maxPath && e.pattern.MatchString(s)
}

// bounded matches texts of a limited length.
type bounded struct {
	pattern *regexp.Regexp
	most    int // bytes
}

// MatchString reports whether s matches.
func (b bounded) MatchString(s string) bool { return len(s) <= b.most && b.pattern.MatchString(s) }

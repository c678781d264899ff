package config

import (
	"regexp"
	"strings"
)

// Long bounds stand beside a pattern and not in it: a regular expression is as
// large as it counts far, and the daemon holds these for as long as it runs.

// entity is the resource of an IAM ARN: a kind, a path perhaps, a name.
type entity struct{ pattern *regexp.Regexp }

// maxPath is the length of an IAM path without its first slash.
const maxPath = 511

// MatchString says whether s is one.
func (e entity) MatchString(s string) bool {
	return strings.LastIndexByte(s, '/')-strings.IndexByte(s, '/') <= maxPath && e.pattern.MatchString(s)
}

// bounded is a pattern for texts of a limited length.
type bounded struct {
	pattern *regexp.Regexp
	most    int // bytes
}

// MatchString says whether s is one.
func (b bounded) MatchString(s string) bool { return len(s) <= b.most && b.pattern.MatchString(s) }

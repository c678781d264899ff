package setup

import (
	"maps"
	"slices"

	"github.com/brokerd/brokerd/internal/config"
)

// Scope says what to read from the accounts.
type Scope struct {
	Identities []string // ARNs of roles and users
	Buckets    []BucketRef
	Keys       []string    // ARNs
	Trails     []string    // ARNs
	Policies   []string    // ARNs of managed policies: the boundaries to come
	LogTargets []BucketRef // that receive access logs, by the configuration
	Unfinished bool        // also list the multipart uploads that are unfinished; a removal asks for it
}

// BucketRef is a bucket and where it is expected.
type BucketRef struct{ Name, Account, Region string }

// ScopeOf is what there is to read around destinations; around all when none is
// named. Unlike StateOf it does not ask who the daemon runs as: a part that the
// configuration does not name is left out.
func ScopeOf(cfg *config.Config, destinations ...string) Scope {
	if len(destinations) == 0 {
		destinations = slices.Sorted(maps.Keys(cfg.Destinations))
	}
	var s Scope
	for _, name := range destinations {
		d, ok := cfg.Destinations[name]
		if !ok || d.Compatible {
			continue
		}
		as := cfg.SetupOf(d)
		if as.RunsAs.Principal != "" {
			s.Identities = with(s.Identities, as.RunsAs.Principal)
		}
		for _, h := range d.Chain {
			s.Identities = with(s.Identities, h.Role)
		}
		s.Identities = with(s.Identities, d.Role)
		s.Keys = with(s.Keys, d.KMSKey)
		if ref := (BucketRef{d.Bucket, d.Owner, d.Region}); !slices.Contains(s.Buckets, ref) {
			s.Buckets = append(s.Buckets, ref)
		}
		if as.AccessLogs.Bucket != "" {
			s.LogTargets = append(s.LogTargets, BucketRef{as.AccessLogs.Bucket, d.Owner, d.Region})
		}
		if as.Boundary != "" {
			s.Policies = with(s.Policies, as.Boundary)
		}
		if as.Trail != "" {
			s.Trails = with(s.Trails, as.Trail)
		}
	}
	return s
}

package config

import (
	"fmt"
	"maps"
	"os"
	"slices"
)

// FileWarnings lists the files of the configuration that every user of the host may
// write to. A user who changes one of them decides about destinations, credentials or
// trusted certificates.
// It looks at the file itself, behind symbolic links. A file that cannot be looked at has
// no warning: reading it fails, and says so. The token files of vend are no part of
// it; see package vend.
func (c *Config) FileWarnings() (out []string) {
	seen := map[string]bool{}
	look := func(setting, path string) {
		if path == "" || seen[path] {
			return
		}
		seen[path] = true
		info, err := os.Stat(path)
		if err != nil || !info.Mode().IsRegular() || info.Mode().Perm()&0o002 == 0 {
			return
		}
		out = append(out, fmt.Sprintf("%s %s has mode %04o: every user of the host may change it; run: chmod o-w %s",
			setting, path, info.Mode().Perm(), path))
	}
	look("the configuration file", c.Path)
	look("aws.credentials_file", c.AWS.CredentialsFile)
	look("aws.source.token_file", c.AWS.Source.TokenFile)
	look("aws.ca_bundle", c.AWS.CABundle)
	for _, name := range slices.Sorted(maps.Keys(c.Destinations)) {
		look("destinations."+name+".ca_bundle", c.Destinations[name].CABundle)
	}
	return out
}

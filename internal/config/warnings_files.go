package config

import (
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
)

// fileVariables name files that the AWS SDK and Go read in place of settings.
var fileVariables = []string{
	"AWS_CA_BUNDLE", "AWS_CONFIG_FILE", "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE", "AWS_SHARED_CREDENTIALS_FILE",
	"AWS_WEB_IDENTITY_TOKEN_FILE", "SSL_CERT_FILE",
}

// FileWarnings lists the files of the configuration and of the environment that every
// user of the host may write to or, because of their directory, replace. A user who
// changes one of them decides about destinations, credentials or trusted certificates.
//
// It looks at the file behind symbolic links, and at the directories of both. A file that
// cannot be looked at has no warning. The token files of vend are no part of it; see
// package vend.
func (c *Config) FileWarnings() []string {
	l := fileLooker{seen: map[string]bool{}}
	l.look("the configuration file", c.Path)
	l.look("aws.credentials_file", c.AWS.CredentialsFile)
	l.look("aws.source.token_file", c.AWS.Source.TokenFile)
	for _, name := range fileVariables {
		if path := os.Getenv(name); path != "" && (name != "AWS_CA_BUNDLE" || path == c.AWS.CABundle) {
			l.look(name, path)
		}
	}
	l.look("aws.ca_bundle", c.AWS.CABundle)
	for _, name := range slices.Sorted(maps.Keys(c.Destinations)) {
		l.look("destinations."+name+".ca_bundle", c.Destinations[name].CABundle)
	}
	return l.found
}

// fileLooker collects the warnings, one for each file and directory.
type fileLooker struct {
	seen  map[string]bool
	found []string
}

func (l *fileLooker) look(setting, path string) {
	if path == "" || l.seen[path] {
		return
	}
	l.seen[path] = true
	info, err := os.Stat(path)
	if err != nil || !info.Mode().IsRegular() {
		return
	}
	if everybody(info) {
		l.found = append(l.found, fmt.Sprintf("%s %s has mode %04o: every user of the host may change it; run: chmod o-w %s",
			setting, path, info.Mode().Perm(), path))
	}
	target, err := filepath.EvalSymlinks(path)
	if err != nil {
		return
	}
	for _, dir := range []string{filepath.Dir(path), filepath.Dir(target)} {
		info, err := os.Stat(dir)
		if err != nil || l.seen[dir] || !everybody(info) || info.Mode()&fs.ModeSticky != 0 {
			continue
		}
		l.seen[dir] = true
		l.found = append(l.found, fmt.Sprintf("%s %s is in the directory %s with mode %04o: every user of the host may replace it; "+
			"run: chmod o-w %s", setting, path, dir, info.Mode().Perm(), dir))
	}
}

func everybody(info fs.FileInfo) bool { return info.Mode().Perm()&0o002 != 0 }

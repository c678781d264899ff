package config

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestOverlappingPrefixesInOneBucketAreAWarning(t *testing.T) {
	second := func(key, bucket string) string {
		_, stanza, _ := strings.Cut(good, "  audit-logs:\n")
		stanza, _, _ = strings.Cut(stanza, "access:")
		stanza = strings.Replace(stanza, "logs/{host}/{yyyy}/{mm}/{dd}/{name}-{id}", key, 1)
		if bucket != "" {
			stanza = strings.Replace(stanza, "bucket: ", "bucket: "+bucket, 1)
		}
		return strings.Replace(good, "access:", "  zz-copy:\n"+stanza+"access:", 1)
	}
	at := func(address string) string {
		in := strings.Replace(second("logs/{name}-{id}", ""), "  zz-copy:\n", "  zz-copy:\n    endpoints: {s3: \"https://"+address+"\"}\n", 1)
		return in + "\naws: {endpoints: {s3: \"https://store.example.org\"}}\n"
	}
	for name, c := range map[string]struct {
		in   string
		warn bool
	}{
		"the endpoint of all, named again":    {at("store.example.org"), true},
		"an endpoint of its own":              {at("other.example.org"), false},
		"the same prefix":                     {second("logs/{name}-{id}", ""), true},
		"a prefix below the other":            {second("logs/app/{name}-{id}", ""), true},
		"a prefix above the other":            {second("\"{host}/{id}\"", ""), true},
		"another prefix":                      {second("dumps/{name}-{id}", ""), false},
		"a prefix that begins with the other": {second("logs2/{name}-{id}", ""), false},
		"the same prefix of another bucket":   {second("logs/{name}-{id}", "other-"), false},
		"one destination":                     {good, false},
		"one key below the prefix":            {second("logs/app.json\n    fixed_key: true", ""), true},
		"one key next to the prefix":          {second("app.json\n    fixed_key: true", ""), false},
	} {
		t.Run(name, func(t *testing.T) {
			cfg, err := Parse("f", []byte(c.in))
			if err != nil {
				t.Fatal(err)
			}
			got := strings.Join(cfg.Warnings(), "\n")
			if strings.Contains(got, "destinations.audit-logs and destinations.zz-copy: their key prefixes") != c.warn {
				t.Errorf("want a warning: %v, got\n%s", c.warn, got)
			}
		})
	}
}

// A configuration of many destinations with one prefix has a line for each, and not a
// line for each pair.
func TestADestinationHasOneWarningAboutItsPrefix(t *testing.T) {
	cfg, err := Parse("f", []byte(good))
	if err != nil {
		t.Fatal(err)
	}
	for n := range 50 {
		cfg.Destinations[fmt.Sprintf("copy-%d", n)] = cfg.Destinations["audit-logs"]
	}
	if got := cfg.sharedPrefixes(); len(got) != 50 {
		t.Errorf("got %d warnings for 51 destinations", len(got))
	}
}

func TestAFileThatEveryUserMayWriteIsAWarning(t *testing.T) {
	dir := t.TempDir()
	file := func(name string, mode os.FileMode) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte("x"), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Chmod(path, mode); err != nil { // whatever the umask says
			t.Fatal(err)
		}
		return path
	}
	link := filepath.Join(dir, "link")
	if err := os.Symlink(file("target", 0o600), link); err != nil {
		t.Fatal(err)
	}
	closed, open := &Config{Destinations: map[string]*Destination{}}, &Config{Destinations: map[string]*Destination{}}
	for mode, c := range map[os.FileMode]*Config{0o664: closed, 0o666: open} {
		suffix := fmt.Sprintf("-%o", mode)
		c.Path = file("brokerd.yaml"+suffix, mode)
		c.AWS.CredentialsFile = file("credentials"+suffix, mode)
		c.AWS.Source.TokenFile = file("token"+suffix, mode)
		c.AWS.CABundle = file("ca.pem"+suffix, mode)
		c.Destinations["logs"] = &Destination{CABundle: file("s3.pem"+suffix, mode)}
		c.Destinations["missing"] = &Destination{CABundle: filepath.Join(dir, "nowhere")}
		c.Destinations["linked"] = &Destination{CABundle: link} // the mode of a link is 0777
		c.Destinations["same"] = &Destination{CABundle: c.AWS.CABundle}
	}
	if got := closed.FileWarnings(); len(got) != 0 {
		t.Errorf("no other user may write, got %q", got)
	}
	got := open.FileWarnings()
	for i, want := range []string{"the configuration file ", "aws.credentials_file ", "aws.source.token_file ", "aws.ca_bundle ",
		"destinations.logs.ca_bundle "} {
		if len(got) != 5 || !strings.HasPrefix(got[i], want+dir) || !strings.Contains(got[i], "has mode 0666") {
			t.Fatalf("want a warning about %s, got %q", want, got)
		}
	}
}

func TestADirectoryThatEveryUserMayWriteIsAWarning(t *testing.T) {
	open := filepath.Join(t.TempDir(), "open")
	if err := os.Mkdir(open, 0o700); err != nil {
		t.Fatal(err)
	}
	target := filepath.Join(open, "brokerd.yaml")
	link := filepath.Join(t.TempDir(), "brokerd.yaml")
	if err := errors.Join(os.WriteFile(target, nil, 0o600), os.Symlink(target, link)); err != nil {
		t.Fatal(err)
	}
	for mode, warn := range map[os.FileMode]bool{0o775: false, 0o777: true, 0o777 | os.ModeSticky: false} {
		if err := os.Chmod(open, mode); err != nil {
			t.Fatal(err)
		}
		for _, path := range []string{target, link} {
			got := strings.Join((&Config{Path: path}).FileWarnings(), "\n")
			if strings.Contains(got, path+" is in the directory "+open+" with mode 0777") != warn {
				t.Errorf("%s, directory with mode %v: want a warning: %v, got %q", path, mode, warn, got)
			}
		}
	}
}

func TestAFileOfTheEnvironmentThatEveryUserMayWriteIsAWarning(t *testing.T) {
	path := filepath.Join(t.TempDir(), "file")
	if err := errors.Join(os.WriteFile(path, nil, 0o600), os.Chmod(path, 0o666)); err != nil {
		t.Fatal(err)
	}
	for _, name := range fileVariables {
		t.Run(name, func(t *testing.T) {
			t.Setenv(name, path)
			c := &Config{}
			c.AWS.CABundle = path // as AWS_CA_BUNDLE sets it
			if got := c.FileWarnings(); len(got) != 1 || !strings.HasPrefix(got[0], name+" "+path+" has mode 0666") {
				t.Errorf("got %q", got)
			}
		})
	}
}

package config_test

import (
	"reflect"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/brokerd/brokerd/internal/config"
)

const reloadable = `
socket: {path: /run/a.sock}
destinations:
  logs:
    role: arn:aws:iam::111122223333:role/up
    bucket: tenant-logs
    owner: "444455556666"
    region: eu-west-1
    kms_key: arn:aws:kms:eu-west-1:444455556666:key/1234abcd-12ab-34cd-56ef-1234567890ab
    key: logs/{name}-{id}
access:
  - {peer: {uid: "1"}, destinations: [logs], allow: [upload]}
`

func parsed(t *testing.T, old, text string) *config.Config {
	t.Helper()
	c, err := config.Parse("x", []byte(strings.Replace(reloadable, old, text, 1)))
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestAStanzaThatMovedIsTheSame(t *testing.T) {
	was := parsed(t, "", "").Destinations["logs"]
	if !was.Same(parsed(t, "\nsocket", "\n\n# a comment\nsocket").Destinations["logs"]) {
		t.Error("a stanza that stands two lines lower is another one")
	}
	for old, text := range map[string]string{
		"role/up": "role/other", "bucket: tenant-logs": "bucket: tenant-lags", "logs/{name}": "lags/{name}",
		"    region": "    concurrency: 8\n    region", "    key: ": "    session: {tags: {a: b}}\n    key: ",
	} {
		if was.Same(parsed(t, old, text).Destinations["logs"]) {
			t.Errorf("%q for %q is the same", text, old)
		}
	}
}

func TestWhatOnlyARestartCanChange(t *testing.T) {
	was := parsed(t, "", "")
	if got := was.RestartNeeded(parsed(t, "role/up", "role/other")); got != nil {
		t.Errorf("another role: %v", got)
	}
	got := was.RestartNeeded(
		parsed(t, "socket: {path: /run/a.sock}", "socket: {path: /run/b.sock, mode: 0600, group: adm}\nmetrics: {address: 127.0.0.1:1}\n"+
			"memory: {max: 64MiB}\naws: {ca_bundle: /x}"),
	)
	want := []string{
		"socket.path (/run/a.sock, now /run/b.sock)", "socket.mode (432, now 384)", "socket.group (, now adm)",
		"metrics.address (, now 127.0.0.1:1)", "memory.max (50331648, now 67108864)", "aws.ca_bundle (, now /x)",
	}
	if len(got) != len(want) {
		t.Fatalf("%s", cmp.Diff(want, got))
	}
	for i := range got {
		if name, _, _ := strings.Cut(want[i], " "); !strings.HasPrefix(got[i], name+" (") {
			t.Errorf("%q, want %s", got[i], name)
		}
	}
}

// A new section must say whether a reload takes it over.
func TestEverySectionIsKnownToReload(t *testing.T) {
	var got []string
	for i := range reflect.TypeFor[config.Config]().NumField() {
		got = append(got, reflect.TypeFor[config.Config]().Field(i).Name)
	}
	// Path: the same. Socket, Metrics, Memory: restart. Shutdown, Limits, Log, AWS,
	// Verify, Destinations, Access, Watch: taken over; of AWS the CA bundle needs a restart,
	// of Vend the listeners, of Spool all but the limits. Setup: the daemon has no use for it.
	// fromEnvironment: descriptions only.
	want := []string{"Path", "Socket", "Metrics", "Log", "Shutdown", "Limits", "Memory", "Spool", "AWS", "Verify", "Destinations", "Access",
		"Vend", "Watch", "Setup", "fromEnvironment"}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
}

func TestCompareNamesTheDestinationsThatDiffer(t *testing.T) {
	dest := func(bucket string) *config.Destination { return &config.Destination{Bucket: bucket} }
	old := &config.Config{Destinations: map[string]*config.Destination{"gone": dest("a"), "kept": dest("a"), "moved": dest("a")}}
	next := &config.Config{Destinations: map[string]*config.Destination{"fresh": dest("a"), "kept": dest("a"), "moved": dest("b")}}
	want := config.Changes{Added: []string{"fresh"}, Changed: []string{"moved"}, Removed: []string{"gone"}, Unchanged: []string{"kept"}}
	if d := cmp.Diff(want, config.Compare(old, next)); d != "" {
		t.Error(d)
	}
	next.AWS.Profile = "other" // part of every destination
	want.Changed, want.Unchanged = []string{"kept", "moved"}, nil
	if d := cmp.Diff(want, config.Compare(old, next)); d != "" {
		t.Errorf("another AWS section: %s", d)
	}
}

package cli

import (
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	brokerdv1 "github.com/brokerd/brokerd/proto/brokerd/v1"
)

// complete asks brokerctl as a shell does, and returns the words without their
// descriptions, and the directive.
func complete(t *testing.T, socket string, args ...string) (words []string, directive string) {
	t.Helper()
	t.Setenv("BROKERD_SOCKET", socket)
	code, out, errs := runBare(t, append([]string{"__complete"}, args...)...)
	if code != 0 || strings.Contains(errs, "brokerctl:") {
		t.Errorf("%v: exit code %d: %s", args, code, errs)
	}
	lines := strings.Split(strings.TrimSpace(out), "\n")
	for _, l := range lines[:len(lines)-1] {
		word, _, _ := strings.Cut(l, "\t")
		words = append(words, word)
	}
	return words, lines[len(lines)-1]
}

const (
	noFiles     = ":4"
	anyFiles    = ":0"
	byExtension = ":8"
	directories = ":16"
)

func TestDestinationsAreCompletedFromTheDaemon(t *testing.T) {
	f := threeObjects()
	f.destinations = []*brokerdv1.Destination{{Name: "audit-logs"}, {Name: "audit-copies"}, {Name: "backups"}}
	socket := f.serve(t)
	all := []string{"audit-logs", "audit-copies", "backups"}
	for _, c := range []struct {
		args []string
		want []string
	}{
		{[]string{"verify", ""}, all},
		{[]string{"verify", "audit"}, []string{"audit-logs", "audit-copies"}},
		{[]string{"verify", "audit-logs", ""}, []string{"audit-copies", "backups"}},
		{[]string{"wait", "b"}, []string{"backups"}},
		{[]string{"status", ""}, all},
		{[]string{"sessions", ""}, all},
		{[]string{"spool", "ls", "b"}, []string{"backups"}},
		{[]string{"upload", "-d", "b"}, []string{"backups"}},
		{[]string{"upload", "--destination", ""}, all},
		{[]string{"credentials", "-d", "b"}, []string{"backups"}},
		{[]string{"exec", "b"}, []string{"backups"}},
		{[]string{"spool", "retry", "-d", ""}, all},
	} {
		if got, directive := complete(t, socket, c.args...); !slices.Equal(got, c.want) || directive != noFiles {
			t.Errorf("%v: %v %s, want %v", c.args, got, directive, c.want)
		}
	}
	if got, _ := complete(t, socket, "spool", "drop", idB, ""); !slices.Equal(got, []string{idA, idC}) {
		t.Errorf("ids after one of them: %v", got)
	}
	if got, _ := complete(t, socket, "spool", "show", idB, ""); len(got) > 0 {
		t.Errorf("show takes one id, and is offered %v", got)
	}
}

// A daemon that is away, or does not answer, delays a shell for a moment at most, and
// prints nothing on the line that the user edits.
func TestCompletionIsSilentWithoutADaemon(t *testing.T) {
	dir, err := os.MkdirTemp("", "cli-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	mute := filepath.Join(dir, "mute")
	l, err := net.Listen("unix", mute)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	for _, socket := range []string{filepath.Join(dir, "none"), mute} {
		for _, args := range [][]string{{"verify", ""}, {"upload", "-d", ""}, {"spool", "show", ""}} {
			if got, directive := complete(t, socket, args...); len(got) > 0 || directive != noFiles {
				t.Errorf("%s: %v: %v %s", socket, args, got, directive)
			}
		}
	}
}

func TestSetupCompletesTheDestinationsOfItsFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "brokerd.yaml")
	text, err := os.ReadFile("../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	_, example, _ := strings.Cut(string(text), "```yaml\n")
	example, _, _ = strings.Cut(example, "```")
	example = strings.Replace(example, "uid: app", "uid: 1", 1)
	if err := os.WriteFile(path, []byte(example), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, args := range [][]string{{"setup", "plan", "--config", path, "au"}, {"setup", "remove", "--config=" + path, "-d", ""}} {
		if got, directive := complete(t, "none", args...); !slices.Equal(got, []string{"audit-logs"}) || directive != noFiles {
			t.Errorf("%v: %v %s", args, got, directive)
		}
	}
	if got, _ := complete(t, "none", "setup", "plan", ""); len(got) > 0 {
		t.Errorf("without a file: %v", got)
	}
}

func TestFlagsCompleteTheirValues(t *testing.T) {
	dir := t.TempDir()
	t.Setenv("HOME", dir)
	t.Setenv("AWS_CONFIG_FILE", filepath.Join(dir, "config"))
	t.Setenv("AWS_SHARED_CREDENTIALS_FILE", "")
	if err := os.Mkdir(filepath.Join(dir, ".aws"), 0o700); err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{
		"config": "[default]\nregion = eu-west-1\n[profile a-admin]\nx = [no]\n" +
			"[ profile  b-admin ] # of B\n[sso-session s]\nbroken [line\n[open",
		".aws/credentials": "[a-admin]\n[keys]\naws_secret_access_key = [s]\n",
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for _, c := range []struct {
		args      []string
		want      []string
		directive string
	}{
		{[]string{"setup", "plan", "--source-profile", ""}, []string{"a-admin", "b-admin", "default", "keys"}, noFiles},
		{[]string{"verify", "--target-profile", "b"}, []string{"b-admin"}, noFiles},
		{[]string{"setup", "create-key", "--target-profile", "k"}, []string{"keys"}, noFiles},
		{[]string{"setup", "import", "--source-profile", "k"}, []string{"keys"}, noFiles},
		{[]string{"verify", "-o", ""}, []string{"text", "short", "json", "junit", "sarif", "html"}, noFiles},
		{[]string{"status", "-o", ""}, []string{"text", "json"}, noFiles},
		{[]string{"credentials", "-o", ""}, []string{"process", "env", "json", "ini"}, noFiles},
		{[]string{"setup", "render", "-o", ""}, []string{"json", "terraform", "cloudformation", "cdk-json", "cli"}, noFiles},
		{[]string{"setup", "render", "--account", ""}, []string{"source", "target", "both"}, noFiles},
		{[]string{"sandbox", "env", "-o", ""}, []string{"sh", "terraform", "files", "json"}, noFiles},
		{[]string{"sandbox", "events", "--account", ""}, []string{"a", "b"}, noFiles},
		{[]string{"spool", "ls", "--state", ""}, []string{"queued", "delivering", "parked", "dead", "unreadable", "quarantined"}, noFiles},
		{[]string{"init", "--runs-as", ""}, []string{"ec2", "ecs", "pod-identity", "web-identity", "role", "user"}, noFiles},
		{[]string{"init", "--durability", ""}, []string{"direct", "spool", "spool-wait"}, noFiles},
		{[]string{"init", "--region", ""}, nil, noFiles},
		{[]string{"policy", "lint", "--kind", "b"}, nil, ""},
		{[]string{"setup", "plan", "--config", ""}, []string{"yaml", "yml"}, byExtension},
		{[]string{"verify", "--policies", ""}, nil, directories},
		{[]string{"setup", "render", "--output-dir", ""}, nil, directories},
		{[]string{"verify", "--output-file", ""}, nil, anyFiles},
		{[]string{"spool", "export", "-f", ""}, nil, anyFiles},
		{[]string{"upload", ""}, nil, anyFiles},
		{[]string{"policy", "lint", ""}, nil, anyFiles},
		{[]string{"drain", ""}, nil, noFiles},
		{[]string{"drain", "--timeout", ""}, nil, noFiles},
		{[]string{"upload", "--name", ""}, nil, noFiles},
		{[]string{"help", "spo"}, []string{"spool"}, noFiles},
		{[]string{"help", "spool", "e"}, []string{"export"}, noFiles},
	} {
		got, directive := complete(t, "none", c.args...)
		if c.directive == "" { // a choice: the shell filters
			if !slices.Contains(got, "bucket") {
				t.Errorf("%v: %v", c.args, got)
			}
			continue
		}
		if d := cmp.Diff(c.want, got); d != "" || directive != c.directive {
			t.Errorf("%v: %s, want %s %s", c.args, directive, c.directive, d)
		}
	}
	if got, _ := complete(t, "none", "explain", "BRK-KMS-0"); !slices.Contains(got, "BRK-KMS-010") {
		t.Errorf("explain: %v", got)
	}
}

package collect_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/brokerd/brokerd/internal/verify/collect"
	"github.com/brokerd/brokerd/internal/verify/report"
)

func write(t *testing.T, dir, name, text string) {
	t.Helper()
	path := filepath.Join(dir, name)
	must(t, os.MkdirAll(filepath.Dir(path), 0o700))
	must(t, os.WriteFile(path, []byte(text), 0o600))
}

func TestADirectoryHoldsPolicies(t *testing.T) {
	dir := t.TempDir()
	write(t, dir, "trust.json", `{"a":1}`)
	write(t, dir, "bucket-policy.json", " \n")
	write(t, dir, "identity/write.json", `{"b":1}`)
	write(t, dir, "identity/key.json", `{"b":2}`)
	write(t, dir, "scp/Root/perimeter.json", `{"c":1}`)
	write(t, dir, "scp/Workloads/regions.json", `{"c":2}`)
	write(t, dir, "README.md", "not read")
	got, err := collect.FromDirectory(dir)
	must(t, err)
	want := report.Policies{Documents: []report.PolicyDocument{
		{Kind: report.DocumentTrust, State: report.Known, Name: "trust", Text: `{"a":1}`},
		{Kind: report.DocumentIdentity, State: report.Known, Name: "key", Text: `{"b":2}`},
		{Kind: report.DocumentIdentity, State: report.Known, Name: "write", Text: `{"b":1}`},
		{Kind: report.DocumentSCP, State: report.Known, Name: "perimeter", Level: "Root", Text: `{"c":1}`},
		{Kind: report.DocumentSCP, State: report.Known, Name: "regions", Level: "Workloads", Text: `{"c":2}`},
		{Kind: report.DocumentBucketPolicy, State: report.Absent, Name: "bucket-policy"},
	}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestADirectoryIsRefused(t *testing.T) {
	empty := t.TempDir()
	write(t, empty, "other.json", "{}")
	if _, err := collect.FromDirectory(empty); !errors.Is(err, collect.ErrNoPolicies) {
		t.Errorf("nothing of the layout: %v", err)
	}
	if _, err := collect.FromDirectory(filepath.Join(empty, "nowhere")); err == nil {
		t.Error("a directory that is not there")
	}
	large := t.TempDir()
	write(t, large, "trust.json", strings.Repeat(" ", report.MaxPolicyBytes/2+1))
	write(t, large, "key-policy.json", strings.Repeat(" ", report.MaxPolicyBytes/2+1))
	if _, err := collect.FromDirectory(large); err == nil {
		t.Error("more than 512 KiB")
	}
	odd := t.TempDir()
	must(t, os.Mkdir(filepath.Join(odd, "trust.json"), 0o700))
	if _, err := collect.FromDirectory(odd); err == nil {
		t.Error("a directory in the place of a file")
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

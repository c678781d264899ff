package collect

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/brokerd/brokerd/internal/verify/report"
)

// layout maps the files of a directory to kinds. Settings have the form that the AWS
// CLI prints.
var layout = []struct {
	kind string
	name string // of the file without .json, and of the directory if many
	many bool
}{
	{report.DocumentTrust, "trust", false},
	{report.DocumentIdentity, "identity", true},
	{report.DocumentSource, "source", true},
	{report.DocumentBoundary, "boundary", false},
	{report.DocumentSessionPolicy, "session", false},
	{report.DocumentSCP, "scp", true},
	{report.DocumentRCP, "rcp", true},
	{report.DocumentEndpointPolicy, "vpc-endpoint", false},
	{report.DocumentBucketPolicy, "bucket-policy", false},
	{report.DocumentKeyPolicy, "key-policy", false},
	{report.DocumentPublicAccess, "public-access-block", false},
	{report.DocumentOwnership, "ownership-controls", false},
	{report.DocumentEncryption, "encryption", false},
	{report.DocumentKey, "key", false},
	{report.DocumentRole, "role", false},
	{report.DocumentLogging, "logging", false},
	{report.DocumentTrail, "trail", true},
	{report.DocumentEvent, "event", true},
	{report.DocumentPayment, "request-payment", false},
}

// Kinds lists the kinds of documents that a directory can hold, in the order of the layout.
func Kinds() []string {
	kinds := make([]string, len(layout))
	for i, l := range layout {
		kinds[i] = l.kind
	}
	return kinds
}

// ErrNoPolicies is returned for a directory without a file of the layout.
var ErrNoPolicies = errors.New("it has no file with a name that verify knows; see docs/guide-verify.md")

// FromDirectory reads a directory: NAME.json for each document. Kinds that can have
// several documents (identity, source, scp, rcp, trail, event) may also be in
// NAME/ANYTHING.json, and SCPs and RCPs of one level in scp/LEVEL/ANYTHING.json. An empty
// file means that there is no such document. docs/guide-verify.md lists the names.
func FromDirectory(dir string) (report.Policies, error) {
	var out report.Policies
	size := 0
	add := func(kind, name, level, path string) error {
		info, err := os.Stat(path)
		if err != nil {
			return err
		}
		if size += int(min(info.Size(), report.MaxPolicyBytes+1)); size > report.MaxPolicyBytes || !info.Mode().IsRegular() {
			return fmt.Errorf("%s: it is not a regular file, or the files exceed 512 KiB together", path)
		}
		text, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		d := report.PolicyDocument{Kind: kind, State: report.Known, Name: name, Level: level, Text: string(text)}
		if strings.TrimSpace(d.Text) == "" {
			d.State, d.Text = report.Absent, ""
		}
		out.Documents = append(out.Documents, d)
		return nil
	}
	for _, l := range layout {
		path := filepath.Join(dir, l.name+".json")
		err := add(l.kind, l.name, "", path)
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return report.Policies{}, fmt.Errorf("reading the policies: %w", err)
		}
		if !l.many {
			continue
		}
		for _, pattern := range []string{"*.json", "*/*.json"} {
			files, err := filepath.Glob(filepath.Join(dir, l.name, pattern))
			if err != nil {
				return report.Policies{}, fmt.Errorf("reading the policies: %w", err)
			}
			slices.Sort(files)
			for _, f := range files {
				level := filepath.Base(filepath.Dir(f))
				if pattern == "*.json" {
					level = ""
				}
				if err := add(l.kind, strings.TrimSuffix(filepath.Base(f), ".json"), level, f); err != nil {
					return report.Policies{}, fmt.Errorf("reading the policies: %w", err)
				}
			}
		}
	}
	if len(out.Documents) == 0 {
		return report.Policies{}, fmt.Errorf("reading the policies: %s: %w", dir, ErrNoPolicies)
	}
	return out, nil
}

package verify

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

// layout says which file of a directory holds which kind. Settings are in the
// form in which `aws` prints them.
var layout = []struct {
	kind string
	name string // of the file without .json; of a directory for kinds with several
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

// ErrNoPolicies is returned for a directory in which nothing has a name of the layout.
var ErrNoPolicies = errors.New("there is no file that verify knows")

// LoadPolicies reads a directory: NAME.json for each document, and for the kinds
// that can have several (identity, source, scp, rcp, trail, event) also
// NAME/ANYTHING.json. An empty file says that there is none. SCPs and RCPs of
// one level are in a directory of its name: scp/LEVEL/ANYTHING.json. docs/guide-verify.md
// lists the names.
func LoadPolicies(dir string) (report.Policies, error) {
	var out report.Policies
	size := 0
	add := func(kind, name, level, path string) error {
		info, err := os.Stat(path)
		if err != nil {
			return err
		}
		if size += int(min(info.Size(), report.MaxPolicyBytes+1)); size > report.MaxPolicyBytes || !info.Mode().IsRegular() {
			return fmt.Errorf("%s: no regular file, or more than 512 KiB together", path)
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

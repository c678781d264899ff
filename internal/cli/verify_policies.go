package cli

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/brokerd/brokerd/internal/verify"
)

// policyFlags say where the policies of both accounts can be read.
type policyFlags struct {
	dir string
}

func (f *policyFlags) register(cmd *cobra.Command) {
	cmd.Flags().StringVar(&f.dir, "policies", "", "directory with policies as JSON files, such as bucket-policy.json; see docs/guide-verify.md")
	_ = cmd.MarkFlagDirname("policies")
}

func (f policyFlags) check() error {
	if f.dir == "" {
		return nil
	}
	info, err := os.Stat(f.dir)
	if err != nil {
		return fmt.Errorf("--policies: %w", err)
	}
	if !info.IsDir() {
		return fmt.Errorf("--policies: %s is not a directory", f.dir)
	}
	return nil
}

// verifyOptions reads what is to be known of the policies, before anything is asked.
func (a *app) verifyOptions(_ context.Context, f verifyFlags, _ *verifyWay, names []string) (func(string) verify.RunOptions, error) {
	all := make(map[string]verify.Policies)
	if f.policies.dir != "" {
		found := false
		for _, name := range names {
			p, err := readPolicies(f.policies.dir, name)
			if err != nil {
				return nil, err
			}
			found = found || len(p.Documents) > 0
			all[name] = p
		}
		if !found {
			return nil, fmt.Errorf("--policies: there is no file in %s whose name is that of a policy; known are %s", f.policies.dir, strings.Join(policyFileNames(), ", "))
		}
	}
	return func(destination string) verify.RunOptions {
		return verify.RunOptions{Policies: all[destination]}
	}, nil
}

// policyFiles are the names of files, without .json, and what they hold. Of those
// with several, the name may go on after a dash: identity-logs.json.
var policyFiles = map[string]struct {
	kind    string
	several bool
}{
	"trust": {kind: verify.DocumentTrust}, "identity": {verify.DocumentIdentity, true}, "source-policy": {verify.DocumentSource, true},
	"boundary": {kind: verify.DocumentBoundary}, "session-policy": {kind: verify.DocumentSessionPolicy},
	"scp": {verify.DocumentSCP, true}, "rcp": {verify.DocumentRCP, true}, "vpc-endpoint-policy": {kind: verify.DocumentEndpointPolicy},
	"bucket-policy": {kind: verify.DocumentBucketPolicy}, "key-policy": {kind: verify.DocumentKeyPolicy},
	"public-access-block": {kind: verify.DocumentPublicAccess}, "ownership": {kind: verify.DocumentOwnership}, "encryption": {kind: verify.DocumentEncryption},
	"key": {kind: verify.DocumentKey}, "role": {kind: verify.DocumentRole}, "access-log": {kind: verify.DocumentLogging}, "trail": {verify.DocumentTrail, true},
	"request-payment": {kind: verify.DocumentPayment}, "object-lock": {kind: verify.DocumentLock},
}

func policyFileNames() []string {
	var out []string
	for name := range policyFiles {
		out = append(out, name+".json")
	}
	slices.Sort(out)
	return out
}

// policyFile says what a file holds by its name; ok is false for a name that
// means nothing.
func policyFile(name string) (kind, which string, ok bool) {
	base, ok := strings.CutSuffix(name, ".json")
	if !ok {
		return "", "", false
	}
	if f, ok := policyFiles[base]; ok {
		return f.kind, "", true
	}
	for prefix, f := range policyFiles {
		if rest, ok := strings.CutPrefix(base, prefix+"-"); ok && f.several && rest != "" {
			return f.kind, rest, true
		}
	}
	return "", "", false
}

// readPolicies reads the documents of a destination: those of its own directory
// in dir, and, for kinds that are not there, those of dir itself, which are for
// all destinations. An empty file says that there is no such policy; a file that is
// not there says nothing.
func readPolicies(dir, destination string) (verify.Policies, error) {
	own, err := policiesIn(filepath.Join(dir, destination))
	if err != nil {
		return verify.Policies{}, err
	}
	shared, err := policiesIn(dir)
	if err != nil {
		return verify.Policies{}, err
	}
	for _, d := range shared {
		if !slices.ContainsFunc(own, func(o verify.PolicyDocument) bool { return o.Kind == d.Kind }) {
			own = append(own, d)
		}
	}
	return verify.Policies{Documents: own}, nil
}

func policiesIn(dir string) ([]verify.PolicyDocument, error) {
	entries, err := os.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("reading the policies: %w", err)
	}
	var out []verify.PolicyDocument
	for _, e := range entries {
		kind, which, ok := policyFile(e.Name())
		if !ok || e.IsDir() {
			continue
		}
		data, err := os.ReadFile(filepath.Join(dir, e.Name()))
		if err != nil {
			return nil, fmt.Errorf("reading the policies: %w", err)
		}
		if len(data) > verify.MaxPolicyBytes {
			return nil, fmt.Errorf("reading the policies: %s is larger than any policy", filepath.Join(dir, e.Name()))
		}
		d := verify.PolicyDocument{Kind: kind, Name: which, State: verify.Known, Text: string(data)}
		if strings.TrimSpace(d.Text) == "" {
			d.State, d.Text = verify.Absent, ""
		}
		out = append(out, d)
	}
	return out, nil
}

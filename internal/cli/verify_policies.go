package cli

import (
	"context"
	"fmt"
	"os"
	"path/filepath"

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
		for _, name := range names {
			p, err := policiesFor(f.policies.dir, name)
			if err != nil {
				return nil, err
			}
			all[name] = p
		}
	}
	return func(destination string) verify.RunOptions {
		return verify.RunOptions{Policies: all[destination]}
	}, nil
}

// policiesFor reads the documents of a destination: those in the directory of its
// name, and else those of dir itself, which then are for all destinations.
func policiesFor(dir, destination string) (verify.Policies, error) {
	own := filepath.Join(dir, destination)
	if info, err := os.Stat(own); err == nil && info.IsDir() {
		dir = own
	}
	return verify.LoadPolicies(dir)
}

package policycmd

import (
	"encoding/json"
	"fmt"

	"github.com/brokerd/brokerd/internal/cli/console"

	"github.com/spf13/cobra"

	"github.com/brokerd/brokerd/internal/iampolicy"
)

// lintKinds are the kinds of --kind, in the order of the help.
func lintKinds() []iampolicy.Kind {
	return []iampolicy.Kind{
		iampolicy.KindIdentity, iampolicy.KindBucket, iampolicy.KindKey, iampolicy.KindTrust, iampolicy.KindBoundary,
		iampolicy.KindSession, iampolicy.KindServiceControl, iampolicy.KindResourceCtrl, iampolicy.KindVPCEndpoint,
	}
}

type fileFinding struct {
	File string `json:"file"`
	iampolicy.Finding
}

func lintCommand(a *console.App) *cobra.Command {
	kind := iampolicy.KindIdentity
	var out console.Format
	cmd := &cobra.Command{
		Use:   "lint FILE…",
		Short: "Find the parts of policies that AWS refuses, and likely mistakes",
		Long: `Check policy files and print each finding with file, line and column. --kind says
the use of the documents: a bucket policy needs principals, an identity policy must
not have them.

Exit status: 0 no errors, 1 at least one error, 3 a file could not be read.`,
		Example: `  brokerctl policy lint --kind bucket bucket-policy.json
  brokerctl policy lint -o json --kind key key-policy.json`,
		Args: cobra.MinimumNArgs(1),
		RunE: func(_ *cobra.Command, args []string) error {
			return lint(a, args, kind, out)
		},
	}
	console.ChoiceFlag(cmd, &kind, "kind", "", "use of the documents", lintKinds()...)
	console.OutputFlag(cmd, &out)
	return cmd
}

func lint(a *console.App, files []string, kind iampolicy.Kind, out console.Format) error {
	findings := []fileFinding{}
	failed := false
	for _, file := range files {
		data, err := readInput(file, a.In)
		if err != nil {
			return unreadable(file, err)
		}
		for _, f := range iampolicy.LintText(data, kind) {
			findings = append(findings, fileFinding{file, f})
			failed = failed || f.Severity == iampolicy.SeverityError
		}
	}
	if out == console.FormatJSON {
		if err := json.NewEncoder(a.Out).Encode(findings); err != nil {
			return err
		}
	} else {
		for _, f := range findings {
			line := fmt.Sprintf("%s:%d:%d: %s %s: %s%s", f.File, f.Line, f.Column, f.Severity, f.Code, f.Message, statementNumber(f.Path))
			if _, err := fmt.Fprintln(a.Out, console.Fit(a.Out, line)); err != nil {
				return err
			}
		}
	}
	if failed {
		return &console.ExitError{Code: console.ExitFailed, Err: nil}
	}
	return nil
}

// statementNumber turns the path "Statement[1]" into "(statement number 2)": people count
// from 1, as simulate and verify do.
func statementNumber(path string) string {
	var index int
	if _, err := fmt.Sscanf(path, "Statement[%d]", &index); err != nil {
		return ""
	}
	return fmt.Sprintf(" (statement number %d)", index+1)
}

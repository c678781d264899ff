package cli

import (
	"errors"
	"fmt"
	"strings"

	"github.com/brokerd/brokerd/internal/cli/console"

	"github.com/spf13/cobra"

	"github.com/brokerd/brokerd/docs/checks"
	"github.com/brokerd/brokerd/internal/errtext"
)

func explainCommand(a *console.App) *cobra.Command {
	return &cobra.Command{
		Use:   "explain [CODE]",
		Short: "Explain a code of verify: its cause, how to recognize it, how to repair it",
		Long: `Show the page of a code such as BRK-KMS-010: its cause, how to recognize it, and
how to repair it. It needs no daemon and no network.

A code may be abbreviated: "kms-10" is BRK-KMS-010. A code of AWS, such as
KMS.DisabledException, leads to its page. If the argument is no code,
brokerctl suggests similar ones. Without an argument it lists all codes.`,
		Example: `  brokerctl explain BRK-KMS-010
  brokerctl explain kms-10
  brokerctl explain AccessControlListNotSupported
  brokerctl explain`,
		Args: cobra.MaximumNArgs(1),
		ValidArgsFunction: func(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
			return checks.Codes(), cobra.ShellCompDirectiveNoFileComp
		},
		RunE: func(_ *cobra.Command, args []string) error {
			if len(args) == 0 {
				return listCodes(a, checks.Codes())
			}
			if page, ok := checks.Page(checks.Normalize(args[0])); ok {
				_, err := fmt.Fprint(a.Out, page)
				return err
			}
			if errtext.Known(args[0]) {
				return explainAWSCode(a, args[0])
			}
			near := checks.Near(args[0])
			if len(near) == 0 {
				return console.UsageError(fmt.Errorf("there is no code %q; `brokerctl explain` lists all", args[0]))
			}
			lines := []string{fmt.Sprintf("there is no code %q; did you mean", args[0])}
			for _, code := range near {
				lines = append(lines, fmt.Sprintf("  %-14s %s", code, checks.Title(code)))
			}
			return console.UsageError(errors.New(strings.Join(lines, "\n")))
		},
	}
}

func listCodes(a *console.App, codes []string) error {
	for _, code := range codes {
		if _, err := fmt.Fprintf(a.Out, "%-14s %s\n", code, checks.Title(code)); err != nil {
			return err
		}
	}
	return nil
}

// explainAWSCode shows the page of an error code of AWS.
func explainAWSCode(a *console.App, code string) error {
	x := errtext.Explain(errtext.Error{Code: code})
	text := fmt.Sprintf("%s: %s. %s\n", code, x.Cause, x.LookAt[0])
	if errtext.IsRefusal(code) {
		text = code + " has many causes: `brokerctl policy explain-error` reads the whole message.\n"
	}
	page, _ := checks.Page(x.Page)
	_, err := fmt.Fprintf(a.Out, "%s\n%s", text, page)
	return err
}

package cli

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/brokerd/brokerd/docs/checks"
)

func (a *app) explainCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "explain [CODE]",
		Short: "Explain a code of verify: cause, how to see it, how to repair it",
		Long:  "Show the page of a code such as BRK-KMS-010. Without a code, list all. It needs no daemon and no network.",
		Example: `  brokerctl explain BRK-KMS-010
  brokerctl explain`,
		Args: cobra.MaximumNArgs(1),
		ValidArgsFunction: func(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
			return checks.Codes(), cobra.ShellCompDirectiveNoFileComp
		},
		RunE: func(_ *cobra.Command, args []string) error {
			if len(args) == 0 {
				for _, code := range checks.Codes() {
					if _, err := fmt.Fprintf(a.Out, "%-14s %s\n", code, checks.Title(code)); err != nil {
						return err
					}
				}
				return nil
			}
			page, ok := checks.Page(strings.ToUpper(args[0]))
			if !ok {
				return usageError(fmt.Errorf("there is no code %q; `brokerctl explain` lists all", args[0]))
			}
			_, err := fmt.Fprint(a.Out, page)
			return err
		},
	}
}

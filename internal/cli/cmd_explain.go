package cli

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/brokerd/brokerd/internal/cli/console"

	"github.com/spf13/cobra"

	"github.com/brokerd/brokerd/docs/checks"
	"github.com/brokerd/brokerd/internal/errtext"
	"github.com/brokerd/brokerd/internal/textwrap"
)

func explainCommand(a *console.App) *cobra.Command {
	var out console.Format
	cmd := &cobra.Command{
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
		ValidArgsFunction: func(_ *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
			if len(args) > 0 {
				return nil, cobra.ShellCompDirectiveNoFileComp
			}
			var codes []string
			for _, code := range checks.Codes() {
				codes = append(codes, cobra.CompletionWithDesc(code, checks.Title(code)))
			}
			return codes, cobra.ShellCompDirectiveNoFileComp
		},
		RunE: func(_ *cobra.Command, args []string) error {
			if len(args) == 0 {
				return listCodes(a, checks.Codes(), out)
			}
			if code := checks.Normalize(args[0]); hasPage(code) {
				return writePage(a, code, "", out)
			}
			if errtext.Known(args[0]) {
				return explainAWSCode(a, args[0], out)
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
	console.OutputFlag(cmd, &out)
	return cmd
}

// explained is the JSON of a code.
type explained struct {
	Code  string `json:"code"`
	Title string `json:"title"`
	Note  string `json:"note,omitempty"` // about the code of AWS that was asked for
	Page  string `json:"page,omitempty"` // Markdown
}

func hasPage(code string) bool {
	_, ok := checks.Page(code)
	return ok
}

// writePage prints the page of a code, below a note about the code of AWS that led to it.
func writePage(a *console.App, code, note string, out console.Format) error {
	page, _ := checks.Page(code)
	if out == console.FormatJSON {
		return json.NewEncoder(a.Out).Encode(explained{code, checks.Title(code), note, page})
	}
	if note != "" {
		page = note + "\n\n" + page
	}
	if width := console.Columns(a.Out); width > 0 {
		page = textwrap.Reflow(page, width)
	}
	_, err := fmt.Fprint(a.Out, page)
	return err
}

func listCodes(a *console.App, codes []string, out console.Format) error {
	if out == console.FormatJSON {
		list := make([]explained, 0, len(codes))
		for _, code := range codes {
			list = append(list, explained{Code: code, Title: checks.Title(code)})
		}
		return json.NewEncoder(a.Out).Encode(list)
	}
	for _, code := range codes {
		if _, err := fmt.Fprintln(a.Out, console.Fit(a.Out, fmt.Sprintf("%-14s %s", code, checks.Title(code)))); err != nil {
			return err
		}
	}
	return nil
}

// explainAWSCode shows the page of an error code of AWS.
func explainAWSCode(a *console.App, code string, out console.Format) error {
	x := errtext.Explain(errtext.Error{Code: code})
	note := fmt.Sprintf("%s: %s. %s", code, x.Cause, x.LookAt[0])
	if errtext.IsRefusal(code) {
		note = code + " has many causes: `brokerctl policy explain-error` reads the whole message."
	}
	return writePage(a, x.Page, note, out)
}

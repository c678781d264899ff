package cli

import (
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"
)

// verifyFormat is an output format of verify.
type verifyFormat string

const (
	verifyText  verifyFormat = "text"
	verifyShort verifyFormat = "short"
	verifyJSON  verifyFormat = "json"
	verifyJUnit verifyFormat = "junit"
	verifySARIF verifyFormat = "sarif"
	verifyHTML  verifyFormat = "html"
)

var verifyFormats = []string{
	string(verifyText),
	string(verifyShort),
	string(verifyJSON),
	string(verifyJUnit),
	string(verifySARIF),
	string(verifyHTML),
}

func (f *verifyFormat) String() string { return string(*f) }

// Set takes the name of a format.
func (f *verifyFormat) Set(s string) error {
	if !slices.Contains(verifyFormats, s) {
		return fmt.Errorf("%q is not a format: %s", s, strings.Join(verifyFormats, ", "))
	}
	*f = verifyFormat(s)
	return nil
}

// Type returns the value's name for the help.
func (f *verifyFormat) Type() string { return strings.Join(verifyFormats, "|") }

func verifyFormatFlag(cmd *cobra.Command, f *verifyFormat) {
	*f = verifyText
	cmd.Flags().VarP(f, "output", "o", "text; short: only problems; json, junit, sarif; html: one page to read and to send")
	_ = cmd.RegisterFlagCompletionFunc("output", cobra.FixedCompletions(verifyFormats, cobra.ShellCompDirectiveNoFileComp))
}

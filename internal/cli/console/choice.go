package console

import (
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"
)

// choice is a flag's value that is one of a few words.
type choice[T ~string] struct {
	into  *T
	words []T
}

// String implements pflag.Value.
func (c *choice[T]) String() string {
	if c.into == nil { // pflag asks a zero value for its default
		return ""
	}
	return string(*c.into)
}

// Set implements pflag.Value.
func (c *choice[T]) Set(s string) error {
	if !slices.Contains(c.words, T(s)) {
		return fmt.Errorf("want one of %s%s", strings.Join(c.list(), ", "), didYouMean(Nearest(s, c.list()), ""))
	}
	*c.into = T(s)
	return nil
}

// Type returns the placeholder of the help text.
func (c *choice[T]) Type() string { return strings.Join(c.list(), "|") }

func (c *choice[T]) list() []string {
	out := make([]string, len(c.words))
	for i, w := range c.words {
		out[i] = string(w)
	}
	return out
}

// ChoiceFlag registers a flag that takes one of a few words, and completes them. into
// holds the default.
func ChoiceFlag[T ~string](cmd *cobra.Command, into *T, name, shorthand, usage string, words ...T) {
	c := &choice[T]{into, words}
	cmd.Flags().VarP(c, name, shorthand, usage)
	_ = cmd.RegisterFlagCompletionFunc(name, cobra.FixedCompletions(c.list(), cobra.ShellCompDirectiveNoFileComp)) // the flag is there
}

// FormatFlag registers -o for a command with forms of its own. --format, its former name,
// still works and is not shown.
func FormatFlag[T ~string](cmd *cobra.Command, into *T, usage string, words ...T) {
	ChoiceFlag(cmd, into, "output", "o", usage, words...)
	ChoiceFlag(cmd, into, "format", "", usage, words...)
	_ = cmd.Flags().MarkHidden("format") // the flag is there
}

// Format is the value of -o.
type Format string

// The formats that most commands have.
const (
	FormatText Format = "text"
	FormatJSON Format = "json"
)

// OutputFlag registers -o with the default text.
func OutputFlag(cmd *cobra.Command, f *Format) {
	*f = FormatText
	ChoiceFlag(cmd, f, "output", "o", "text, or json for scripts", FormatText, FormatJSON)
}

package console

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// Finish completes a tree of commands. Wrong flags, wrong arguments and unknown
// commands become usage errors that name the nearest right word. Flags and arguments
// that are no files complete no file names.
func Finish(root *cobra.Command) {
	root.SetFlagErrorFunc(flagError)
	root.SetHelpFunc(func(cmd *cobra.Command, _ []string) {
		cmd.InitDefaultHelpFlag()
		_ = writeHelp(cmd.OutOrStdout(), cmd) // a reader that is gone needs no help
	})
	root.SetHelpCommand(helpCommand())
	root.InitDefaultHelpCmd()
	root.InitDefaultCompletionCmd()
	completionExamples(root)
	finish(root)
}

func finish(c *cobra.Command) {
	switch {
	case c.HasSubCommands():
		c.Args = noSuchCommand
		if !c.Runnable() {
			c.RunE = func(cmd *cobra.Command, _ []string) error { return cmd.Help() }
		}
	case c.Args != nil:
		check := c.Args
		c.Args = func(cmd *cobra.Command, args []string) error {
			var usage *ExitError
			err := check(cmd, args)
			if err == nil || errors.As(err, &usage) {
				return err
			}
			return wrongUsage(cmd, err, "")
		}
	}
	completeNoFiles(c)
	c.InitDefaultHelpFlag()
	if f := c.Flags().Lookup("help"); f != nil {
		f.Usage = "show this help"
	}
	for _, sub := range c.Commands() {
		finish(sub)
	}
}

// wrongUsage adds the nearest right word and the way to the help to an error.
func wrongUsage(cmd *cobra.Command, err error, near string) error {
	see := "; see"
	if strings.HasSuffix(err.Error()+near, "?") {
		see = " See"
	}
	return UsageError(fmt.Errorf("%w%s%s `%s --help`", err, near, see, cmd.CommandPath()))
}

// noSuchCommand is the check of arguments of a command that has subcommands.
func noSuchCommand(cmd *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	var names, same []string
	for _, sub := range cmd.Commands() {
		if sub.IsAvailableCommand() {
			names = append(names, sub.Name())
		}
		if slices.Contains(sub.SuggestFor, args[0]) {
			same = append(same, sub.Name())
		}
	}
	if len(same) == 0 {
		same = Nearest(args[0], names)
	}
	return wrongUsage(cmd, fmt.Errorf("unknown command %q for %q", args[0], cmd.CommandPath()), didYouMean(same, cmd.CommandPath()+" "))
}

// flagError names the flag that the user probably meant.
func flagError(cmd *cobra.Command, err error) error {
	if begun := cmd.Flags().Args(); cmd.HasSubCommands() && len(begun) > 0 {
		return noSuchCommand(cmd, begun) // the flag is one of the command that was meant
	}
	var unknown *pflag.NotExistError
	near := ""
	if errors.As(err, &unknown) && unknown.GetSpecifiedShortnames() == "" {
		var names []string
		cmd.Flags().VisitAll(func(f *pflag.Flag) {
			if !f.Hidden {
				names = append(names, f.Name)
			}
		})
		near = didYouMean(Nearest(unknown.GetSpecifiedName(), names), "--")
	}
	return wrongUsage(cmd, err, near)
}

// helpCommand is `help`. That of the library exits with 0 for an unknown command.
func helpCommand() *cobra.Command {
	return &cobra.Command{
		Use:     "help [COMMAND…]",
		Short:   "Show the help of a command",
		Long:    "Show the help of a command, or of a topic such as exit-codes.",
		Example: "  brokerctl help upload\n  brokerctl help exit-codes",
		ValidArgsFunction: func(cmd *cobra.Command, args []string, begun string) ([]string, cobra.ShellCompDirective) {
			at, _, err := cmd.Root().Find(args)
			if err != nil {
				return nil, cobra.ShellCompDirectiveNoFileComp
			}
			var names []string
			for _, sub := range at.Commands() {
				if !sub.Hidden && strings.HasPrefix(sub.Name(), begun) {
					names = append(names, cobra.CompletionWithDesc(sub.Name(), sub.Short))
				}
			}
			return names, cobra.ShellCompDirectiveNoFileComp
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			at := cmd.Root()
			for _, name := range args {
				next, rest, err := at.Find([]string{name})
				if err != nil || next == at || len(rest) > 0 {
					return noSuchCommand(at, []string{name})
				}
				at = next
			}
			at.InitDefaultHelpFlag()
			return at.Help()
		},
	}
}

// completionExamples gives the library's commands examples, and hides the one for Windows.
func completionExamples(root *cobra.Command) {
	completion, _, err := root.Find([]string{"completion"})
	if err != nil {
		return
	}
	for _, shell := range completion.Commands() {
		call := "brokerctl completion " + shell.Name()
		switch shell.Name() {
		case "bash":
			shell.Example = "  source <(" + call + ")\n  " + call + " > /etc/bash_completion.d/brokerctl"
		case "zsh":
			shell.Example = "  source <(" + call + ")\n  " + call + ` > "${fpath[1]}/_brokerctl"`
		case "fish":
			shell.Example = "  " + call + " | source\n  " + call + " > ~/.config/fish/completions/brokerctl.fish"
		default:
			shell.Hidden = true
		}
	}
}

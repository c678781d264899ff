package console

import (
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/brokerd/brokerd/internal/textwrap"
)

// writeHelp writes the help of a command in the columns of w.
func writeHelp(w io.Writer, cmd *cobra.Command) error {
	width := ProseColumns(w)
	var b strings.Builder
	text := cmd.Long
	if text == "" {
		text = cmd.Short + "."
	}
	b.WriteString(textwrap.Reflow(strings.TrimSpace(text), width) + "\n")
	if cmd.Runnable() || cmd.HasAvailableSubCommands() {
		b.WriteString("\nUsage:\n")
		if cmd.Runnable() && (!cmd.HasAvailableSubCommands() || hasOwnFlags(cmd)) {
			b.WriteString("  " + cmd.UseLine() + "\n")
		}
		if cmd.HasAvailableSubCommands() {
			b.WriteString("  " + cmd.CommandPath() + " COMMAND [flags]\n")
		}
	}
	if cmd.HasExample() {
		b.WriteString("\nExamples:\n" + strings.TrimRight(cmd.Example, "\n") + "\n")
	}
	var rows [][2]string
	for _, sub := range cmd.Commands() {
		if sub.IsAvailableCommand() || sub.IsAdditionalHelpTopicCommand() {
			rows = append(rows, [2]string{"  " + sub.Name(), sub.Short})
		}
	}
	writeList(&b, "Commands", rows, width)
	writeList(&b, "Flags", flagRows(cmd.LocalFlags()), width)
	writeList(&b, "Flags of the group", flagRows(cmd.InheritedFlags()), width)
	if cmd.HasAvailableSubCommands() {
		b.WriteString("\n" + textwrap.Wrap("`"+cmd.CommandPath()+" COMMAND --help` shows more about a command.", width) + "\n")
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// hasOwnFlags reports whether a group of commands is a command itself, with flags other
// than --help.
func hasOwnFlags(cmd *cobra.Command) (own bool) {
	cmd.LocalNonPersistentFlags().VisitAll(func(f *pflag.Flag) { own = own || f.Name != "help" })
	return own
}

// widestName is the widest name next to which its text begins; below a wider name the text
// has lines of its own.
const widestName = 30

func writeList(b *strings.Builder, heading string, rows [][2]string, width int) {
	if len(rows) == 0 {
		return
	}
	left := 0
	for _, row := range rows {
		if n := textwrap.Columns(row[0]); n <= widestName {
			left = max(left, n)
		}
	}
	left += 2
	b.WriteString("\n" + heading + ":\n")
	for _, row := range rows {
		text := strings.Split(textwrap.Wrap(row[1], max(width-left, 20)), "\n")
		name := row[0]
		if textwrap.Columns(name) > left-2 {
			b.WriteString(name + "\n")
			name = ""
		}
		for _, line := range text {
			b.WriteString(name + strings.Repeat(" ", left-textwrap.Columns(name)) + line + "\n")
			name = ""
		}
	}
}

func flagRows(flags *pflag.FlagSet) (rows [][2]string) {
	flags.VisitAll(func(f *pflag.Flag) {
		if f.Hidden {
			return
		}
		name, text := FlagText(f)
		rows = append(rows, [2]string{"  " + name, text})
	})
	return rows
}

// FlagText returns the name of a flag with a word for its value, and its text with the
// default.
func FlagText(f *pflag.Flag) (name, text string) {
	name = "    --" + f.Name
	if f.Shorthand != "" {
		name = "-" + f.Shorthand + ", --" + f.Name
	}
	value, text := valueWord(f), f.Usage
	if len(value) > widestName {
		text += "; one of " + strings.ReplaceAll(value, "|", ", ")
		value = lastWord(f)
	}
	if f.NoOptDefVal != "" && value != "" {
		value = "[=" + value + "]"
	} else if value != "" {
		value = " " + value
	}
	switch f.DefValue {
	case "", "false", "[]", "0", "0s":
	default:
		if !strings.Contains(text, "default") && !strings.HasPrefix(f.Name, "help") {
			text += fmt.Sprintf(" (default %s)", f.DefValue)
		}
	}
	return name + value, text
}

// valueWord is the placeholder of a flag's value; "" for a flag without one.
func valueWord(f *pflag.Flag) string {
	_, file := f.Annotations[cobra.BashCompFilenameExt]
	_, directory := f.Annotations[cobra.BashCompSubdirsInDir]
	kind := f.Value.Type()
	switch {
	case kind == "bool":
		return ""
	case strings.Contains(kind, "|"):
		return kind
	case file:
		return "FILE"
	case directory:
		return "DIRECTORY"
	case kind == "duration":
		return "DURATION"
	case f.Name == "destination":
		return "NAME"
	case kind == "stringToString" || f.Name == "context":
		return "KEY=VALUE"
	case slices.Contains([]string{"int", "uint32", "uint64"}, kind):
		return "N"
	case f.Name == "run":
		return "COMMAND"
	case f.Name == "runs-as":
		return "TYPE"
	case f.Name == "create-bucket":
		return "yes|no"
	}
	return lastWord(f)
}

// lastWord returns the last part of a flag's name that is longer than a letter.
func lastWord(f *pflag.Flag) string {
	parts := strings.Split(f.Name, "-")
	for _, p := range slices.Backward(parts) {
		if len(p) > 1 {
			return strings.ToUpper(p)
		}
	}
	return "VALUE"
}

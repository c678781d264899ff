package console

import (
	"bufio"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// FileFlags marks flags that take the path of a file.
func FileFlags(cmd *cobra.Command, names ...string) {
	for _, name := range names {
		_ = cmd.MarkFlagFilename(name) // the flag is there
	}
}

// ConfigFlag registers --config, the configuration file of the daemon.
func ConfigFlag(cmd *cobra.Command, path *string, usual, usage string) {
	cmd.Flags().StringVar(path, "config", usual, usage)
	_ = cmd.MarkFlagFilename("config", "yaml", "yml") // the flag is there
}

// DirectoryFlags marks flags that take the path of a directory.
func DirectoryFlags(cmd *cobra.Command, names ...string) {
	for _, name := range names {
		_ = cmd.MarkFlagDirname(name) // the flag is there
	}
}

// ProfileFlags completes flags with the profiles of the shared AWS configuration.
func ProfileFlags(cmd *cobra.Command, names ...string) {
	for _, name := range names {
		_ = cmd.RegisterFlagCompletionFunc(name, func(_ *cobra.Command, _ []string, begun string) ([]string, cobra.ShellCompDirective) {
			return remaining(AWSProfiles(), nil, begun), cobra.ShellCompDirectiveNoFileComp
		})
	}
}

// AWSProfiles returns the names of the profiles in the shared AWS files, sorted.
func AWSProfiles() []string {
	home, _ := os.UserHomeDir() // without one the files are not found
	var names []string
	for _, file := range []struct{ variable, usual string }{
		{"AWS_CONFIG_FILE", "config"}, {"AWS_SHARED_CREDENTIALS_FILE", "credentials"},
	} {
		path := os.Getenv(file.variable)
		if path == "" {
			path = filepath.Join(home, ".aws", file.usual)
		}
		names = append(names, profilesOf(path)...)
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// profilesOf reads the headings of the sections of an AWS file.
func profilesOf(path string) []string {
	f, err := os.Open(path)
	if err != nil {
		return nil
	}
	defer func() { _ = f.Close() }() // only read from
	var names []string
	for lines := bufio.NewScanner(f); lines.Scan(); {
		heading, ok := strings.CutPrefix(strings.TrimSpace(lines.Text()), "[")
		heading, _, closed := strings.Cut(heading, "]")
		words := strings.Fields(heading)
		switch {
		case !ok || !closed:
		case len(words) == 1:
			names = append(names, words[0])
		case len(words) == 2 && words[0] == "profile":
			names = append(names, words[1])
		}
	}
	return names
}

// completeNoFiles keeps a shell from completing file names where none is wanted: for flags
// that are not marked as files, and for arguments that the synopsis does not call FILE.
func completeNoFiles(c *cobra.Command) {
	none := func(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	for _, flags := range []*pflag.FlagSet{c.Flags(), c.PersistentFlags()} {
		flags.VisitAll(func(f *pflag.Flag) {
			if len(f.Annotations) == 0 {
				_ = c.RegisterFlagCompletionFunc(f.Name, none) // fails if the flag has a completion
			}
		})
	}
	if c.ValidArgsFunction == nil && len(c.ValidArgs) == 0 && !strings.Contains(c.Use, "FILE") && !c.HasSubCommands() {
		c.ValidArgsFunction = none
	}
}

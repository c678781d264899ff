package cli

import (
	"testing"

	"github.com/brokerd/brokerd/internal/cli/console"

	"github.com/spf13/cobra"
)

// A command without an example makes its reader guess; groups show those of their parts.
func TestEveryCommandHasAnExample(t *testing.T) {
	var visit func(c *cobra.Command)
	visit = func(c *cobra.Command) {
		if c.Runnable() && !c.HasSubCommands() && !c.Hidden && c.Example == "" && !c.IsAdditionalHelpTopicCommand() {
			t.Errorf("%s has no example in its help", c.CommandPath())
		}
		for _, sub := range c.Commands() {
			visit(sub)
		}
	}
	visit(root((&console.App{})))
}

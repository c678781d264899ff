package spoolcmd

import (
	"context"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/brokerd/brokerd/internal/cli/console"
	brokerdv1 "github.com/brokerd/brokerd/proto/brokerd/v1"
)

// completedIDs bounds the ids that a shell offers.
const completedIDs = 100

// completeIDs completes the ids of the oldest objects, described by their destination,
// state and name. It is silent when the daemon does not answer.
func completeIDs(a *console.App) cobra.CompletionFunc {
	return func(cmd *cobra.Command, given []string, begun string) (ids []string, _ cobra.ShellCompDirective) {
		if len(given) > 0 && !strings.HasSuffix(cmd.Use, "ID…") && !strings.HasPrefix(cmd.Use, "retry") {
			return nil, cobra.ShellCompDirectiveNoFileComp // it takes one
		}
		ctx, cancel := context.WithTimeout(cmd.Context(), console.AskDeadline)
		defer cancel()
		c, err := a.Dial()
		if err != nil {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		defer func() { _ = c.Close() }()
		_ = eachSpooled(ctx, c, &brokerdv1.ListSpoolRequest{Limit: completedIDs}, func(o Spooled) error {
			if strings.HasPrefix(o.UploadID, begun) && o.UploadID != "" && !slices.Contains(given, o.UploadID) {
				text := strings.Join([]string{o.Destination, o.State, console.Printable(o.Name)}, " ")
				ids = append(ids, cobra.CompletionWithDesc(o.UploadID, text))
			}
			return nil
		})
		return ids, cobra.ShellCompDirectiveNoFileComp
	}
}

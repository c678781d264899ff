package cli

import (
	"encoding/json"
	"fmt"
	"strings"

	"github.com/brokerd/brokerd/internal/cli/console"

	"github.com/spf13/cobra"

	brokerdv1 "github.com/brokerd/brokerd/proto/brokerd/v1"
)

func reloadCommand(a *console.App) *cobra.Command {
	var out console.Format
	cmd := &cobra.Command{
		Use:   "reload",
		Short: "Make the daemon read its configuration file again",
		Long: `Make the daemon read its configuration file again, as SIGHUP does, and print the
changes. The daemon applies the whole file, or nothing of it: after an error the
previous configuration stays in use. Unchanged destinations keep their sessions, and
open uploads end with the settings they began with. Needs the right "admin".

Changes of the socket, the metrics' address, memory.max and aws.ca_bundle need a
restart; the daemon rejects a file that changes one of them.`,
		Example: "  brokerd check-config --config /etc/brokerd/brokerd.yaml && brokerctl reload\n" +
			"  brokerctl reload -o json | jq '.added + .changed'",
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, err := a.Dial()
			if err != nil {
				return err
			}
			defer func() { _ = c.Close() }()
			r, err := c.Admin().Reload(cmd.Context(), &brokerdv1.ReloadRequest{})
			if err != nil {
				return c.FromError(err)
			}
			if out == console.FormatJSON {
				return json.NewEncoder(a.Out).Encode(map[string][]string{
					"added": named(
						r.GetAdded(),
					), "changed": named(r.GetChanged()), "removed": named(r.GetRemoved()), "unchanged": named(r.GetUnchanged()),
				})
			}
			_, err = fmt.Fprintln(a.Out, console.Fit(a.Out, r.GetConfigPath()+" reloaded: "+reloadSummary(r)))
			return err
		},
	}
	console.OutputFlag(cmd, &out)
	a.SocketFlag(cmd)
	return cmd
}

// named returns an empty list for nil, so that JSON has [] and not null.
func named(names []string) []string {
	if names == nil {
		return []string{}
	}
	return names
}

// reloadSummary returns one line: the names of changed destinations, and the number of
// unchanged ones.
func reloadSummary(r *brokerdv1.ReloadResponse) string {
	var parts []string
	for _, p := range []struct {
		word  string
		names []string
	}{{"added", r.GetAdded()}, {"changed", r.GetChanged()}, {"removed", r.GetRemoved()}} {
		if len(p.names) > 0 {
			parts = append(parts, p.word+" "+strings.Join(p.names, ", "))
		}
	}
	return strings.Join(append(parts, console.Counted(len(r.GetUnchanged()), "destination")+" unchanged"), "; ")
}

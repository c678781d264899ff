package cli

import (
	"encoding/json"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	brokerdv1 "github.com/brokerd/brokerd/proto/brokerd/v1"
)

func (a *app) reloadCommand() *cobra.Command {
	var out format
	cmd := &cobra.Command{
		Use:   "reload",
		Short: "Have the daemon read its configuration file again",
		Long: `Have the daemon read its configuration file again, as SIGHUP does, and say what
changed. The file is taken over whole or not at all: after an error everything is
as it was. Destinations that are as they were keep their sessions, and open
uploads end as they began. Needs the right "admin".

The socket, the metrics' address, memory.max and aws.ca_bundle need a restart; a
file that changes one of them is refused.`,
		Example: "  brokerd check-config --config /etc/brokerd/brokerd.yaml && brokerctl reload",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, err := a.dial()
			if err != nil {
				return err
			}
			defer func() { _ = c.Close() }()
			r, err := c.Admin().Reload(cmd.Context(), &brokerdv1.ReloadRequest{})
			if err != nil {
				return c.FromError(err)
			}
			if out == formatJSON {
				return json.NewEncoder(a.Out).Encode(map[string][]string{
					"added": named(r.GetAdded()), "changed": named(r.GetChanged()), "removed": named(r.GetRemoved()), "unchanged": named(r.GetUnchanged()),
				})
			}
			_, err = fmt.Fprintf(a.Out, "%s reloaded: %s\n", r.GetConfigPath(), reloadSummary(r))
			return err
		},
	}
	outputFlag(cmd, &out)
	return cmd
}

// named makes an empty list of none, for JSON.
func named(names []string) []string {
	if names == nil {
		return []string{}
	}
	return names
}

// reloadSummary is one line: what changed by name, what did not by number.
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
	kept := fmt.Sprintf("%d destinations as before", len(r.GetUnchanged()))
	if len(r.GetUnchanged()) == 1 {
		kept = "1 destination as before"
	}
	return strings.Join(append(parts, kept), "; ")
}

package cli

import (
	"encoding/json"
	"fmt"
	"runtime"
	"runtime/debug"

	"github.com/brokerd/brokerd/internal/cli/console"

	"github.com/spf13/cobra"
)

func versionCommand(a *console.App) *cobra.Command {
	var out console.Format
	cmd := &cobra.Command{
		Use: "version", Short: "Show the version", Args: cobra.NoArgs,
		Long:    "Show the version of brokerctl and of the Go release it was built with. `brokerctl status` shows the daemon's version.",
		Example: "  brokerctl version\n  brokerctl version -o json | jq -r .version",
		RunE: func(*cobra.Command, []string) error {
			if out == console.FormatJSON {
				return json.NewEncoder(a.Out).
					Encode(map[string]string{"version": version(), "go": runtime.Version(), "os": runtime.GOOS, "arch": runtime.GOARCH})
			}
			_, err := fmt.Fprintf(a.Out, "brokerctl %s %s %s/%s\n", version(), runtime.Version(), runtime.GOOS, runtime.GOARCH)
			return err
		},
	}
	console.OutputFlag(cmd, &out)
	return cmd
}

// version returns the module version or the revision that the Go toolchain recorded.
func version() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return "unknown"
	}
	if v := info.Main.Version; v != "" && v != "(devel)" {
		return v
	}
	for _, s := range info.Settings {
		if s.Key == "vcs.revision" {
			return "devel-" + s.Value[:min(len(s.Value), 12)]
		}
	}
	return "devel"
}

package cli

import (
	"fmt"
	"runtime"
	"runtime/debug"

	"github.com/brokerd/brokerd/internal/cli/console"

	"github.com/spf13/cobra"
)

func versionCommand(a *console.App) *cobra.Command {
	return &cobra.Command{
		Use: "version", Short: "Show the version", Args: cobra.NoArgs,
		Long:    "Show the version of brokerctl and of the Go release it was built with. `brokerctl status` shows the daemon's version.",
		Example: "  brokerctl version",
		RunE: func(*cobra.Command, []string) error {
			_, err := fmt.Fprintf(a.Out, "brokerctl %s %s %s/%s\n", version(), runtime.Version(), runtime.GOOS, runtime.GOARCH)
			return err
		},
	}
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

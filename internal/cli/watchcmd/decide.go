package watchcmd

import (
	"encoding/json"
	"errors"
	"fmt"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/brokerd/brokerd/internal/cli/console"
	brokerdv1 "github.com/brokerd/brokerd/proto/brokerd/v1"
)

func retryCommand(a *console.App) *cobra.Command {
	var name string
	var all bool
	var out console.Format
	cmd := &cobra.Command{
		Use:   "retry FILE… | --watch NAME | --all",
		Short: "Try failed, dead and refused files again now",
		Long: `Try files again now instead of at their next scheduled attempt. A paused destination is
probed with one file; after the first success the daemon delivers the others.

The output is the number of files. ` + "`brokerctl watch ls`" + ` shows the results.`,
		Example: `  brokerctl watch retry /var/log/app/app.log.3.gz
  brokerctl verify audit-logs && brokerctl watch retry --watch app-archives`,
		RunE: func(cmd *cobra.Command, args []string) error {
			if (len(args) > 0) == (name != "" || all) || name != "" && all {
				return console.UsageError(errors.New("name files, or --watch NAME, or --all"))
			}
			paths, err := absolute(args)
			if err != nil {
				return err
			}
			c, err := a.Dial()
			if err != nil {
				return err
			}
			defer func() { _ = c.Close() }()
			r, err := c.Admin().RetryWatchedFiles(cmd.Context(), &brokerdv1.RetryWatchedFilesRequest{Watch: name, Paths: paths})
			if err != nil {
				return c.FromError(err)
			}
			return report(a, out, r.GetRetried(), "retried", "tried again")
		},
	}
	cmd.Flags().StringVarP(&name, "watch", "w", "", "all files of this watch")
	cmd.Flags().BoolVar(&all, "all", false, "all files of all watches")
	console.OutputFlag(cmd, &out)
	return cmd
}

func skipCommand(a *console.App) *cobra.Command {
	var out console.Format
	cmd := &cobra.Command{
		Use:   "skip FILE…",
		Short: "Do not deliver these files; they stay where they are",
		Long: `Decide that files are not delivered. They stay where they are, also after a restart. The
decision concerns their present content: when a file changes, it is delivered.`,
		Example: `  brokerctl watch skip /var/log/app/broken.gz
  brokerctl watch skip /srv/export/draft.csv -o json
  brokerctl watch ls --state dead -o json | jq -r .path | xargs -r -d '\n' brokerctl watch skip`,
		Args: cobra.MinimumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			paths, err := absolute(args)
			if err != nil {
				return err
			}
			c, err := a.Dial()
			if err != nil {
				return err
			}
			defer func() { _ = c.Close() }()
			r, err := c.Admin().SkipWatchedFiles(cmd.Context(), &brokerdv1.SkipWatchedFilesRequest{Paths: paths})
			if err != nil {
				return c.FromError(err)
			}
			return report(a, out, r.GetSkipped(), "skipped", "skipped")
		},
	}
	console.OutputFlag(cmd, &out)
	return cmd
}

// absolute makes paths of this process fit for the daemon.
func absolute(args []string) ([]string, error) {
	out := make([]string, len(args))
	for i, arg := range args {
		p, err := filepath.Abs(arg)
		if err != nil {
			return nil, fmt.Errorf("the absolute path of %s: %w", arg, err)
		}
		out[i] = p
	}
	return out, nil
}

// report prints the number of files: {"retried": 2}, or a sentence.
func report(a *console.App, out console.Format, n uint32, field, did string) error {
	if out == console.FormatJSON {
		return json.NewEncoder(a.Out).Encode(map[string]uint32{field: n})
	}
	verb := "are"
	if n == 1 {
		verb = "is"
	}
	_, err := fmt.Fprintf(a.Out, "%s %s %s\n", console.Counted(uint64(n), "file"), verb, did)
	return err
}

package spoolcmd

import (
	"encoding/json"
	"errors"
	"fmt"

	"github.com/brokerd/brokerd/internal/cli/console"

	"github.com/spf13/cobra"

	brokerdv1 "github.com/brokerd/brokerd/proto/brokerd/v1"
)

func spoolRetry(a *console.App) *cobra.Command {
	var named *console.Destinations
	var all bool
	var out console.Format
	cmd := &cobra.Command{
		Use:   "retry ID… | --destination DESTINATION | --all",
		Short: "Retry waiting, dead and unreadable objects now",
		Long: `Retry objects now instead of at their next scheduled attempt. Dead objects return to
the queue, and unreadable files are read again. A parked destination is probed with one object; after the first success
the daemon delivers the others.

The output is the number of objects to retry. ` + "`brokerctl spool ls`" + ` shows the results.`,
		Example: `  brokerctl spool retry 01KAW3P5E2M9W7V5C1J0X8T4RQ
  brokerctl verify audit-logs && brokerctl spool retry --destination audit-logs`,
		RunE: func(cmd *cobra.Command, args []string) error {
			destination, err := named.One(nil)
			if err != nil {
				return err
			}
			ways := len(args)
			if destination != "" {
				ways++
			}
			if all {
				ways++
			}
			switch {
			case ways == 0:
				return console.UsageError(errors.New("name objects, or --destination DESTINATION, or --all"))
			case ways != len(args) && ways != 1:
				return console.UsageError(errors.New("objects, --destination and --all do not go together"))
			}
			ids, err := uploadIDs(args)
			if err != nil {
				return err
			}
			c, err := a.Dial()
			if err != nil {
				return err
			}
			defer func() { _ = c.Close() }()
			ctx := cmd.Context()
			retry := func(req *brokerdv1.RetrySpoolRequest) (uint32, error) {
				r, err := c.Admin().RetrySpool(ctx, req)
				return r.GetRetried(), c.FromError(err)
			}
			if len(ids) > 0 {
				done, err := each(ctx, a, ids, func(id string) error {
					_, err := retry(&brokerdv1.RetrySpoolRequest{UploadIds: []string{id}})
					return err
				})
				if err != nil && done == 0 {
					return err
				}
				return errors.Join(err, retried(a, uint32(done), "", out))
			}
			if all {
				destination = "*"
			}
			n, err := retry(&brokerdv1.RetrySpoolRequest{Destination: destination})
			if err != nil {
				return err
			}
			if n == 0 && !all {
				l := &spoolList{App: a, filter: spoolFilter{destination: destination}}
				if err := l.known(ctx, c); err != nil {
					return err
				}
			}
			if all {
				destination = ""
			}
			return retried(a, n, destination, out)
		},
	}
	named = a.DestinationFlag(cmd, "all objects of this destination", nil)
	cmd.Flags().BoolVar(&all, "all", false, "all objects of all destinations")
	console.OutputFlag(cmd, &out)
	return cmd
}

func retried(a *console.App, n uint32, destination string, out console.Format) error {
	if out == console.FormatJSON {
		return json.NewEncoder(a.Out).Encode(map[string]uint32{"retried": n})
	}
	if n == 0 {
		_, err := fmt.Fprintln(a.Out, "there is no object to retry")
		return err
	}
	text := console.Counted(n, "object")
	if destination != "" {
		text += " of " + destination
	}
	if n == 1 {
		text += " is retried"
	} else {
		text += " are retried"
	}
	_, err := fmt.Fprintln(a.Out, text)
	return err
}

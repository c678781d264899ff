package sandboxcmd

import (
	"encoding/json"
	"fmt"
	"strings"

	"github.com/brokerd/brokerd/internal/cli/console"

	"github.com/spf13/cobra"

	"github.com/brokerd/brokerd/internal/sandbox"
)

func sandboxFault(a *console.App, connect *ConnectFlag) *cobra.Command {
	var out console.Format
	cmd := &cobra.Command{
		Use:   "fault",
		Short: "Make calls to the running sandbox fail on purpose",
		Args:  cobra.NoArgs,
		RunE:  func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	add := &cobra.Command{
		Use:   "add OPERATION NAME=VALUE…",
		Short: "Add a fault",
		Long: `Add a fault. OPERATION is service:Operation, service:* or *.

The effect of the fault:

  code=CODE            answer this error; "throttle" is the service's own throttling error
  status=N message=M   its HTTP status (503) and text
  latency=50ms         delay the call; jitter=50ms adds a random share
  reset=POINT          drop the connection: before-body, after-body,
                       before-response (carried out, but the answer is lost), after-response
  truncate=N           send N bytes of the response's body, then drop the connection
  bytes_per_second=N   send the response's body slowly
  expire_session=true  end the session that signs the call
  disable_key=ARN      disable a KMS key before the call
  delete_role=ARN      delete a role before the call

The calls that it hits:

  rate=0.1             this share of the matching calls; --seed decides which
  skip=N               none of the first N matching calls
  times=N              N calls, after which the fault is removed`,
		Example: `  brokerctl sandbox fault add s3:PutObject code=throttle rate=0.2
  brokerctl sandbox fault add s3:CompleteMultipartUpload reset=before-response times=1
  brokerctl sandbox fault add kms:* latency=2s`,
		Args: cobra.MinimumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			f, err := sandbox.ParseFault(strings.Join(args, " "))
			if err != nil {
				return console.UsageError(err)
			}
			return faults(a, cmd, connect, "POST", f, out)
		},
	}
	ls := &cobra.Command{
		Use: "ls", Short: "List the active faults",
		Example: "  brokerctl sandbox fault ls\n  brokerctl sandbox fault ls -o json | jq length", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return faults(a, cmd, connect, "GET", nil, out) },
	}
	clear := &cobra.Command{
		Use: "clear", Short: "Remove all faults",
		Example: "  brokerctl sandbox fault clear\n  brokerctl sandbox fault clear --connect ./accounts", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return faults(a, cmd, connect, "DELETE", nil, out) },
	}
	for _, c := range []*cobra.Command{add, ls, clear} {
		console.OutputFlag(c, &out)
		cmd.AddCommand(c)
	}
	return cmd
}

// faults sends a request about faults and shows the faults in force afterwards.
func faults(a *console.App, cmd *cobra.Command, connect *ConnectFlag, method string, in any, out console.Format) error {
	c, err := connect.Open()
	if err != nil {
		return err
	}
	var now []sandbox.Fault
	if err := c.do(cmd.Context(), method, "faults", in, &now); err != nil {
		return err
	}
	if out == console.FormatJSON {
		if now == nil {
			now = []sandbox.Fault{} // [] and not null
		}
		return json.NewEncoder(a.Out).Encode(now)
	}
	if len(now) == 0 {
		_, err := fmt.Fprintln(a.Out, "no faults are in force")
		return err
	}
	for i := range now {
		if _, err := fmt.Fprintln(a.Out, now[i].String()); err != nil {
			return err
		}
	}
	return nil
}

package policycmd

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/brokerd/brokerd/internal/cli/console"

	"github.com/spf13/cobra"

	"github.com/brokerd/brokerd/docs/checks"
	"github.com/brokerd/brokerd/internal/awserr"
	"github.com/brokerd/brokerd/internal/errtext"
)

// explainedError is the JSON of one error.
type explainedError struct {
	Code      string       `json:"code,omitempty"`
	Operation string       `json:"operation,omitempty"`
	Service   string       `json:"service,omitempty"`
	Status    int          `json:"http_status,omitempty"`
	RequestID string       `json:"request_id,omitempty"`
	Kind      errtext.Kind `json:"kind"`
	Cause     string       `json:"cause"`
	Reason    string       `json:"reason,omitempty"`
	Layer     awserr.Layer `json:"layer"`
	Side      awserr.Side  `json:"side"`
	Account   string       `json:"account,omitempty"`
	Caller    string       `json:"caller_account,omitempty"`
	Owner     string       `json:"resource_account,omitempty"`
	Explicit  bool         `json:"explicit_deny"`
	Principal string       `json:"principal,omitempty"`
	Action    string       `json:"action,omitempty"`
	Resource  string       `json:"resource,omitempty"`
	PolicyARN string       `json:"policy_arn,omitempty"`
	LookAt    string       `json:"look_at"`
	Page      string       `json:"page"`
	Message   string       `json:"message,omitempty"`
}

func explainErrorCommand(a *console.App) *cobra.Command {
	var out console.Format
	cmd := &cobra.Command{
		Use:   "explain-error [TEXT]",
		Short: "Read errors of AWS: the cause, the kind of policy, the account, and where to look",
		Long: `Read AWS errors in a text, from the argument or standard input. The text may be a
log line or a whole log, JSON, CloudTrail records, the output of the AWS CLI or of
Terraform, or a stack trace of an SDK. Several errors are summarized by cause.

AWS names one policy layer only, or none, and between accounts it can name the wrong
one. The answer repeats AWS's statement, and lists the candidates where AWS names none.

Exit status: 0 if an error was found, 1 if the text has none that AWS is known to send.`,
		Example: `  aws s3 cp f s3://b/k 2>&1 | brokerctl policy explain-error
  journalctl -u myapp | brokerctl policy explain-error
  brokerctl policy explain-error 'An error occurred (AccessDenied) when calling the PutObject operation: Access Denied'`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(_ *cobra.Command, args []string) error {
			text := strings.Join(args, " ")
			if len(args) == 0 {
				data, err := io.ReadAll(io.LimitReader(a.In, errtext.MaxText))
				if err != nil {
					return unreadable("standard input", err)
				}
				text = string(data)
			}
			return explainText(a, text, out)
		},
	}
	console.OutputFlag(cmd, &out)
	return cmd
}

func explainText(a *console.App, text string, out console.Format) error {
	found := errtext.Read(text)
	if len(found) == 0 {
		return errors.New("the text has no error that AWS is known to send; paste the whole message, with its code")
	}
	if !slices.ContainsFunc(found, func(e errtext.Error) bool { return e.Code != "" || errtext.Explain(e).Kind != errtext.KindNetwork }) {
		x := errtext.Explain(found[0])
		return fmt.Errorf("the text has no error of AWS: %s. %s See `brokerctl explain %s`", x.Cause, x.LookAt[0], x.Page)
	}
	if out == console.FormatJSON {
		enc := json.NewEncoder(a.Out)
		for _, e := range found {
			if err := enc.Encode(explainedErrorOf(e)); err != nil {
				return err
			}
		}
		return nil
	}
	if len(found) == 1 {
		return writeError(a, found[0], errtext.Explain(found[0]))
	}
	return writeErrorSummary(a, len(found), errtext.Summarize(found))
}

func explainedErrorOf(e errtext.Error) explainedError {
	x := errtext.Explain(e)
	return explainedError{
		Code: e.Code, Operation: e.Operation, Service: e.Service, Status: e.Status, RequestID: e.RequestID,
		Kind: x.Kind, Cause: x.Cause, Reason: x.Reason, Layer: x.Layer, Side: x.Side,
		Account: x.Account, Caller: e.CallerAccount, Owner: e.OwnerAccount, Explicit: e.Denial.Explicit,
		Principal: e.Denial.Principal, Action: e.Denial.Action, Resource: e.Denial.Resource, PolicyARN: e.Denial.PolicyARN,
		LookAt: strings.Join(x.LookAt, "; "), Page: x.Page, Message: e.Message,
	}
}

// writeError prints one error, one field a line.
func writeError(a *console.App, e errtext.Error, x errtext.Explanation) error {
	layer := ""
	if x.Kind == errtext.KindPolicy {
		layer = "not said"
		if x.Layer != awserr.LayerUnknown {
			layer = strings.ReplaceAll(string(x.Layer), "_", " ")
		}
	}
	rows := [][2]string{
		{"error", errorName(e)}, {"cause", x.Cause}, {"reason", x.Reason}, {"layer", layer}, {"account", x.AccountText},
		{"principal", e.Denial.Principal}, {"action", e.Denial.Action}, {"resource", e.Denial.Resource}, {"policy", e.Denial.PolicyARN},
	}
	for i, place := range x.LookAt {
		name := ""
		if i == 0 {
			name = "look at"
		}
		rows = append(rows, [2]string{name, place})
	}
	rows = append(rows, [2]string{"page", pageLine(x.Page)})
	shown := console.NewRows(a.Out)
	for _, row := range rows {
		if row[1] != "" {
			shown.Add("%s\t%s", row[0], row[1])
		}
	}
	return shown.Flush()
}

// errorName is the code of an error, with the call that it answers.
func errorName(e errtext.Error) string {
	name := e.Code
	if name == "" && e.Status > 0 {
		name = fmt.Sprintf("HTTP %d", e.Status)
	}
	if e.Operation != "" && name != "" {
		name += " of " + e.Operation
	}
	if e.RequestID != "" && name != "" {
		name += ", request id " + e.RequestID
	}
	return name
}

func pageLine(code string) string {
	return fmt.Sprintf("%s: run `brokerctl explain %[1]s` (%s)", code, checks.Title(code))
}

// writeErrorSummary prints the causes of several errors, the most frequent first.
func writeErrorSummary(a *console.App, total int, groups []errtext.Group) error {
	var b strings.Builder
	causes := "causes"
	if len(groups) == 1 {
		causes = "cause"
	}
	fmt.Fprintf(&b, "%d errors, %d %s\n", total, len(groups), causes)
	for _, g := range groups {
		x := g.Explanation
		fmt.Fprintf(&b, "\n%d × %s\n", g.Count, x.Cause)
		if x.Reason != "" {
			fmt.Fprintf(&b, "    reason     %s\n", x.Reason)
		}
		if x.AccountText != "" {
			fmt.Fprintf(&b, "    account    %s\n", x.AccountText)
		}
		fmt.Fprintf(&b, "    look at    %s\n    page       %s\n    example    %s\n", x.LookAt[0], pageLine(x.Page), g.Example.Message)
	}
	_, err := io.WriteString(a.Out, console.Fit(a.Out, b.String()))
	return err
}

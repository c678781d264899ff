package cli

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"github.com/brokerd/brokerd/internal/awserr"
)

// maxErrorText bounds what is read of an error's text.
const maxErrorText = 1 << 20

type explainedError struct {
	Layer     awserr.Layer `json:"layer"`
	Side      awserr.Side  `json:"side"`
	Explicit  bool         `json:"explicit_deny"`
	Principal string       `json:"principal,omitempty"`
	Action    string       `json:"action,omitempty"`
	Resource  string       `json:"resource,omitempty"`
	PolicyARN string       `json:"policy_arn,omitempty"`
	LookAt    string       `json:"look_at"`
}

func (a *app) explainErrorCommand() *cobra.Command {
	var out format
	cmd := &cobra.Command{
		Use:   "explain-error [TEXT]",
		Short: "Read AWS's refusal: which kind of policy, in which account, and where to look",
		Long: `Read the text of an access error of AWS, from the argument or standard input.
AWS names one layer only, and between accounts it can name the wrong one; the
answer says so where that is known to happen.

Exit status: 0 understood, 1 the text is no refusal that is known.`,
		Example: `  brokerctl policy explain-error "User: arn:aws:iam::111122223333:user/x is not authorized to perform: s3:PutObject on resource: arn:aws:s3:::b/k because no identity-based policy allows the s3:PutObject action"
  aws s3 cp f s3://b/k 2>&1 | brokerctl policy explain-error`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(_ *cobra.Command, args []string) error {
			text := strings.Join(args, " ")
			if len(args) == 0 {
				data, err := io.ReadAll(io.LimitReader(a.In, maxErrorText))
				if err != nil {
					return unreadable("standard input", err)
				}
				text = string(data)
			}
			return a.explainRefusal(strings.TrimSpace(text), out)
		},
	}
	outputFlag(cmd, &out)
	return cmd
}

func (a *app) explainRefusal(text string, out format) error {
	d, ok := parseRefusal(text)
	if !ok {
		return errors.New("this is no refusal that AWS is known to word so; a network, region or key-state error names no policy")
	}
	e := explainedError{
		Layer: d.Layer, Side: d.Side, Explicit: d.Explicit, Principal: d.Principal, Action: d.Action,
		Resource: d.Resource, PolicyARN: d.PolicyARN, LookAt: lookAt(d),
	}
	if out == formatJSON {
		return json.NewEncoder(a.Out).Encode(e)
	}
	layer := "not said"
	if e.Layer != awserr.LayerUnknown {
		layer = strings.ReplaceAll(string(e.Layer), "_", " ")
	}
	kind := "nothing allows it"
	if e.Explicit {
		kind = "a statement denies it"
	}
	rows := [][2]string{{"layer", layer}, {"account", sideName(e.Side)}, {"kind", kind}, {"principal", e.Principal},
		{"action", e.Action}, {"resource", e.Resource}, {"policy", e.PolicyARN}, {"look at", e.LookAt}}
	for _, row := range rows {
		if row[1] == "" {
			continue
		}
		if _, err := fmt.Fprintf(a.Out, "%-10s %s\n", row[0], row[1]); err != nil {
			return err
		}
	}
	return nil
}

// parseRefusal finds the refusal in what tools print around it.
func parseRefusal(text string) (awserr.Denial, bool) {
	if d, ok := awserr.ParseDenial(text); ok {
		return d, true
	}
	for line := range strings.SplitSeq(text, "\n") {
		for _, start := range []string{"User: ", "Access Denied", "The ciphertext refers"} {
			if i := strings.Index(line, start); i >= 0 {
				if d, ok := awserr.ParseDenial(strings.TrimSpace(line[i:])); ok {
					return d, true
				}
			}
		}
	}
	if strings.Contains(text, "AccessDenied") || strings.Contains(text, "Access Denied") {
		return awserr.Denial{}, true
	}
	return awserr.Denial{}, false
}

func sideName(s awserr.Side) string {
	switch s {
	case awserr.SideA:
		return "A, the caller's"
	case awserr.SideB:
		return "B, the resource's"
	default:
		return "not said"
	}
}

// lookAt says what to open. Between accounts AWS blames the resource's policy
// also when that policy delegates to the caller's account and the identity
// policy is what is missing (recorded from AWS for another service).
func lookAt(d awserr.Denial) string {
	switch d.Layer {
	case awserr.LayerIdentity:
		return "the identity policies of the caller, in its own account"
	case awserr.LayerResource:
		if d.Explicit {
			return "the Deny statements of the resource's policy"
		}
		return "the resource's policy; if it allows the caller's whole account (:root), the identity policy of the caller instead"
	case awserr.LayerKeyPolicy:
		return "the key policy: the statement for this principal; also whether the key is in this Region, and whether it is the key that was meant"
	case awserr.LayerTrust:
		return "the trust policy of the role: principal and sts:ExternalId"
	case awserr.LayerBoundary:
		return "the permissions boundary of the role or user"
	case awserr.LayerSession:
		return "the session policy that was passed to AssumeRole"
	case awserr.LayerSCP:
		return "the service control policies of the caller's organization"
	case awserr.LayerRCP:
		return "the resource control policies of the resource's organization"
	case awserr.LayerVPCEndpoint:
		return "the policy of the VPC endpoint that the request went through"
	case awserr.LayerPublicAccess:
		return "the public-access block of the bucket and its account"
	default:
		return "AWS gives no detail to callers of other organizations: `brokerctl verify` finds the policy"
	}
}

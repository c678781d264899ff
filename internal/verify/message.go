package verify

import (
	"fmt"
	"slices"
	"strings"

	"github.com/brokerd/brokerd/internal/verify/report"
)

// messages are what the administrators of the other account have to know, ready
// to be sent: what is wrong, the statement, the command, and how it was seen.
func (p *probe) messages(r report.Report) []report.Message {
	var accounts []report.Account
	for _, c := range r.Fixes() {
		if a := c.Fix.Account; a.Side == report.SideB && c.Result != report.Unknown && c.Category != report.CategoryAudit && !slices.Contains(accounts, a) {
			accounts = append(accounts, a)
		}
	}
	var out []report.Message
	for _, a := range accounts {
		var b strings.Builder
		fmt.Fprintf(&b, "Hello,\n\nthe role %s in account %s delivers objects to the bucket %s in your account %s, encrypted with %s. "+
			"Something in your account stands in the way.\n", p.dest.Role, p.accountA(), p.dest.Bucket, a.ID, p.dest.KMSKey)
		n := 0
		for _, c := range r.Fixes() {
			if c.Fix.Account != a || c.Result == report.Unknown || c.Category == report.CategoryAudit {
				continue
			}
			n++
			fmt.Fprintf(&b, "\n%d. %s (%s)\n%s.\n%s\n", n, upper(noun(c.Artefact.Kind)), c.Code, strings.TrimSuffix(upper(c.Why), "."), c.Fix.Text)
			if len(c.Fix.Patch) > 0 {
				fmt.Fprintf(&b, "\n%s\n", c.Fix.Patch)
			}
			if c.Fix.Command != "" {
				fmt.Fprintf(&b, "\nAs a command:\n\n%s\n", c.Fix.Command)
			}
			for _, e := range c.Evidence {
				if e.RequestID != "" {
					fmt.Fprintf(&b, "\nSeen: %s, request id %s, %s\n", e.Operation, e.RequestID, strings.TrimSpace(e.AWSCode+" "+e.AWSMessage))
				}
			}
		}
		out = append(out, report.Message{Account: a, Subject: fmt.Sprintf("%s: %d to change in account %s for deliveries to %s", p.dest.Name, n, a.ID, p.dest.Bucket), Text: b.String()})
	}
	return out
}

func upper(s string) string {
	if s == "" {
		return s
	}
	return strings.ToUpper(s[:1]) + s[1:]
}

package verify

import (
	_ "embed"
	"fmt"
	"slices"
	"strings"
	"text/template"

	"github.com/brokerd/brokerd/internal/verify/report"
)

//go:embed message.tmpl
var messageText string

// letter is the data of message.tmpl.
type letter struct {
	Role, RoleAccount    string
	Bucket, Account, Key string
	Items                []letterItem
}

// letterItem is one change that the account has to make.
type letterItem struct {
	Number         int
	Document, Code string
	Why, Fix       string
	Patch, Command string
	Seen           []report.Evidence
}

// messages are texts for the administrators of the other account: each finding
// with its statement, its command, and the evidence for it.
func (r *run) messages(rep report.Report) ([]report.Message, error) {
	text, err := template.New("message").Parse(messageText)
	if err != nil {
		return nil, fmt.Errorf("reading the template of the message: %w", err)
	}
	theirs := func(c report.Check) bool {
		return c.Fix.Account.Side == report.SideB && c.Result != report.Unknown && c.Category != report.CategoryAudit
	}
	var accounts []report.Account
	for _, c := range rep.Fixes() {
		if theirs(c) && !slices.Contains(accounts, c.Fix.Account) {
			accounts = append(accounts, c.Fix.Account)
		}
	}
	var out []report.Message
	for _, a := range accounts {
		l := letter{Role: r.dest.Role, RoleAccount: r.accountA(), Bucket: r.dest.Bucket, Account: a.ID, Key: r.dest.KMSKey}
		for _, c := range rep.Fixes() {
			if !theirs(c) || c.Fix.Account != a {
				continue
			}
			item := letterItem{
				Number: len(l.Items) + 1, Document: upper(noun(c.Artefact.Kind)), Code: c.Code,
				Why: strings.TrimSuffix(upper(c.Why), "."), Fix: c.Fix.Text, Patch: string(c.Fix.Patch), Command: c.Fix.Command,
			}
			for _, e := range c.Evidence {
				if e.RequestID != "" {
					item.Seen = append(item.Seen, e)
				}
			}
			l.Items = append(l.Items, item)
		}
		var b strings.Builder
		if err := text.Execute(&b, l); err != nil {
			return nil, fmt.Errorf("writing the message for account %s: %w", a.ID, err)
		}
		out = append(out, report.Message{
			Account: a, Text: b.String(),
			Subject: fmt.Sprintf("%s: %d to change in account %s for deliveries to %s", r.dest.Name, len(l.Items), a.ID, r.dest.Bucket),
		})
	}
	return out, nil
}

func upper(s string) string {
	if s == "" {
		return s
	}
	return strings.ToUpper(s[:1]) + s[1:]
}

package verify

import (
	"fmt"
	"strings"

	"github.com/brokerd/brokerd/internal/verify/report"
)

// need says how far deliveries depend on the changes of a message.
type need int

const (
	necessary   need = iota // deliveries fail without them
	possible                // deliveries fail, and the cause is in either account
	recommended             // deliveries work
)

// needOf returns the kind of message for a finding.
func needOf(c report.Check) need {
	if c.Result != report.Fail || c.Category == report.CategoryPrivilege {
		return recommended
	}
	switch c.Artefact.Kind {
	case report.ArtefactIdentityBucket, report.ArtefactIdentityKey, report.ArtefactUnseen:
		return possible
	}
	return necessary
}

// letter is a message before it is written.
type letter struct {
	Role, RoleAccount    string
	Bucket, Account, Key string
	Need                 need
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

// messages are texts for the administrators of the other account: each finding with
// its statement, its command, and its evidence. Faults of that account, faults of either
// account and recommendations are separate messages.
func (r *run) messages(rep report.Report) []report.Message {
	var out []report.Message
	for _, kind := range []need{necessary, possible, recommended} {
		letters := map[report.Account]*letter{}
		var accounts []report.Account
		for _, c := range rep.Fixes() {
			a := c.Fix.Account
			if a.Side != report.SideB || c.Result == report.Unknown || c.Category == report.CategoryAudit || needOf(c) != kind {
				continue
			}
			l := letters[a]
			if l == nil {
				l = &letter{Role: r.dest.Role, RoleAccount: r.accountA(), Bucket: r.dest.Bucket, Account: a.ID, Key: r.dest.KMSKey, Need: kind}
				letters[a], accounts = l, append(accounts, a)
			}
			l.Items = append(l.Items, itemOf(len(l.Items)+1, c))
		}
		for _, a := range accounts {
			out = append(out, report.Message{Account: a, Text: letters[a].String(), Subject: r.subject(a, len(letters[a].Items), kind)})
		}
	}
	return out
}

// String is built without text/template: see jqFilter.
func (l letter) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "Hello,\n\nthe role %s in account %s delivers objects to the bucket %s in your account %s, encrypted with %s.",
		l.Role, l.RoleAccount, l.Bucket, l.Account, l.Key)
	switch l.Need {
	case necessary:
		b.WriteString(" These deliveries fail until your account changes the following.\n")
	case possible:
		fmt.Fprintf(&b, " These deliveries fail. The cause is in your account or in account %s, and AWS does not say in which. "+
			"Check the following.\n", l.RoleAccount)
	case recommended:
		b.WriteString(" No delivery depends on the following. It is recommended, because it is safer or avoids a later failure.\n")
	}
	for _, item := range l.Items {
		fmt.Fprintf(&b, "\n%d. %s (%s)\n%s.\n%s", item.Number, item.Document, item.Code, item.Why, item.Fix)
		if item.Patch != "" {
			b.WriteString("\n\n" + item.Patch)
		}
		if item.Command != "" {
			b.WriteString("\n\nAs a command:\n\n" + item.Command)
		}
		for _, e := range item.Seen {
			fmt.Fprintf(&b, "\n\nSeen: %s, request id %s", e.Operation, e.RequestID)
			if e.AWSCode != "" {
				b.WriteString(", " + e.AWSCode)
			}
			if e.AWSMessage != "" {
				b.WriteString(" " + e.AWSMessage)
			}
		}
		b.WriteString("\n")
	}
	return b.String()
}

func (r *run) subject(a report.Account, n int, kind need) string {
	what := map[need]string{necessary: "necessary change", possible: "possible change", recommended: "recommendation"}[kind]
	if n > 1 {
		what += "s"
	}
	return fmt.Sprintf("%s: %d %s in account %s for deliveries to %s", r.dest.Name, n, what, a.ID, r.dest.Bucket)
}

func itemOf(number int, c report.Check) letterItem {
	item := letterItem{
		Number: number, Document: upper(noun(c.Artefact.Kind)), Code: c.Code,
		Why: strings.TrimSuffix(upper(c.Why), "."), Fix: c.Fix.Text, Command: c.Fix.Command,
	}
	if !strings.Contains(c.Fix.Command, string(c.Fix.Patch)) || c.Fix.Command == "" {
		item.Patch = string(c.Fix.Patch)
	}
	for _, e := range c.Evidence {
		if e.RequestID != "" {
			item.Seen = append(item.Seen, e)
		}
	}
	return item
}

func upper(s string) string {
	if s == "" {
		return s
	}
	return strings.ToUpper(s[:1]) + s[1:]
}

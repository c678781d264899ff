package collect

import (
	"maps"
	"slices"

	"github.com/brokerd/brokerd/internal/setup"
	"github.com/brokerd/brokerd/internal/verify/report"
)

// FromAudit returns the documents of CloudTrail: event selectors by the ARN of the
// trail, and events.
func FromAudit(selectors setup.Part[map[string]string], events setup.Part[[]string]) report.Policies {
	var out report.Policies
	add := func(kind, name string, p setup.Presence, reason, text string) {
		d := report.PolicyDocument{Kind: kind, State: report.Unreadable, Name: name, Reason: reason}
		switch {
		case p == setup.Known && text != "":
			d.State, d.Text = report.Known, text
		case p == setup.Known, p == setup.Absent:
			d.State = report.Absent
		}
		out.Documents = append(out.Documents, d)
	}
	if len(selectors.Value) == 0 {
		add(report.DocumentTrail, "", selectors.Presence, selectors.Reason, "")
	}
	for _, arn := range slices.Sorted(maps.Keys(selectors.Value)) {
		add(report.DocumentTrail, arn, selectors.Presence, "", selectors.Value[arn])
	}
	if len(events.Value) == 0 {
		add(report.DocumentEvent, "", events.Presence, events.Reason, "")
	}
	for _, e := range events.Value {
		add(report.DocumentEvent, "", events.Presence, "", e)
	}
	return out
}

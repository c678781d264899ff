package report

import "slices"

// Report is the outcome of all checks of one destination.
type Report struct {
	Destination string  `json:"destination"`
	Checks      []Check `json:"checks"`
	Path        Path    `json:"path"`
	// Documents are the policies that were read, for whoever shows a statement in its place.
	Documents []PolicyDocument `json:"documents,omitempty"`
	// Messages are ready to be sent to the administrators of accounts that have something to change.
	Messages []Message `json:"messages,omitempty"`
	// Calls counts the calls to AWS that were made.
	Calls int `json:"calls"`
}

// Path is the way of an object, for a picture of it.
type Path struct {
	Nodes []Node `json:"nodes"`
	Edges []Edge `json:"edges"`
}

// The nodes of a path, in its order. There is an endpoint only when the requests take one.
const (
	NodePeer     = "peer"
	NodeBroker   = "brokerd"
	NodeSource   = "source"
	NodeRole     = "role"
	NodeEndpoint = "endpoint"
	NodeBucket   = "bucket"
	NodeKey      = "key"
)

// Node is one station.
type Node struct {
	ID      string  `json:"id"` // one of the Node constants
	Label   string  `json:"label"`
	ARN     string  `json:"arn,omitempty"`
	Account Account `json:"account,omitzero"`
}

// Edge is the step from one station to the next.
type Edge struct {
	From   string `json:"from"`
	To     string `json:"to"`
	Result Result `json:"result"` // Pass, Fail or Unknown
	// Codes are of the findings that make it so.
	Codes []string `json:"codes,omitempty"`
}

// Message is a text for the administrator of an account.
type Message struct {
	Account Account `json:"account"`
	Subject string  `json:"subject"`
	Text    string  `json:"text"`
}

// Fixes are the findings with something to do, each once: what a later check
// only confirms is left out, and so is what is unknown for want of a document.
func (r Report) Fixes() []Check {
	var out []Check
	for _, c := range r.Checks {
		toDo := c.Result == Fail || c.Result == Warn || c.Result == Unknown && !c.Advisory
		if toDo && c.Confirms == "" && !c.Fix.IsZero() {
			out = append(out, c)
		}
	}
	return out
}

// Result sums the checks up: fail before unknown before pass. Warnings pass, and
// so do unknowns that are advisory. A report without a passed check is unknown.
func (r Report) Result() Result {
	out := Unknown
	for _, c := range r.Checks {
		switch c.Result {
		case Fail:
			return Fail
		case Pass, Warn:
			if out == Unknown {
				out = Pass
			}
		}
	}
	if slices.ContainsFunc(r.Checks, func(c Check) bool { return c.Result == Unknown && !c.Advisory }) {
		return Unknown
	}
	return out
}

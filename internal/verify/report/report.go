package report

import "slices"

// Report holds all checks of one destination.
type Report struct {
	Destination string  `json:"destination"`
	Checks      []Check `json:"checks"`
	Path        Path    `json:"path"`
	// Documents are the policies that were read, so that a form can show a statement in
	// its document.
	Documents []PolicyDocument `json:"documents,omitempty"`
	// Messages are texts for the administrators of accounts in which a change is needed.
	Messages []Message `json:"messages,omitempty"`
	// Calls counts the calls to AWS.
	Calls int `json:"calls"`
}

// Path is the path of an object from the application to the key.
type Path struct {
	Nodes []Node `json:"nodes"`
	Edges []Edge `json:"edges"`
}

// The nodes of a path, in order. NodeEndpoint is present only if the requests use one.
const (
	NodePeer     = "peer"
	NodeBroker   = "brokerd"
	NodeSource   = "source"
	NodeRole     = "role"
	NodeEndpoint = "endpoint"
	NodeBucket   = "bucket"
	NodeKey      = "key"
)

// Node is one station of a path.
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
	// Codes are the codes of the findings behind a Fail.
	Codes []string `json:"codes,omitempty"`
}

// Message is a text for the administrator of an account.
type Message struct {
	Account Account `json:"account"`
	Subject string  `json:"subject"`
	Text    string  `json:"text"`
}

// Fixes returns the findings with a fix, each once. It leaves out checks that only
// confirm another finding, and undecided checks that no result depends on.
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

// Result returns the worst result: Fail, then Unknown, then Pass. A warning passes,
// and so does an advisory Unknown. A report without a passed check is Unknown.
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

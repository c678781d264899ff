package iampolicy

import "encoding/json"

// Decision is the outcome of an evaluation.
type Decision string

// The four outcomes. Unknown means that a layer was not supplied or a context
// key is not known, and that the answer depends on it.
const (
	Allowed      Decision = "allowed"
	ImplicitDeny Decision = "implicit_deny"
	ExplicitDeny Decision = "explicit_deny"
	Unknown      Decision = "unknown"
)

// Result is a decision with its reasons.
type Result struct {
	Name     string   `json:"name,omitempty"`
	Decision Decision `json:"decision"`
	// BlockedBy lists the layers that stand between the request and "allowed":
	// explicit denies first. Empty when the decision is allowed or unknown.
	BlockedBy []Layer `json:"blocked_by"`
	// RootCause is the layer to look at first: one that denies, else the one
	// whose closest Allow statement lacks least.
	RootCause Layer         `json:"root_cause,omitempty"`
	Layers    []LayerResult `json:"layers"`
	// Fixes, applied together, make the scenario allowed and change the answer for
	// no other caller. Evaluate leaves them empty; fixproof.Propose fills them in.
	Fixes []Fix `json:"fixes"`
	// Advice describes what stands in the way where no fix is proven.
	Advice []Advice `json:"advice,omitempty"`
	// Assumptions are facts that the scenario did not give. An allowed result has at
	// least one.
	Assumptions []string `json:"assumptions"`
}

// LayerResult is the decision of one layer about a request, whether or not the
// overall decision depends on it.
type LayerResult struct {
	Layer Layer `json:"layer"`
	// Level is the root, OU or account of an SCP or RCP.
	Level string `json:"level,omitempty"`
	// Account is the account whose administrators own this layer.
	Account  string   `json:"account,omitempty"`
	Decision Decision `json:"decision"`
	// AllowsNothing reports that a layer which has to allow the request has no Allow
	// statement: removing its Deny statements alone changes nothing.
	AllowsNothing bool `json:"allows_nothing,omitempty"`
	// Reason explains decisions that no single statement explains.
	Reason     string            `json:"reason,omitempty"`
	Statements []StatementResult `json:"statements,omitempty"`
	// NearMisses are indexes into Statements: the Allow statements that failed,
	// the one with the fewest failing elements first. Set on layers that block.
	NearMisses []int `json:"near_misses,omitempty"`

	levelIndex int // among the levels of an SCP or RCP: names may repeat
}

// Outcome says whether a statement applies to a request.
type Outcome string

// The outcomes.
const (
	Matched        Outcome = "matched"
	NotMatched     Outcome = "not_matched"
	UnknownOutcome Outcome = "unknown"
)

// Element names the part of a statement that a request did not satisfy.
type Element string

// The elements, in the order in which they are tried.
const (
	ElementPrincipal Element = "principal"
	ElementAction    Element = "action"
	ElementResource  Element = "resource"
	ElementCondition Element = "condition"
)

// Grant says how a resource policy names the caller. Inside one account it
// decides which of the caller's own policies can still limit the grant.
type Grant string

// The grants, weakest first.
const (
	GrantNone    Grant = ""
	GrantAccount Grant = "account" // the caller's account: the caller's own policies must allow too
	GrantRole    Grant = "role"    // the role behind the session: boundary and session policy still limit
	GrantDirect  Grant = "direct"  // the caller itself, or everybody
)

// StatementResult is the trace of one statement. Want and Got share memory
// with the policy and the scenario; do not change them.
type StatementResult struct {
	Policy   string  `json:"policy,omitempty"`
	Sid      string  `json:"sid,omitempty"`
	Index    int     `json:"index"`
	Line     int     `json:"line"`
	Column   int     `json:"column"`
	Effect   string  `json:"effect"`
	Outcome  Outcome `json:"outcome"`
	FailedOn Element `json:"failed_on,omitempty"`
	// Operator and Key name the condition that failed or is not known.
	Operator string   `json:"operator,omitempty"`
	Key      string   `json:"key,omitempty"`
	Want     []string `json:"want,omitempty"`
	Got      []string `json:"got,omitempty"`
	Grant    Grant    `json:"grant,omitempty"`
	// Distance counts the elements that failed; set on near misses.
	Distance int `json:"distance,omitempty"`
	// Note adds a remark: a stale principal id, an unsafe NotPrincipal.
	Note string `json:"note,omitempty"`
}

// FixKind is the kind of change that a fix makes.
type FixKind string

// The kinds of fix.
const (
	AddStatement     FixKind = "add_statement"
	ReplaceStatement FixKind = "replace_statement"
	RemoveStatement  FixKind = "remove_statement"
	ChangeRequest    FixKind = "change_request"
	ChangeSetting    FixKind = "change_setting"
)

// Fix is one change that an administrator, or the caller, makes.
type Fix struct {
	Kind  FixKind `json:"kind"`
	Layer Layer   `json:"layer"`
	Level string  `json:"level,omitempty"`
	// Target is the ARN to which the change is applied, or words when there is none.
	Target  string `json:"target"`
	Account string `json:"account,omitempty"`
	// Policy, Sid, Index and Line name the statement that is replaced or
	// removed; Document is the place of its policy among those of the layer.
	Policy   string `json:"policy,omitempty"`
	Document int    `json:"document,omitempty"`
	// LevelIndex is the place of the level among those of an SCP or RCP.
	LevelIndex int    `json:"level_index,omitempty"`
	Sid        string `json:"sid,omitempty"`
	Index      int    `json:"index,omitempty"`
	Line       int    `json:"line,omitempty"`
	// Statement is the statement to add, or the replacement.
	Statement json.RawMessage `json:"statement,omitempty"`
	// Context holds the condition keys that the request has to carry; an
	// empty list means "do not send it".
	Context map[string][]string `json:"context,omitempty"`
	// Setting is the setting to change, such as "restrict_public_buckets=false".
	Setting string `json:"setting,omitempty"`
	Why     string `json:"why"`
}

// Advice describes a step that could not be proven to be safe. It is not to be
// applied as it is.
type Advice struct {
	Layer   Layer  `json:"layer"`
	Account string `json:"account,omitempty"`
	Target  string `json:"target,omitempty"`
	Text    string `json:"text"`
	// Uncertain lists the callers that the step would also let in, or lock out.
	Uncertain []string `json:"uncertain,omitempty"`
}

// Severity ranks a finding.
type Severity string

// The severities. AWS refuses a document with an error.
const (
	SeverityError      Severity = "error"
	SeverityWarning    Severity = "warning"
	SeveritySuggestion Severity = "suggestion"
)

// Finding is one remark about a policy document.
type Finding struct {
	Code     string   `json:"code"`
	Severity Severity `json:"severity"`
	Line     int      `json:"line"`
	Column   int      `json:"column"`
	// Path is the place in the document, such as "Statement[1].Condition".
	Path    string `json:"path,omitempty"`
	Message string `json:"message"`
}

// Kind is the use a document is linted for.
type Kind string

// The kinds of policy document.
const (
	KindIdentity       Kind = "identity"
	KindBoundary       Kind = "permissions_boundary"
	KindSession        Kind = "session"
	KindBucket         Kind = "bucket"
	KindKey            Kind = "key"
	KindTrust          Kind = "trust"
	KindServiceControl Kind = "service_control"
	KindResourceCtrl   Kind = "resource_control"
	KindVPCEndpoint    Kind = "vpc_endpoint"
)

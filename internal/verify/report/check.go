package report

import (
	"encoding/json"
	"time"
)

// Check is the record of one check. Text, JSON, JUnit, SARIF and HTML are made from
// it alone.
type Check struct {
	// ID is the code of the check itself, whatever its result.
	ID string `json:"check"`
	// Code is the code of the finding; it equals ID when the check passed. Each code has
	// a page, which `brokerctl explain CODE` prints.
	Code     string `json:"code"`
	Category string `json:"category"` // one of the Category constants
	Title    string `json:"title"`    // the assertion, as a positive statement
	Result   Result `json:"result"`
	// Why is the observation and its reason: the policy, and its account.
	Why string `json:"why,omitempty"`
	// Account is the account of the artefact at fault; empty when it is not known.
	Account     Account    `json:"account,omitzero"`
	Artefact    Artefact   `json:"artefact,omitzero"` // at fault
	Evidence    []Evidence `json:"evidence,omitempty"`
	NearMisses  []NearMiss `json:"near_misses,omitempty"` // statements that almost allow the request, the nearest first
	Fix         Fix        `json:"fix,omitzero"`
	Confidence  Confidence `json:"confidence,omitempty"`  // in the finding; empty when the check passed
	Assumptions []string   `json:"assumptions,omitempty"` // documents that were not read, and the like
	Docs        string     `json:"docs,omitempty"`        // URL of the page of Code
	// Advisory means that Unknown does not make the report Unknown: no result depends
	// on the check. Most such checks need a document that was not supplied.
	Advisory bool `json:"advisory,omitempty"`
	// Confirms is the ID of an earlier check with the same finding, which has the fix.
	Confirms string        `json:"confirms,omitempty"`
	Elapsed  time.Duration `json:"elapsed_ns,omitempty"`
}

// Result is the result of one check.
type Result string

// The results.
const (
	Pass    Result = "pass"    // proven
	Warn    Result = "warn"    // works, and should be changed
	Fail    Result = "fail"    // broken
	Unknown Result = "unknown" // not decided; never the same as Pass
	Skip    Result = "skip"    // not run, because it could not succeed or does not apply
)

// Side is the part of an account in a destination.
type Side string

// The sides of a destination.
const (
	SideA Side = "A" // of the role, its source identity and the network
	SideB Side = "B" // of the bucket and the key
)

// Account is an AWS account, and its side in this destination.
type Account struct {
	ID   string `json:"id,omitempty"` // 12 digits
	Side Side   `json:"side,omitempty"`
}

// Artefact is the policy, setting or component at fault.
type Artefact struct {
	Kind string `json:"kind"` // one of the Artefact constants
	ARN  string `json:"arn,omitempty"`
	Name string `json:"name,omitempty"` // of the policy, where there are several
	// Statement denies the request, or allows too much.
	Statement *Statement `json:"statement,omitempty"`
}

// Statement is a place in a policy document.
type Statement struct {
	Sid    string `json:"sid,omitempty"`
	Index  int    `json:"index"`
	Line   int    `json:"line,omitempty"` // from 1; 0: unknown
	Column int    `json:"column,omitempty"`
	// Path is the element of the document, such as "Statement[1].Condition".
	Path string `json:"path,omitempty"`
	// Text is the statement as it is in the document.
	Text string `json:"text,omitempty"`
}

// Source is the origin of evidence.
type Source string

// The sources.
const (
	SourceStatic Source = "static" // the policy engine, from documents
	SourceProbe  Source = "probe"  // an answer of AWS
	SourceHost   Source = "host"   // this host: its resolver, its clock, its configuration
)

// Evidence is one observation.
type Evidence struct {
	Source Source `json:"source"`
	// Operation is the call, such as "s3:CreateMultipartUpload", or the action that the
	// policy engine decided.
	Operation  string `json:"operation,omitempty"`
	HTTPStatus int    `json:"http_status,omitempty"`
	RequestID  string `json:"request_id,omitempty"`
	HostID     string `json:"host_id,omitempty"` // S3's second id
	AWSCode    string `json:"aws_code,omitempty"`
	AWSMessage string `json:"aws_message,omitempty"`
	// Text is the observation where there is no answer of AWS.
	Text string `json:"text,omitempty"`
}

// NearMiss is a statement that would allow the request if one element were different.
type NearMiss struct {
	Policy    string    `json:"policy,omitempty"`
	Statement Statement `json:"statement"`
	FailedOn  string    `json:"failed_on"` // principal, action, resource or condition
	Operator  string    `json:"operator,omitempty"`
	Key       string    `json:"key,omitempty"`
	Want      []string  `json:"want,omitempty"` // values of the statement
	Got       []string  `json:"got,omitempty"`  // values of the request
	Note      string    `json:"note,omitempty"`
}

// FixKind is the kind of change of a fix.
type FixKind string

// The kinds of fix.
const (
	FixAddStatement     FixKind = "add_statement" // replaces a statement with the same Sid
	FixReplaceStatement FixKind = "replace_statement"
	FixRemoveStatement  FixKind = "remove_statement"
	FixSetting          FixKind = "change_setting" // of a bucket, a key or a role
	FixConfig           FixKind = "change_config"  // of brokerd or its host
)

// Fix is one change that repairs a finding.
type Fix struct {
	Kind   FixKind `json:"kind,omitempty"`
	Text   string  `json:"text"`                 // for people
	Target string  `json:"target_arn,omitempty"` // ARN of the changed resource
	// Policy is the name of the changed policy, where a target has several.
	Policy string `json:"policy,omitempty"`
	// Patch is the statement to add, or the replacement of Statement.
	Patch json.RawMessage `json:"patch,omitempty"`
	// Statement is the statement to replace or to remove.
	Statement *Statement `json:"statement,omitempty"`
	// Command makes the change in a shell that is signed in to Account. It is empty for
	// a fix that is described only.
	Command string `json:"command,omitempty"`
	// Owner names the people who apply it: "an administrator of account 111122223333 (A)".
	Owner   string  `json:"owner,omitempty"`
	Account Account `json:"account,omitzero"`
}

// IsZero reports whether there is no change.
func (f Fix) IsZero() bool { return f.Kind == "" && f.Text == "" }

// Confidence ranks the certainty of a finding.
type Confidence string

// The ranks.
const (
	Proven Confidence = "proven" // AWS says so, or the documents and AWS agree
	Strong Confidence = "strong" // follows from the documents, or from a call that was made both ways
	Weak   Confidence = "weak"   // other causes explain the observation as well
)

// The categories, in the order of the checks.
const (
	CategoryConfig     = "config"
	CategoryHost       = "host"
	CategoryBucket     = "bucket"
	CategoryIdentity   = "identity"
	CategoryDelivery   = "delivery"
	CategoryEncryption = "encryption"
	CategoryPolicy     = "policy" // follows from the documents; reported after the calls
	CategoryPrivilege  = "least privilege"
	CategoryAudit      = "audit"
)

// The kinds of artefacts that can be at fault.
const (
	ArtefactConfig         = "config"
	ArtefactNetwork        = "network"
	ArtefactClock          = "clock"
	ArtefactCredentials    = "credentials"
	ArtefactSourcePolicy   = "source-policy" // of the source identity
	ArtefactTrust          = "trust"
	ArtefactIdentity       = "identity"
	ArtefactBoundary       = "boundary"
	ArtefactSession        = "session"
	ArtefactSessionPolicy  = "session-policy"
	ArtefactSCP            = "scp"
	ArtefactRCP            = "rcp"
	ArtefactEndpointPolicy = "vpc-endpoint-policy"
	ArtefactBucket         = "bucket"
	ArtefactBucketPolicy   = "bucket-policy"
	ArtefactPublicAccess   = "public-access-block"
	ArtefactOwnership      = "ownership"
	ArtefactEncryption     = "encryption"                // default encryption of the bucket
	ArtefactIdentityBucket = "identity or bucket-policy" // S3 refused and did not name the policy
	ArtefactKeyPolicy      = "key-policy"
	ArtefactIdentityKey    = "identity or key-policy"
	ArtefactKeyState       = "key-state"
	ArtefactUnseen         = "unseen policy" // no document that was read explains the refusal
	ArtefactTrail          = "trail"
	ArtefactAccessLog      = "access-log"
	ArtefactService        = "service"
)

// DocsURL returns the URL of the page of a code.
func DocsURL(code string) string {
	return "https://github.com/brokerd/brokerd/blob/main/docs/checks/" + code + ".md"
}

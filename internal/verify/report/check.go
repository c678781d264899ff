package report

import (
	"encoding/json"
	"time"
)

// Check is the record of one check: text, JSON, JUnit, SARIF and HTML are made of
// it and of nothing else.
type Check struct {
	// ID is the code of the check itself: the same whatever it finds.
	ID string `json:"check"`
	// Code is the code of what was found, and ID when the check passed. Each has
	// a page that `brokerctl explain CODE` shows.
	Code     string `json:"code"`
	Category string `json:"category"` // one of Categories
	Title    string `json:"title"`    // what is asserted, as a positive statement
	Result   Result `json:"result"`
	// Why says what was seen and why it is so: which policy of which account.
	Why string `json:"why,omitempty"`
	// Account holds the artefact at fault; empty when it is not known which does.
	Account     Account    `json:"account,omitzero"`
	Artefact    Artefact   `json:"artefact,omitzero"` // what is at fault
	Evidence    []Evidence `json:"evidence,omitempty"`
	NearMisses  []NearMiss `json:"near_misses,omitempty"` // statements that almost allow it, the nearest first
	Fix         Fix        `json:"fix,omitzero"`
	Confidence  Confidence `json:"confidence,omitempty"`  // of a finding; empty when it passed
	Assumptions []string   `json:"assumptions,omitempty"` // what was taken for granted
	Docs        string     `json:"docs,omitempty"`        // address of the page of Code
	// Advisory says that Unknown does not make the report unknown: the check is
	// about documents that were not given, or about something else than the delivery.
	Advisory bool `json:"advisory,omitempty"`
	// Confirms is the ID of the earlier check whose finding this one has met as
	// well; the fix is there.
	Confirms string        `json:"confirms,omitempty"`
	Elapsed  time.Duration `json:"elapsed_ns,omitempty"`
}

// Result is the outcome of one check.
type Result string

// The outcomes.
const (
	Pass    Result = "pass"    // proven
	Warn    Result = "warn"    // works, but should be changed
	Fail    Result = "fail"    // broken
	Unknown Result = "unknown" // could not be decided; never the same as pass
	Skip    Result = "skip"    // not run, because it could not have succeeded
)

// Side says whose account it is.
type Side string

// The sides of a destination.
const (
	SideA Side = "A" // the caller's: the role, its source identity, the network
	SideB Side = "B" // the owner's of the bucket and the key
)

// Account is an AWS account as this destination sees it.
type Account struct {
	ID   string `json:"id,omitempty"` // 12 digits
	Side Side   `json:"side,omitempty"`
}

// Artefact is what a check found at fault.
type Artefact struct {
	Kind string `json:"kind"` // one of the Artefact constants
	ARN  string `json:"arn,omitempty"`
	Name string `json:"name,omitempty"` // of a policy among several, or of a file
	// Statement is the statement that denies, or that allows too much.
	Statement *Statement `json:"statement,omitempty"`
}

// Statement is a place in a policy document.
type Statement struct {
	Sid    string `json:"sid,omitempty"`
	Index  int    `json:"index"`
	Line   int    `json:"line,omitempty"` // from 1; 0 when it is not known
	Column int    `json:"column,omitempty"`
	// Path leads to the part of the document that matters, such as "Statement[1].Condition".
	Path string `json:"path,omitempty"`
	// Text is the statement as the document has it.
	Text string `json:"text,omitempty"`
}

// Source says where evidence is from.
type Source string

// The sources.
const (
	SourceStatic Source = "static" // the policy engine, from documents
	SourceProbe  Source = "probe"  // a call to AWS
	SourceHost   Source = "host"   // this host: its resolver, its clock, its configuration
)

// Evidence is one thing that was seen.
type Evidence struct {
	Source Source `json:"source"`
	// Operation is what was asked: "s3:CreateMultipartUpload", or the action that
	// the engine decided.
	Operation  string `json:"operation,omitempty"`
	HTTPStatus int    `json:"http_status,omitempty"`
	RequestID  string `json:"request_id,omitempty"`
	HostID     string `json:"host_id,omitempty"` // S3's second id
	AWSCode    string `json:"aws_code,omitempty"`
	AWSMessage string `json:"aws_message,omitempty"`
	// Text says it in words where there is no call.
	Text string `json:"text,omitempty"`
}

// NearMiss is a statement that would allow the request if one element were different.
type NearMiss struct {
	Policy    string    `json:"policy,omitempty"`
	Statement Statement `json:"statement"`
	FailedOn  string    `json:"failed_on"` // principal, action, resource or condition
	Operator  string    `json:"operator,omitempty"`
	Key       string    `json:"key,omitempty"`
	Want      []string  `json:"want,omitempty"` // what the statement says
	Got       []string  `json:"got,omitempty"`  // what the request has
	Note      string    `json:"note,omitempty"`
}

// FixKind says what a fix does.
type FixKind string

// The kinds of fix.
const (
	FixAddStatement     FixKind = "add_statement" // in place of one with the same Sid, if there is one
	FixReplaceStatement FixKind = "replace_statement"
	FixRemoveStatement  FixKind = "remove_statement"
	FixSetting          FixKind = "change_setting" // of a bucket, a key or a role
	FixConfig           FixKind = "change_config"  // of brokerd or its host
)

// Fix is one change that repairs what was found.
type Fix struct {
	Kind   FixKind `json:"kind,omitempty"`
	Text   string  `json:"text"`                 // what to do, for people
	Target string  `json:"target_arn,omitempty"` // what is changed
	// Policy is the name of the policy that is changed, where a target has several.
	Policy string `json:"policy,omitempty"`
	// Patch is the statement to add, or what replaces the statement at Statement.
	Patch json.RawMessage `json:"patch,omitempty"`
	// Statement is the one to replace or to remove.
	Statement *Statement `json:"statement,omitempty"`
	// Command does it, pasted into a shell that is signed in to Account.
	Command string `json:"command,omitempty"`
	// Owner says who must apply it: "an administrator of account 111122223333 (A)".
	Owner   string  `json:"owner,omitempty"`
	Account Account `json:"account,omitzero"`
}

// IsZero says that there is nothing to do.
func (f Fix) IsZero() bool { return f.Kind == "" && f.Text == "" }

// Confidence ranks a finding.
type Confidence string

// The ranks.
const (
	Proven Confidence = "proven" // AWS said so, or two sources agree
	Strong Confidence = "strong" // follows from documents that were read, or from a call that was tried both ways
	Weak   Confidence = "weak"   // consistent with what was seen, as other causes are
)

// The categories, in the order in which they are checked.
const (
	CategoryConfig     = "config"
	CategoryHost       = "host"
	CategoryBucket     = "bucket"
	CategoryIdentity   = "identity"
	CategoryDelivery   = "delivery"
	CategoryEncryption = "encryption"
	CategoryPolicy     = "policy" // what the documents say: decided before any call, told after them
	CategoryPrivilege  = "least privilege"
	CategoryAudit      = "audit"
)

// Categories lists the categories in their order.
func Categories() []string {
	return []string{
		CategoryConfig, CategoryHost, CategoryBucket, CategoryIdentity, CategoryDelivery,
		CategoryEncryption, CategoryPolicy, CategoryPrivilege, CategoryAudit,
	}
}

// The kinds of artefacts that can be at fault.
const (
	ArtefactConfig         = "config"
	ArtefactNetwork        = "network"
	ArtefactClock          = "clock"
	ArtefactCredentials    = "credentials"
	ArtefactSourcePolicy   = "source-policy" // of the identity that assumes the role
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
	ArtefactEncryption     = "encryption"                // of the bucket, by default
	ArtefactIdentityBucket = "identity or bucket-policy" // S3 said no without saying where
	ArtefactKeyPolicy      = "key-policy"
	ArtefactIdentityKey    = "identity or key-policy"
	ArtefactKeyState       = "key-state"
	ArtefactUnseen         = "unseen policy" // no document that was read explains it
	ArtefactTrail          = "trail"
	ArtefactAccessLog      = "access-log"
	ArtefactService        = "service"
)

// DocsURL is the address of the page of a code.
func DocsURL(code string) string {
	return "https://github.com/brokerd/brokerd/blob/main/docs/checks/" + code + ".md"
}

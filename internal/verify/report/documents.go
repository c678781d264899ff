package report

// Policies holds the documents of both accounts that could be read. A kind without a
// document is unknown, never absent.
type Policies struct {
	Documents []PolicyDocument `json:"documents,omitempty"`
}

// PolicyDocument is one document, or the fact that there is none.
type PolicyDocument struct {
	Kind  string        `json:"kind"` // one of the Document constants
	State DocumentState `json:"state"`
	// ARN is the ARN of the resource that the document is attached to.
	ARN string `json:"arn,omitempty"`
	// Name is the name of the policy, where a kind has several.
	Name string `json:"name,omitempty"`
	// Level is the root, organizational unit or account of an SCP or RCP.
	Level string `json:"level,omitempty"`
	// Text is JSON: a policy, or a setting in the form of AWS's API.
	Text string `json:"text,omitempty"`
	// Reason is the reason why the document could not be read.
	Reason string `json:"reason,omitempty"`
}

// DocumentState is the knowledge of a document.
type DocumentState string

// The states.
const (
	Known      DocumentState = "known"
	Absent     DocumentState = "absent"     // AWS says that there is none
	Unreadable DocumentState = "unreadable" // no right to read it, or not looked for
)

// The kinds of documents. Those of policies are the kinds of artefacts, too.
const (
	DocumentTrust          = ArtefactTrust
	DocumentIdentity       = ArtefactIdentity // of the role; any number
	DocumentSource         = ArtefactSourcePolicy
	DocumentBoundary       = ArtefactBoundary
	DocumentSessionPolicy  = ArtefactSessionPolicy
	DocumentSCP            = ArtefactSCP // over account A
	DocumentRCP            = ArtefactRCP // over account B
	DocumentEndpointPolicy = ArtefactEndpointPolicy
	DocumentBucketPolicy   = ArtefactBucketPolicy
	DocumentKeyPolicy      = ArtefactKeyPolicy
	// Settings, in the form of AWS's answers.
	DocumentPublicAccess = ArtefactPublicAccess // GetPublicAccessBlock
	DocumentOwnership    = ArtefactOwnership    // GetBucketOwnershipControls
	DocumentEncryption   = ArtefactEncryption   // GetBucketEncryption
	DocumentKey          = "key"                // DescribeKey
	DocumentRole         = "role"               // GetRole
	DocumentLogging      = ArtefactAccessLog    // GetBucketLogging
	DocumentTrail        = ArtefactTrail        // GetEventSelectors, with the trail's name
	DocumentEvent        = "trail-event"        // an event of LookupEvents
	DocumentPayment      = "request-payment"    // GetBucketRequestPayment
	// DocumentLogTarget says what keeps S3 from delivering access logs: {"Problems":[…]}.
	DocumentLogTarget = "log-target"
)

// MaxPolicyBytes bounds the documents of a run, together.
const MaxPolicyBytes = 512 << 10

// RunOptions are the options of one run.
type RunOptions struct {
	// Policies are the documents that were read.
	Policies Policies
	// Canary stores an object, which stays: an upload role has no right to delete.
	Canary bool
	// Cheap leaves out the requests that must be refused, the direct call to KMS, and
	// the audit trail. It is for regular verification.
	Cheap bool
}

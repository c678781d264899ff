package report

// Policies are the documents of both accounts, as far as somebody could read them.
// The zero value knows nothing: what is not there is unknown, never absent.
type Policies struct {
	Documents []PolicyDocument `json:"documents,omitempty"`
}

// PolicyDocument is one document, or the knowledge that there is none.
type PolicyDocument struct {
	Kind  string        `json:"kind"` // one of the Document constants
	State DocumentState `json:"state"`
	// ARN is that of what the document is attached to.
	ARN string `json:"arn,omitempty"`
	// Name tells several of a kind apart: the policy's name.
	Name string `json:"name,omitempty"`
	// Level is the root, organizational unit or account of an SCP or RCP.
	Level string `json:"level,omitempty"`
	// Text is JSON: a policy, or a setting as AWS's API answers it.
	Text string `json:"text,omitempty"`
	// Reason says why it could not be read.
	Reason string `json:"reason,omitempty"`
}

// DocumentState says what is known of a document.
type DocumentState string

// The states.
const (
	Known      DocumentState = "known"
	Absent     DocumentState = "absent"     // it was looked for and is not there
	Unreadable DocumentState = "unreadable" // nobody may read it, or it was not looked for
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
)

// MaxPolicyBytes is how much of documents a run takes in.
const MaxPolicyBytes = 512 << 10

// RunOptions are those of one run.
type RunOptions struct {
	// Policies are what is known of the documents.
	Policies Policies
	// Canary writes a real object, which stays: an upload role has no right to delete.
	Canary bool
	// Cheap leaves out what asks on purpose for what must be denied, the direct
	// call to KMS and the look at the audit trail: for checks that repeat.
	Cheap bool
}

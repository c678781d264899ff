package iampolicy

// Request is one call to be decided.
type Request struct {
	// Principal is the caller's ARN: a user, an assumed-role session
	// (arn:aws:sts::A:assumed-role/NAME/SESSION), a role, a root user, a
	// service ("s3.amazonaws.com"), or "*" for an anonymous caller.
	Principal string `json:"principal"`
	Action    string `json:"action"`   // "s3:PutObject"
	Resource  string `json:"resource"` // ARN, or "*" for actions without one
	// ResourceAccount is the 12-digit account that owns the resource. S3 ARNs
	// do not carry it. Empty: taken from the resource ARN, else the caller's account.
	ResourceAccount string `json:"resource_account,omitempty"`
	// Context holds the condition keys of the request. Keys are matched
	// without regard to case. aws:PrincipalArn, aws:PrincipalAccount,
	// aws:ResourceAccount and the like are derived when they are absent.
	Context map[string][]string `json:"context,omitempty"`
	// RoleARN is the role behind an assumed-role Principal, with its path; the
	// session ARN does not carry the path. Empty: the role is taken to have none.
	RoleARN string `json:"role_arn,omitempty"`
	// PrincipalID is the unique id ("AROA…:session", "AIDA…") of the caller, when known.
	PrincipalID string `json:"principal_id,omitempty"`
	// UnknownContext lists condition keys that the request may carry and whose
	// values are not known. In JSON a null context value says the same.
	UnknownContext []string `json:"unknown_context,omitempty"`
}

// Layer names a kind of policy that takes part in a decision.
type Layer string

// The layers, by their names in scenarios and results.
const (
	LayerIdentity     Layer = "identity"
	LayerResource     Layer = "resource"
	LayerBoundary     Layer = "permissions_boundary"
	LayerSession      Layer = "session"
	LayerSCP          Layer = "service_control"
	LayerRCP          Layer = "resource_control"
	LayerVPCEndpoint  Layer = "vpc_endpoint"
	LayerPublicAccess Layer = "public_access_block"
)

// NamedPolicy is a parsed policy document with the name it is known by.
type NamedPolicy struct {
	Name   string    `json:"name,omitempty"`
	Policy *Document `json:"policy"`
}

// LevelPolicies are the SCPs or RCPs attached at one level of an organization.
type LevelPolicies struct {
	Level    string        `json:"level"`
	Policies []NamedPolicy `json:"policies"`
}

// PolicySet is every policy known for a request. A nil boundary, session or
// endpoint list means "not attached"; an empty non-nil list means "attached and
// allows nothing".
type PolicySet struct {
	Identity        []NamedPolicy   `json:"identity,omitempty"`
	Resource        *Document       `json:"resource,omitempty"`
	Boundary        []NamedPolicy   `json:"permissions_boundary,omitempty"`
	Session         []NamedPolicy   `json:"session,omitempty"`
	ServiceControl  []LevelPolicies `json:"service_control,omitempty"`
	ResourceControl []LevelPolicies `json:"resource_control,omitempty"`
	VPCEndpoint     []NamedPolicy   `json:"vpc_endpoint,omitempty"`
}

// PublicAccessBlock is the effective public-access setting of a bucket
// (the most restrictive of bucket, account and organization).
type PublicAccessBlock struct {
	BlockPublicAcls       bool `json:"block_public_acls"`
	IgnorePublicAcls      bool `json:"ignore_public_acls"`
	BlockPublicPolicy     bool `json:"block_public_policy"`
	RestrictPublicBuckets bool `json:"restrict_public_buckets"`
}

// Scenario is a request with all that is known about the policies around it.
type Scenario struct {
	Name              string             `json:"name,omitempty"`
	Request           Request            `json:"request"`
	Policies          PolicySet          `json:"policies"`
	PublicAccessBlock *PublicAccessBlock `json:"public_access_block,omitempty"`
	// NotSupplied lists layers that exist or may exist but could not be read.
	NotSupplied []Layer `json:"not_supplied,omitempty"`
}

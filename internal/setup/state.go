package setup

import (
	"time"

	"github.com/brokerd/brokerd/internal/config"
)

// State is the arrangement that a configuration needs. Several destinations that
// share a role, a bucket or a key share its documents. All lists are sorted, so
// that the same configuration gives the same State; treat it as immutable.
type State struct {
	Roles      []Role   // those of chains first, in the order in which they are assumed
	Sources    []Source // the identities that assume the first roles
	Keys       []Key
	Buckets    []Bucket
	Trails     []Trail
	Deliveries []Delivery // one for each destination, by its name
}

// Role is a role that setup makes and keeps: a destination's own, or one of its chain.
type Role struct {
	ARN, Account, Name string
	Path               string // with its slashes; "/" for none
	Trust              Policy
	Inline             Policy // the policy named InlineName; without statements: none
	Boundary           string // ARN; empty: setup leaves the boundary alone
	MaxSession         time.Duration
	Destinations       []string // who needs the role, sorted
}

// Source is an identity that assumes the first role of a destination. It belongs
// to the runtime and is never made by setup. Inline is empty when it needs no
// policy: a role of its own account lets it in by its trust policy alone.
type Source struct {
	Type         string // one of the Runs constants of config
	ARN          string // of a role or user; the provider's for a web identity
	Account      string
	Inline       Policy
	Destinations []string
}

// Key is a KMS key. It exists already: KMS chooses the ids that the configuration names.
type Key struct {
	ARN, Account, Region string
	Policy               Policy // with SidKeyAdmin, which is left out where the key's policy says the same already
	Destinations         []string
}

// Bucket is a bucket and its settings.
type Bucket struct {
	Name, ARN, Account, Region string
	Create                     bool
	Policy                     Policy
	Encryption                 Encryption
	Ownership                  string // BucketOwnerEnforced
	PublicAccess               PublicAccess
	Lifecycle                  []LifecycleRule
	Logging                    *Logging // nil: setup leaves it alone
	Destinations               []string
}

// Encryption is the default encryption of a bucket.
type Encryption struct {
	Algorithm string `json:"algorithm"`         // aws:kms, AES256, …
	KeyARN    string `json:"key_arn,omitempty"` // as S3 keeps it: not always an ARN, empty for AWS's own key
	BucketKey bool   `json:"bucket_key"`
}

// PublicAccess is the public-access block of a bucket or an account.
type PublicAccess struct {
	BlockPublicACLs       bool `json:"block_public_acls"`
	IgnorePublicACLs      bool `json:"ignore_public_acls"`
	BlockPublicPolicy     bool `json:"block_public_policy"`
	RestrictPublicBuckets bool `json:"restrict_public_buckets"`
}

// LifecycleRule is one rule of a bucket's lifecycle configuration.
type LifecycleRule struct {
	ID     string `json:"id"`
	Prefix string `json:"prefix"`
	// AbortIncompleteDays is after how many days an unfinished multipart upload is
	// aborted; 0: the rule does not say.
	AbortIncompleteDays int  `json:"abort_incomplete_days,omitempty"`
	Enabled             bool `json:"enabled"`
	// Whole says that nothing but the prefix limits the rule, Only that it does
	// nothing but abort uploads.
	Whole bool `json:"-"`
	Only  bool `json:"-"`
	// Raw is a foreign rule as the reader encodes it. It is written back as it is.
	// Nil for our own.
	Raw []byte `json:"-"`
}

// Logging is where server access logs go.
type Logging struct {
	Bucket string `json:"bucket"`
	Prefix string `json:"prefix"`
}

// Trail is a CloudTrail trail that records writes to objects.
type Trail struct {
	ARN, Account, Region string
	Objects              []string // ARN prefixes of S3 objects: arn:aws:s3:::bucket/prefix, sorted
	Destinations         []string
}

// Delivery says which of the parts one destination uses.
type Delivery struct {
	Destination *config.Destination
	Setup       config.Setup
	Roles       []string // ARNs as they are assumed, the destination's own last
	BucketARN   string
	Objects     string // ARN pattern: the bucket below the destination's prefix
	Sid         string // the end of the destination's statement ids

	legacySid string // their end before it carried a hash of the role
}

// InlineName is the name of the inline policy that setup keeps on roles and users.
const InlineName = "brokerd"

// LifecycleID is how the ids of our lifecycle rules begin; the destination's
// name follows.
const LifecycleID = "brokerd-abort-incomplete-uploads-"

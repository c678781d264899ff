package setup

import "time"

// Presence is the state of knowledge about a part of an account.
type Presence string

// The three answers. Unread is not Absent: nothing may be concluded from it.
const (
	Unread Presence = ""       // it was not asked for, or the answer was no; see Reason
	Absent Presence = "absent" // AWS says that there is none
	Known  Presence = "known"
)

// Part is one thing that was read from an account, or why it was not.
type Part[T any] struct {
	Presence Presence `json:"presence"`
	Value    T        `json:"value,omitzero"`
	// Reason says why the part is unread: "access denied: …", "no credentials for account …".
	Reason string `json:"reason,omitempty"`
}

// KnownPart is a part that was read.
func KnownPart[T any](v T) Part[T] { return Part[T]{Presence: Known, Value: v} }

// AbsentPart is a part that AWS says is not there.
func AbsentPart[T any]() Part[T] { return Part[T]{Presence: Absent} }

// UnreadPart is a part that could not be read.
func UnreadPart[T any](reason string) Part[T] { return Part[T]{Reason: reason} }

// Is reports whether the part was read and is there.
func (p Part[T]) Is() bool { return p.Presence == Known }

// Snapshot is the state of the accounts around some destinations, as it was read.
// A part that is missing from a map was not asked for.
type Snapshot struct {
	Taken time.Time `json:"taken"`
	// Callers are the identities that read, by account; an account that is missing
	// was not reached at all, and everything in it is unread.
	Callers    map[string]string    `json:"callers"`
	Identities map[string]*Identity `json:"identities"` // roles and users, by ARN
	Buckets    map[string]*BucketAt `json:"buckets"`    // by name
	// LogTargets are the buckets that receive access logs of Buckets, by name.
	LogTargets map[string]*BucketAt      `json:"log_targets,omitempty"`
	Keys       map[string]*KeyAt         `json:"keys"`     // by ARN
	Trails     map[string]*TrailAt       `json:"trails"`   // by ARN
	Policies   map[string]Part[Document] `json:"policies"` // managed policies of the scope, by ARN
}

// Document is a policy as it is stored, byte for byte.
type Document struct {
	Name string `json:"name,omitempty"` // of an inline or managed policy
	ARN  string `json:"arn,omitempty"`  // of a managed policy
	Text string `json:"text"`
}

// Identity is a role or a user as it is.
type Identity struct {
	ARN string `json:"arn"`
	// Info says whether it exists. The other parts are Absent when it does not.
	Info     Part[IdentityInfo] `json:"info"`
	Trust    Part[string]       `json:"trust"`    // of a role
	Inline   Part[[]Document]   `json:"inline"`   // all inline policies, by name
	Attached Part[[]Document]   `json:"attached"` // managed policies in their default version
	Boundary Part[Document]     `json:"boundary"` // Absent: none is set
}

// IdentityInfo is what IAM says of a role or user.
type IdentityInfo struct {
	ID         string        `json:"id"` // AROA…, AIDA…
	Path       string        `json:"path"`
	Created    time.Time     `json:"created,omitzero"`
	MaxSession time.Duration `json:"max_session,omitempty"` // of a role
	Made       bool          `json:"made"`                  // it carries the tag that setup gives to roles it makes
}

// BucketAt is a bucket as it is.
type BucketAt struct {
	Name string `json:"name"`
	// Info says whether it exists, and in which Region.
	Info                Part[BucketInfo]      `json:"info"`
	Policy              Part[string]          `json:"policy"`
	PublicAccess        Part[PublicAccess]    `json:"public_access"`
	AccountPublicAccess Part[PublicAccess]    `json:"account_public_access"`
	Ownership           Part[string]          `json:"ownership"`
	Encryption          Part[Encryption]      `json:"encryption"`
	Lifecycle           Part[[]LifecycleRule] `json:"lifecycle"`
	Logging             Part[Logging]         `json:"logging"`
	// Unfinished are multipart uploads that are neither completed nor aborted, at
	// most 1,000. The zero value: not asked for, see Scope.Unfinished.
	Unfinished Part[[]UnfinishedUpload] `json:"unfinished,omitzero"`
}

// UnfinishedUpload is a multipart upload that costs storage until it is aborted.
type UnfinishedUpload struct {
	Key       string    `json:"key"`
	UploadID  string    `json:"upload_id"`
	Initiated time.Time `json:"initiated"`
}

// BucketInfo is where a bucket is.
type BucketInfo struct {
	Region string `json:"region"`
}

// KeyAt is a key as it is.
type KeyAt struct {
	ARN    string        `json:"arn"`
	Info   Part[KeyInfo] `json:"info"`
	Policy Part[string]  `json:"policy"`
}

// KeyInfo is what KMS says of a key.
type KeyInfo struct {
	State       string `json:"state"` // Enabled, Disabled, PendingDeletion, …
	Spec        string `json:"spec"`  // SYMMETRIC_DEFAULT, …
	Usage       string `json:"usage"` // ENCRYPT_DECRYPT, …
	Manager     string `json:"manager"`
	Region      string `json:"region"`
	MultiRegion bool   `json:"multi_region"`
}

// TrailAt is a trail as it is.
type TrailAt struct {
	ARN string `json:"arn"`
	// Objects are the ARN prefixes of S3 objects whose writes the trail records.
	Objects Part[[]string] `json:"objects"`
	// Ours are those of them that setup keeps, in a selector of its own.
	Ours []string `json:"ours,omitempty"`
	// Selectors are all its event selectors, as the reader encodes them.
	Selectors []byte `json:"-"`
}

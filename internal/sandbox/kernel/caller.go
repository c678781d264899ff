package kernel

import (
	"maps"
	"time"
)

// callerKind is the kind of a principal.
type callerKind int

// The kinds of callers. Federated callers are known by a web identity token only.
const (
	Anonymous callerKind = iota
	RootUser
	IAMUser
	RoleSession
	Federated
)

// Caller is an authenticated principal, or the anonymous one. It is a snapshot
// of the moment of authentication and never changes.
type Caller struct {
	Kind     callerKind
	Account  string // empty for the anonymous caller
	ARN      string // "*" for the anonymous caller
	ID       string // "AIDA…", "AROA…:session", or the account id for root
	Key      string // access key id
	Name     string // of the user or role
	EntityID string // unique id of the user or role
	RoleARN  string // of a role session
	Subject  string // of a federated caller

	Temporary bool      // the keys are from STS
	Issued    time.Time // of temporary keys
	Source    string    // source identity

	Conditions map[string][]string // the condition keys that come with the caller
	Identity   identity            // nil for anonymous and federated callers
}

// identity is IAM's record of a caller.
type identity interface {
	// Policies reads the caller's policies as they are now. It takes IAM's lock.
	Policies() *OwnPolicies
}

// AnonymousCaller has no account.
func AnonymousCaller() *Caller {
	return &Caller{Kind: Anonymous, ARN: "*", ID: "anonymous", Conditions: map[string][]string{
		"aws:PrincipalType": {"Anonymous"}, "aws:userid": {"anonymous"},
	}}
}

// Context returns a copy of the condition keys that come with the caller.
func (c *Caller) Context() map[string][]string {
	if c.Conditions == nil {
		return map[string][]string{}
	}
	return maps.Clone(c.Conditions)
}

// Policies reads the caller's policies as they are now.
func (c *Caller) Policies() *OwnPolicies {
	if c.Identity == nil {
		return &OwnPolicies{}
	}
	return c.Identity.Policies()
}

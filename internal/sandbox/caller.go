package sandbox

import (
	"maps"
	"time"
)

// callerKind tells the kinds of principals apart.
type callerKind int

const (
	anonymous callerKind = iota
	rootUser
	iamUser
	roleSession
	federated
)

// caller is an authenticated principal, or the anonymous one. It is a snapshot
// of the moment of authentication and never changes.
type caller struct {
	kind     callerKind
	account  string // empty for the anonymous caller
	arn      string // "*" for the anonymous caller
	id       string // "AIDA…", "AROA…:session", or the account id for root
	key      string // access key id
	name     string // of the user or role
	entityID string // unique id of the user or role
	roleARN  string // of a role session
	subject  string // of a federated caller

	temporary bool      // the keys are from STS
	issued    time.Time // of temporary keys
	source    string    // source identity

	conditions map[string][]string // the condition keys that come with the caller
	identity   identity            // nil for anonymous and federated callers
}

// identity is IAM's record of a caller.
type identity interface {
	// policies reads the caller's policies as they are now. It takes IAM's lock.
	policies() *ownPolicies
}

// anonymousCaller has no account.
func anonymousCaller() *caller {
	return &caller{kind: anonymous, arn: "*", id: "anonymous", conditions: map[string][]string{
		"aws:PrincipalType": {"Anonymous"}, "aws:userid": {"anonymous"},
	}}
}

// context returns a copy of the condition keys that come with the caller.
func (c *caller) context() map[string][]string {
	if c.conditions == nil {
		return map[string][]string{}
	}
	return maps.Clone(c.conditions)
}

func (c *caller) policies() *ownPolicies {
	if c.identity == nil {
		return &ownPolicies{}
	}
	return c.identity.policies()
}

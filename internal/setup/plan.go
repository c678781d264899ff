package setup

import "github.com/brokerd/brokerd/internal/iampolicy/policytext"

// Op is the operation of a change.
type Op string

// The operations.
const (
	OpKeep    Op = "keep"    // it is as the configuration asks
	OpCreate  Op = "create"  // it is not there
	OpUpdate  Op = "update"  // it is there and differs
	OpDelete  Op = "delete"  // nothing of it would be left
	OpUnknown Op = "unknown" // it could not be read, or cannot be made: see Reason
	// OpHandOver is for an account that was not reached: After is what its
	// administrator has to see to, our statements alone.
	OpHandOver Op = "hand-over"
)

// Kind names the document or setting that a change concerns.
type Kind string

// The kinds, in the words that verify uses for artefacts where it has one.
const (
	KindTrust       Kind = "trust"    // trust policy of a role; to create it is to create the role
	KindIdentity    Kind = "identity" // inline policy of a role or user
	KindRole        Kind = "role"     // a role that setup made, when it goes
	KindBoundary    Kind = "boundary"
	KindMaxSession  Kind = "max-session"
	KindKey         Kind = "key-policy"
	KindBucketMade  Kind = "bucket"
	KindPublicBlock Kind = "public-access-block"
	KindOwnership   Kind = "ownership"
	KindEncryption  Kind = "encryption"
	KindLifecycle   Kind = "lifecycle"
	KindLogging     Kind = "access-logs"
	KindBucket      Kind = "bucket-policy"
	KindTrail       Kind = "trail"
)

// Change is one document or setting: as it is, and as it will be.
type Change struct {
	Op      Op     `json:"op"`
	Kind    Kind   `json:"kind"`
	Account string `json:"account"`
	ARN     string `json:"arn"` // of the role, user, bucket, key or trail
	// Before and After are the document, or the setting as JSON; empty for none.
	Before string `json:"before,omitempty"`
	After  string `json:"after,omitempty"`
	// Statements are the differences of a policy, statement by statement, in the order of After.
	Statements []StatementChange `json:"statements,omitempty"`
	// Reason says why the part is unknown, or why something foreign stays.
	Reason       string   `json:"reason,omitempty"`
	Destinations []string `json:"destinations"`

	role   *Role
	bucket *Bucket
}

// Pending reports whether the change has something to do.
func (c *Change) Pending() bool { return c.Op == OpCreate || c.Op == OpUpdate || c.Op == OpDelete }

// Role is the role that the change creates or belongs to; nil when it is about none.
func (c *Change) Role() *Role { return c.role }

// Bucket is the bucket that the change creates or belongs to; nil when it is about none.
func (c *Change) Bucket() *Bucket { return c.bucket }

// StatementOp is what happens to a statement.
type StatementOp string

// The operations on statements.
const (
	StatementAdded   StatementOp = "added"
	StatementChanged StatementOp = "changed"
	StatementRemoved StatementOp = "removed"
	StatementSame    StatementOp = "same"    // ours, and as it should be
	StatementForeign StatementOp = "foreign" // not ours: kept byte for byte
)

// StatementChange is one statement before and after.
type StatementChange struct {
	Op     StatementOp `json:"op"`
	Sid    string      `json:"sid,omitempty"`
	Before string      `json:"before,omitempty"`
	After  string      `json:"after,omitempty"`
	// Elements say which values come and go; all of them for a statement that is
	// added or removed.
	Elements []policytext.ElementChange `json:"elements,omitempty"`
}

// Warning is something that works, or not, for a reason outside the changes.
type Warning struct {
	Code    string `json:"code"` // stable: stale-principal, public-statement, …
	Kind    Kind   `json:"kind"`
	Account string `json:"account"`
	ARN     string `json:"arn"`
	Message string `json:"message"`
	Fix     string `json:"fix,omitempty"`
}

// Verdict is the policy engine's answer to a case.
type Verdict string

// The verdicts.
const (
	Holds   Verdict = "holds"
	Fails   Verdict = "fails"
	Unclear Verdict = "unknown" // a policy that takes part could not be read
)

// Case is one request, its wanted decision, and the decision after apply.
type Case struct {
	Destination string  `json:"destination"`
	Name        string  `json:"name"` // "an upload below the prefix"
	Want        string  `json:"want"` // allowed or denied
	Verdict     Verdict `json:"verdict"`
	Why         string  `json:"why"`
	// Assumptions the answer rests on.
	Assumptions []string `json:"assumptions,omitempty"`
}

// Plan lists the changes that apply makes, their proof, and warnings.
type Plan struct {
	// Destinations are those that the plan is about: the named ones, else all.
	Destinations []string `json:"-"`

	Remove   bool      `json:"remove,omitempty"` // the plan removes our statements
	Changes  []Change  `json:"changes"`          // in the order in which apply makes them
	Warnings []Warning `json:"warnings"`
	Proof    []Case    `json:"proof"`
	// NewRoles says that a role was made so recently that not all of AWS may know it.
	NewRoles bool `json:"new_roles,omitempty"`
	// Unreached are the accounts for which there are no credentials. Another
	// administrator makes their changes.
	Unreached []string `json:"unreached,omitempty"`
}

// Pending reports whether anything is to be done in an account that was reached.
func (p *Plan) Pending() bool {
	for i := range p.Changes {
		if p.Changes[i].Pending() {
			return true
		}
	}
	return false
}

// Unknown lists the changes that could not be decided. Apply refuses a plan that
// has any.
func (p *Plan) Unknown() []Change {
	var out []Change
	for _, c := range p.Changes {
		if c.Op == OpUnknown {
			out = append(out, c)
		}
	}
	return out
}

// Proven is the worst verdict about the requests that must be allowed: Fails
// means that no upload would work after apply.
func (p *Plan) Proven() Verdict {
	worst := Holds
	for _, c := range p.Proof {
		if c.Want != wantAllowed {
			continue
		}
		if c.Verdict == Fails {
			return Fails
		}
		if c.Verdict == Unclear {
			worst = Unclear
		}
	}
	return worst
}

// Change returns the change of a kind for an ARN; nil when there is none.
func (p *Plan) Change(kind Kind, arn string) *Change {
	for i := range p.Changes {
		if p.Changes[i].Kind == kind && p.Changes[i].ARN == arn {
			return &p.Changes[i]
		}
	}
	return nil
}

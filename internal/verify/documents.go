package verify

import (
	"encoding/json"
	"errors"
	"slices"
	"strings"

	"github.com/brokerd/brokerd/internal/iampolicy"
	"github.com/brokerd/brokerd/internal/verify/report"
)

// documents holds the policies and settings that were supplied, parsed. A kind
// without an entry was not read.
type documents struct {
	byKind map[string][]entry
}

// entry is one document.
type entry struct {
	report.PolicyDocument
	policy *iampolicy.Document // nil for a setting, and for a policy that cannot be parsed
	fault  error               // the parse error
}

func newDocuments(p report.Policies) *documents {
	l := &documents{byKind: make(map[string][]entry)}
	size := 0
	for _, d := range p.Documents {
		s := entry{PolicyDocument: d}
		if size += len(d.Text); size > report.MaxPolicyBytes {
			s.State, s.Text, s.Reason = report.Unreadable, "", "the documents are larger than 512 KiB together"
		}
		if _, isPolicy := policyKind(d.Kind); s.State == report.Known && isPolicy {
			s.policy, s.fault = iampolicy.Parse([]byte(d.Text))
		} else if s.State == report.Known && !json.Valid([]byte(d.Text)) {
			s.fault = errors.New("it is not JSON")
		}
		l.byKind[d.Kind] = append(l.byKind[d.Kind], s)
	}
	return l
}

// empty reports whether no document was read.
func (d *documents) empty() bool {
	for _, list := range d.byKind {
		for _, s := range list {
			if s.State != report.Unreadable {
				return false
			}
		}
	}
	return true
}

// state returns the state of a kind. It is Known only if every document of the kind is
// known and can be parsed.
func (d *documents) state(kind string) (state report.DocumentState, why string) {
	list := d.byKind[kind]
	if len(list) == 0 {
		return report.Unreadable, "it was not read"
	}
	state = report.Absent
	for _, s := range list {
		switch {
		case s.fault != nil:
			return report.Unreadable, "it cannot be parsed: " + s.fault.Error()
		case s.State == report.Known:
			state = report.Known
		case s.State != report.Absent:
			return report.Unreadable, orText(s.Reason, "it was not read")
		}
	}
	return state, ""
}

// read reports whether a kind is known, or known to be absent.
func (d *documents) read(kind string) bool {
	state, _ := d.state(kind)
	return state != report.Unreadable
}

// one returns the document of a kind with a single document; nil if it is absent or
// was not read.
func (d *documents) one(kind string) *iampolicy.Document {
	if !d.read(kind) {
		return nil
	}
	for _, s := range d.byKind[kind] {
		if s.policy != nil {
			return s.policy
		}
	}
	return nil
}

// all returns the documents of a kind. The list is empty and not nil if the kind is
// known to be absent.
func (d *documents) all(kind string) []iampolicy.NamedPolicy {
	if !d.read(kind) {
		return nil
	}
	out := []iampolicy.NamedPolicy{}
	for _, s := range d.byKind[kind] {
		if s.policy != nil {
			out = append(out, iampolicy.NamedPolicy{Name: s.Name, Policy: s.policy})
		}
	}
	return out
}

// levels groups SCPs or RCPs by the levels of the organization.
func (d *documents) levels(kind string) []iampolicy.LevelPolicies {
	var out []iampolicy.LevelPolicies
	at := make(map[string]int)
	for _, s := range d.byKind[kind] {
		if s.policy == nil {
			continue
		}
		i, ok := at[s.Level]
		if !ok {
			i = len(out)
			at[s.Level] = i
			out = append(out, iampolicy.LevelPolicies{Level: s.Level})
		}
		out[i].Policies = append(out[i].Policies, iampolicy.NamedPolicy{Name: s.Name, Policy: s.policy})
	}
	return out
}

// setting decodes a setting into v; false if it is absent or was not read.
func (d *documents) setting(kind string, v any) bool {
	if state, _ := d.state(kind); state != report.Known {
		return false
	}
	for _, s := range d.byKind[kind] {
		if s.State == report.Known {
			return json.Unmarshal([]byte(s.Text), v) == nil
		}
	}
	return false
}

// roleID returns the unique id of the role; empty if GetRole was not read.
func (d *documents) roleID() string {
	var out struct {
		Role struct {
			RoleID string `json:"RoleId"`
		}
	}
	d.setting(report.DocumentRole, &out)
	return out.Role.RoleID
}

func (d *documents) publicAccess() *iampolicy.PublicAccessBlock {
	if !d.read(report.DocumentPublicAccess) {
		return nil
	}
	var out struct {
		PublicAccessBlockConfiguration struct{ BlockPublicAcls, IgnorePublicAcls, BlockPublicPolicy, RestrictPublicBuckets bool }
	}
	d.setting(report.DocumentPublicAccess, &out)
	c := out.PublicAccessBlockConfiguration
	if d.ownership() == "BucketOwnerEnforced" {
		c.BlockPublicAcls = false // the bucket refuses every ACL
	}
	return &iampolicy.PublicAccessBlock{
		BlockPublicAcls:       c.BlockPublicAcls,
		IgnorePublicAcls:      c.IgnorePublicAcls,
		BlockPublicPolicy:     c.BlockPublicPolicy,
		RestrictPublicBuckets: c.RestrictPublicBuckets,
	}
}

// ownership returns the object ownership of the bucket; empty if it was not read.
func (d *documents) ownership() string {
	var out struct {
		OwnershipControls struct {
			Rules []struct{ ObjectOwnership string }
		}
	}
	d.setting(report.DocumentOwnership, &out)
	if len(out.OwnershipControls.Rules) == 0 {
		return ""
	}
	return out.OwnershipControls.Rules[0].ObjectOwnership
}

// unread lists the documents that were not read.
func (d *documents) unread() []string {
	var out []string
	for _, kind := range []string{
		report.DocumentIdentity, report.DocumentBoundary, report.DocumentBucketPolicy, report.DocumentKeyPolicy,
		report.DocumentSCP, report.DocumentRCP, report.DocumentEndpointPolicy,
	} {
		if !d.read(kind) {
			out = append(out, "not read: "+noun(kind))
		}
	}
	return out
}

// enforcesKey reports whether the bucket policy says that the role has to encrypt with
// the key: by a Deny statement on other values of the encryption headers. A statement
// that excepts the role does not count.
func (d *documents) enforcesKey(role, key string) bool {
	doc := d.one(report.DocumentBucketPolicy)
	for i := range doc.Len() {
		text, _, _ := doc.StatementText(i)
		s := parseStatement(text)
		if s.Effect != "Deny" || slices.Contains(s.values("aws:PrincipalArn"), role) {
			continue
		}
		for operator := range s.Condition {
			negated := statementParts{Condition: map[string]map[string]json.RawMessage{operator: s.Condition[operator]}}
			if strings.HasPrefix(operator, "StringNot") &&
				(slices.Contains(negated.values(encryptionKey), "aws:kms") || slices.Contains(negated.values(encryptionKeyID), key)) {
				return true
			}
		}
	}
	return false
}

package kms

import (
	"encoding/json"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/brokerd/brokerd/internal/iampolicy"
	"github.com/brokerd/brokerd/internal/iampolicy/policytext"
	"github.com/brokerd/brokerd/internal/sandbox/iam"
	"github.com/brokerd/brokerd/internal/sandbox/kernel"
)

// grant lets a principal use a key. It only ever allows.
type grant struct {
	ID             string // 64 hex digits
	KeyARN         string
	Name           string
	IssuingAccount string
	Grantee        principal
	Retiring       principal // zero: none
	Operations     []string
	Constraints    *constraints
	Created        time.Time
	Tokens         []string // every CreateGrant that led here gave one
}

// principal is a principal of a grant. A role or user is kept by its unique id, so that
// another entity of the same name is not meant.
type principal struct {
	ARN      string
	EntityID string // "AROA…", "AIDA…"; empty for accounts and sessions
}

// constraints limit a grant to requests with an encryption context.
type constraints struct {
	EncryptionContextSubset map[string]string `json:",omitempty"`
	EncryptionContextEquals map[string]string `json:",omitempty"`
}

// grantPrincipal resolves a principal of a grant.
func (s *Service) grantPrincipal(ref string) (principal, *kernel.Error) {
	bad := kernel.JSONFail("InvalidArnException", "ARN does not refer to a valid principal: %s", ref)
	if !strings.HasPrefix(ref, "arn:") && !iam.UniqueIDPattern.MatchString(ref) {
		return principal{}, bad
	}
	id, err := s.iam.ResolvePrincipal("AWS", ref)
	if err != nil {
		return principal{}, bad
	}
	return principal{ARN: ref, EntityID: id}, nil
}

// principalNow is the ARN of a principal, or the unique id of one that is deleted.
func (s *Service) principalNow(p principal) string {
	if p.EntityID == "" {
		return p.ARN
	}
	if arn := s.iam.ARNOf(p.EntityID); arn != "" {
		return arn
	}
	return p.EntityID
}

// is reports whether a caller is the principal, or has a session of the principal's role.
func (p principal) is(c *kernel.Caller) bool {
	switch {
	case p.ARN == "":
		return false
	case p.EntityID != "":
		return c.EntityID == p.EntityID
	case strings.HasSuffix(p.ARN, ":root"):
		return p.ARN == kernel.RootARN(c.Account)
	}
	return p.ARN == c.ARN
}

// allows reports whether the grant covers a request of its grantee.
func (g *grant) allows(q request) bool {
	if !slices.Contains(g.Operations, q.operation) {
		return false
	}
	switch {
	case q.operation == "CreateGrant":
		return q.grant != nil && g.covers(q.grant)
	case takesContext(q.operation):
		return g.Constraints.met(q.encryption)
	}
	return true
}

// covers reports whether a grantee may make another grant: it must have no more
// operations and no looser constraints.
func (g *grant) covers(other *grant) bool {
	for _, op := range other.Operations {
		if !slices.Contains(g.Operations, op) {
			return false
		}
	}
	c := g.Constraints
	if c == nil {
		return true
	}
	o := other.Constraints
	if o == nil {
		return false
	}
	if c.EncryptionContextEquals != nil {
		return maps.Equal(c.EncryptionContextEquals, o.EncryptionContextEquals)
	}
	narrow := o.EncryptionContextEquals
	if narrow == nil {
		narrow = o.EncryptionContextSubset
	}
	return c.met(narrow)
}

func (c *constraints) met(encryption map[string]string) bool {
	if c == nil {
		return true
	}
	if c.EncryptionContextEquals != nil && !maps.Equal(c.EncryptionContextEquals, encryption) {
		return false
	}
	for name, value := range c.EncryptionContextSubset {
		if got, ok := encryption[name]; !ok || got != value {
			return false
		}
	}
	return true
}

// grantedPrincipal returns the principal whose grant covers the caller's request; "" for none.
func (s *Service) grantedPrincipal(c *kernel.Caller, q request) string {
	if q.operation == "RetireGrant" {
		g := q.grant
		if g != nil && g.Retiring.is(c) {
			return s.principalNow(g.Retiring)
		}
		if g != nil && g.Grantee.is(c) && slices.Contains(g.Operations, "RetireGrant") {
			return s.principalNow(g.Grantee)
		}
		return ""
	}
	for _, id := range slices.Sorted(maps.Keys(s.grants)) {
		if g := s.grants[id]; g.KeyARN == q.key.arn && g.Grantee.is(c) && g.allows(q) {
			return s.principalNow(g.Grantee)
		}
	}
	return ""
}

// policyWithGrant returns the key policy with one more statement, which allows the request
// that a grant covers; nil without a grant. A grant counts as the key's side only: a deny
// in the policy wins, the boundary and session policies of a role limit it, and a caller
// of another account needs its own policies as well [unverified].
func (s *Service) policyWithGrant(text string, c *kernel.Caller, q request) *iampolicy.Document {
	principal := s.grantedPrincipal(c, q)
	if principal == "" {
		return nil
	}
	doc, err := policytext.ReadDocument(text)
	if err != nil {
		return nil
	}
	grant, err := json.Marshal(map[string]any{
		"Effect": "Allow", "Principal": map[string]string{"AWS": principal}, "Action": "kms:" + q.operation, "Resource": "*",
	})
	if err != nil {
		return nil
	}
	parsed, err := iampolicy.Parse([]byte(doc.Edit(policytext.Changes{Added: []string{string(grant)}})))
	if err != nil {
		return nil
	}
	return parsed
}

// checkGrantTokens refuses tokens that no grant has.
func (s *Service) checkGrantTokens(tokens []string) error {
	if len(tokens) > 10 {
		return invalid("Value at 'grantTokens' failed to satisfy constraint: Member must have length less than or equal to 10")
	}
	for _, token := range tokens {
		if s.grantOfToken(token) == nil {
			return invalidGrantToken()
		}
	}
	return nil
}

func invalidGrantToken() *kernel.Error {
	return kernel.JSONFail("InvalidGrantTokenException", "The grant token is not valid.") // [unverified] wording
}

func (s *Service) grantOfToken(token string) *grant {
	for _, g := range s.grants {
		if slices.Contains(g.Tokens, token) {
			return g
		}
	}
	return nil
}
